//! The timeline held against looking at every single day.

use std::collections::BTreeSet;

use bindery_schema::policy::PolicySpec;
use bindery_schema::value::Day;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Window, drift};
use crate::diagnostic::{Code, Place, Sink};
use crate::source::{Content, Loaded};
use crate::validate::{Carriers, Objects, acknowledged};
use crate::{Compiler, Options};

/// A day by its number. After so many nothing of the random trees begins or ends any more.
fn day(number: i64) -> Day {
    let first: Day = "2027-01-01".parse().unwrap();
    Day::of(first.midnight() + SignedDuration::from_hours(24 * number))
}

const LAST: i64 = 70;

fn options(today: Day) -> Options {
    Options { now: today.midnight(), environment: None }
}

fn files(objects: &[Value]) -> Vec<Loaded> {
    let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
    let (policy, others): (Vec<_>, Vec<_>) = documents.into_iter().partition(|text| text.contains("\"Policy\""));
    let file = |path: &str, documents: Vec<String>| Loaded {
        path: path.into(),
        blob: None,
        content: Content::Text(documents.join("\n---\n").into()),
    };
    vec![file("operators/all.yaml", others), file("policy.yaml", policy)]
}

/// A carrier `m` with an operator that is active or not, its contracts, reservations, and acknowledgements for it.
fn tree(active: bool, contracts: &[Value], reservations: &[Value], acknowledge: &[Value]) -> Vec<Loaded> {
    let api = "bindery/v1";
    files(&[
        json!({"apiVersion": api, "kind": "Mno", "metadata": {"id": "m"}, "spec": {
            "name": "M", "country": "AF", "contacts": {"t1": [{"name": "NOC"}]}}}),
        json!({"apiVersion": api, "kind": "Operator", "metadata": {"id": "m-1", "mno": "m"}, "spec": {
            "displayName": "M", "status": if active { "ACTIVE" } else { "INACTIVE" },
            "smpp": {"host": "m.example", "port": 2775, "systemId": "m"}, "tps": {"outbound": 20}}}),
        json!({"apiVersion": api, "kind": "TpsContract", "metadata": {"mno": "m"},
            "spec": {"contracts": contracts, "reservations": reservations}}),
        json!({"apiVersion": api, "kind": "Policy", "spec": {"acknowledge": acknowledge}}),
    ])
}

fn contract(number: usize, direction: &str, tps: u32, from: i64, to: Option<i64>) -> Value {
    let mut contract = json!({"ref": format!("C-{number}"), "direction": direction, "contractedTps": tps,
        "effectiveFrom": day(from).to_string(), "document": format!("s3://c/{number}")});
    if let Some(to) = to {
        contract["effectiveTo"] = json!(day(to).to_string());
    }
    contract
}

/// What is told, by day, code and place.
type Told = BTreeSet<(Day, Code, String)>;

/// Straight from the definition: what the check of some day foresees for a later one, and what it finds on a day that it
/// did not find on the day before.
fn day_by_day(objects: &Objects<'_>, policy: &PolicySpec, window: Window) -> Told {
    let carriers = Carriers::new(objects, policy);
    let mut told = Told::new();
    for mno in carriers.ids() {
        let look = |today: Day| -> Told {
            let mut sink = Sink::default();
            carriers.check(mno, today, &mut sink);
            let dated = sink.into_drafts().into_iter().filter_map(|draft| {
                let date = draft.since.map_or(today, |since| since.max(today));
                let silent = acknowledged(draft.code, draft.object.as_deref(), policy, date);
                (!silent).then(|| (date, draft.code, format!("{:?}", draft.primary)))
            });
            dated.collect()
        };
        let mut today = window.from.before();
        let mut before: Option<Told> = None;
        while today <= window.until.unwrap_or(day(LAST)) {
            let found = look(today);
            for (date, code, place) in &found {
                let ongoing = *date == today
                    && before.as_ref().is_none_or(|before| before.contains(&(today.before(), *code, place.clone())));
                if window.contains(*date) && !ongoing {
                    told.insert((*date, *code, place.clone()));
                }
            }
            before = Some(found);
            today = today.after();
        }
    }
    told
}

fn both(files: Vec<Loaded>, window: Window) -> (Told, Told) {
    let ask = |objects: &Objects<'_>, policy: &PolicySpec, _: &_| {
        let events = drift::events(objects, policy, window);
        let listed: Vec<_> = events
            .into_iter()
            // That an acknowledgement ends is no fault of a carrier.
            .filter(|event| event.code != Some(Code::AcknowledgementExpired))
            .map(|event| match event.place {
                Place::Path(_) => (event.date, event.code.unwrap(), format!("{:?}", event.place)),
                place @ Place::Known(_) => panic!("{place:?}"),
            })
            .collect();
        let told: Told = listed.iter().cloned().collect();
        assert_eq!(told.len(), listed.len(), "nothing is told twice");
        (told, day_by_day(objects, policy, window))
    };
    Compiler::asked(files, &options(window.from), ask).1
}

#[test]
fn a_carrier_falls_out_of_contract_as_often_as_it_does() {
    let contracts = [
        contract(1, "OUTBOUND", 100, -300, Some(10)),
        contract(2, "OUTBOUND", 100, 20, Some(30)),
        contract(3, "INBOUND", 100, 40, Some(50)),
    ];
    let out = |from: i64| -> Vec<Day> {
        let window = Window { from: day(from), until: None };
        let (told, _) = both(tree(true, &contracts, &[], &[]), window);
        told.into_iter().filter(|(_, code, _)| *code == Code::NoContractInForce).map(|(day, ..)| day).collect()
    };
    assert_eq!(out(0), [day(10), day(30), day(50)]);
    // Out of contract today, and again later.
    assert_eq!(out(15), [day(30), day(50)]);
    assert_eq!(out(20), [day(30), day(50)]);
}

prop_compose! {
    fn any_tree()(
        active in prop::bool::weighted(0.8),
        contracts in prop::collection::vec((0..4u8, 10..40u32, -20..50i64, prop::option::weighted(0.9, 1..20i64)), 0..5),
        reservations in prop::collection::vec(
            (0..4u8, 1..30u32, prop::option::weighted(0.7, -20..50i64), prop::option::weighted(0.7, 1..20i64)), 0..5),
        acknowledge in prop::collection::vec((prop::sample::select(vec!["BND0606", "BND0607", "BND0608"]), 0..60i64), 0..3),
    ) -> Vec<Loaded> {
        // Mostly outbound: the operator sends.
        let direction = |way: u8| if way == 0 { "INBOUND" } else { "OUTBOUND" };
        let contracts: Vec<Value> = contracts.iter().enumerate()
            .map(|(n, (way, tps, from, length))| contract(n, direction(*way), *tps, *from, length.map(|l| from + l)))
            .collect();
        let reservations: Vec<Value> = reservations.iter().enumerate().map(|(n, (way, tps, from, length))| {
            let mut reservation = json!({"tenant": format!("t-{n}"), "direction": direction(*way), "reservedTps": tps});
            if let Some(from) = from {
                reservation["effectiveFrom"] = json!(day(*from).to_string());
            }
            if let Some(length) = length {
                reservation["effectiveTo"] = json!(day(from.unwrap_or(0) + length).to_string());
            }
            reservation
        }).collect();
        let acknowledge: Vec<Value> = acknowledge.iter()
            .map(|(code, expires)| json!({"code": code, "object": "m", "reason": "known", "expires": day(*expires).to_string()}))
            .collect();
        tree(active, &contracts, &reservations, &acknowledge)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_timeline_tells_what_looking_at_every_day_does(
        files in any_tree(), from in 0..40i64, length in prop::option::of(0..40i64),
    ) {
        let window = Window { from: day(from), until: length.map(|length| day(from + length)) };
        let (told, expected) = both(files, window);
        prop_assert_eq!(told, expected);
    }
}
