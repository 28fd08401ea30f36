//! The sweep held against the definition, number by number; what an empty plan means; what a move means for tenants.

use std::collections::BTreeSet;

use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::change::CredentialsChange;
use bindery_schema::contract::Direction;
use bindery_schema::impact::{DestinationKind, Impact, TenantReason};
use bindery_schema::operator::RenamedFrom;
use bindery_schema::value::{Day, E164Prefix};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::plan::markdown::{Comment, DEFAULT_BUDGET, MARKER, SMALLEST};
use crate::plan::report;
use crate::plan::sample::{catalog, mno, operator};

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn blast(before: &Catalog, after: &Catalog) -> Impact {
    report(before, after, now()).unwrap().impact
}

fn rule(prefix: &str, cost: &str) -> Value {
    json!({"prefix": prefix, "cost": {"amount": cost, "currency": "USD"}})
}

#[test]
fn a_narrower_rule_takes_from_a_broader_one_and_gives_back_what_it_took() {
    let broad = operator("a", "h1", json!([rule("+93", "0.01")]));
    let before = catalog([], [("a-1", broad.clone())]);
    let narrow = operator("b", "h2", json!([rule("+9379", "0.0125")]));
    let after = catalog([], [("a-1", broad), ("b-1", narrow)]);
    let impact = blast(&before, &after);
    let [change] = impact.destinations.as_slice() else { panic!("{impact:?}") };
    assert_eq!((change.prefix.to_string(), change.kind), ("+9379".to_owned(), DestinationKind::Carrier));
    assert_eq!((change.taken_from.unwrap().to_string(), change.cost_change_percent), ("+93".to_owned(), Some(25.0)));
    let impact = blast(&after, &before);
    let [change] = impact.destinations.as_slice() else { panic!("{impact:?}") };
    assert_eq!((change.kind, change.taken_from), (DestinationKind::Carrier, None));
    assert_eq!(change.after.as_ref().unwrap().rule.to_string(), "+93");
}

#[test]
fn a_split_costs_its_weighted_mean_and_a_rename_changes_nothing() {
    let half = |mno: &str, host: &str, weight: u16, cost: &str| {
        operator(
            mno,
            host,
            json!([{"prefix": "+93", "weight": weight, "split": "s", "cost": {"amount": cost, "currency": "USD"}}]),
        )
    };
    let before = catalog([], [("a-1", half("a", "h1", 1, "0.01")), ("b-1", half("b", "h2", 3, "0.02"))]);
    let mut other = half("b", "h2", 9, "0.02");
    other.renamed_from = Some(RenamedFrom {
        id: "b-1".parse().unwrap(),
        effective_at: "2026-11-24T11:00:00Z".parse().unwrap(),
        drain_seconds: 120,
    });
    let proportion = catalog([], [("a-1", half("a", "h1", 3, "0.01")), ("b-2", other.clone())]);
    assert!(blast(&before, &proportion).destinations.is_empty());
    let shifted = catalog([], [("a-1", half("a", "h1", 1, "0.01")), ("b-2", other)]);
    let impact = blast(&before, &shifted);
    let [change] = impact.destinations.as_slice() else { panic!("{impact:?}") };
    assert_eq!(change.kind, DestinationKind::Share);
    let cost = |served: &Option<bindery_schema::impact::Served>| served.as_ref().unwrap().cost.unwrap().to_string();
    assert_eq!((cost(&change.before), cost(&change.after)), ("0.0175 USD".to_owned(), "0.019 USD".to_owned()));
}

#[test]
fn tenants_hear_of_what_their_carrier_loses() {
    let terms = |contracted: u32, reserved: u32| {
        mno(json!({
            "contracts": [{"ref": "C1", "direction": "OUTBOUND", "contractedTps": contracted, "effectiveFrom": "2026-01-01",
                "document": "s3://c/c1.pdf"}],
            "reservations": [
                {"tenant": "t1", "direction": "OUTBOUND", "reservedTps": reserved, "effectiveFrom": "2026-01-01"},
                {"tenant": "gone", "direction": "OUTBOUND", "reservedTps": 1, "effectiveFrom": "2026-01-01",
                    "effectiveTo": "2026-02-01"}],
        }))
    };
    let before = catalog([("a", terms(100, 50))], [("a-1", operator("a", "h1", json!([rule("+93", "1")])))]);
    let after = catalog([("a", terms(80, 75))], []);
    let impact = blast(&before, &after);
    assert_eq!(impact.destinations[0].kind, DestinationKind::Unserved);
    let [throughput] = impact.throughput.as_slice() else { panic!("{impact:?}") };
    assert_eq!((throughput.direction, throughput.from), (Direction::Outbound, Day::of(now())));
    assert_eq!((throughput.before.on_demand_pool, throughput.after.on_demand_pool), (Some(50), Some(5)));
    assert!(throughput.below_minimum && (throughput.before.binds, throughput.after.binds) == (50, 0));
    let [tenant] = impact.tenants.as_slice() else { panic!("{impact:?}") };
    assert_eq!(
        tenant.reasons,
        [
            TenantReason::ContractFalls,
            TenantReason::DestinationsLeave,
            TenantReason::BindsFall,
            TenantReason::ReservationRises
        ]
    );
    assert_eq!(impact.credentials[0].change, CredentialsChange::Delete);
}

#[test]
fn throughput_is_told_for_the_first_day_it_differs() {
    let terms = |from: &str| {
        mno(json!({"contracts": [
            {"ref": "C1", "direction": "INBOUND", "contractedTps": 10, "effectiveFrom": "2026-01-01",
                "effectiveTo": "2027-01-01", "document": "s3://c/1"},
            {"ref": "C2", "direction": "INBOUND", "contractedTps": 20, "effectiveFrom": from, "document": "s3://c/2"}]}))
    };
    let impact = blast(&catalog([("a", terms("2027-01-01"))], []), &catalog([("a", terms("2027-02-01"))], []));
    let [throughput] = impact.throughput.as_slice() else { panic!("{impact:?}") };
    assert_eq!((throughput.direction, throughput.from.to_string().as_str()), (Direction::Inbound, "2027-01-01"));
    assert_eq!((throughput.before.contracted, throughput.after.contracted), (Some(20), None));
}

/// Who serves a number, straight from the definition.
fn serving(catalog: &Catalog, number: &str) -> BTreeSet<(String, u16)> {
    let number = E164Prefix::from_digits(number).unwrap();
    let rules = || {
        let of = |(id, operator): (&bindery_schema::value::OperatorId, &std::sync::Arc<Operator>)| {
            let id = id.to_string();
            operator.rules.iter().map(move |rule| (id.clone(), rule.clone())).collect::<Vec<_>>()
        };
        catalog.operators.iter().flat_map(of).filter(|(_, rule)| rule.active && rule.prefix.contains(number))
    };
    let longest = rules().map(|(_, rule)| rule.prefix.len()).max();
    let at_longest = || rules().filter(|(_, rule)| Some(rule.prefix.len()) == longest);
    let priority = at_longest().map(|(_, rule)| rule.priority).min();
    at_longest().filter(|(_, r)| Some(r.priority) == priority && r.weight > 0).map(|(id, r)| (id, r.weight)).collect()
}

prop_compose! {
    fn network()(
        operators in prop::collection::vec(
            prop::collection::btree_map("9[12]{0,3}", (1..3u16, 0..3u16, prop::bool::weighted(0.8)), 0..8), 0..4),
    ) -> Catalog {
        let made: Vec<(String, Operator)> = operators.into_iter().enumerate().map(|(n, rules)| {
            let rules: Vec<Value> = rules.into_iter().map(|(digits, (priority, weight, active))| {
                json!({"prefix": format!("+{digits}"), "priority": priority, "weight": weight, "active": active})
            }).collect();
            (format!("o-{n}"), operator(&format!("m-{}", n % 2), &format!("h{n}"), json!(rules)))
        }).collect();
        catalog([], made.iter().map(|(id, operator)| (id.as_str(), operator.clone())))
    }
}

proptest! {
    #[test]
    fn every_destination_that_moves_is_named_and_no_other(before in network(), after in network()) {
        let impact = blast(&before, &after);
        // Numbers of four digits: each lies below exactly one narrowest prefix of either side.
        for number in 0..1000 {
            let digits = format!("9{number:03}");
            let (old, new) = (serving(&before, &digits), serving(&after, &digits));
            let number = E164Prefix::from_digits(&digits).unwrap();
            let region = before.operators.values().chain(after.operators.values())
                .flat_map(|operator| operator.rules.iter().filter(|rule| rule.active))
                .map(|rule| rule.prefix).filter(|prefix| prefix.contains(number)).max_by_key(|prefix| prefix.len());
            let found = impact.destinations.iter().find(|impact| Some(impact.prefix) == region);
            let ids = |set: &BTreeSet<(String, u16)>| set.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
            match found {
                None => prop_assert_eq!(ids(&old), ids(&new)),
                Some(found) => {
                    prop_assert_ne!(&old, &new);
                    let named = |served: &Option<bindery_schema::impact::Served>| -> BTreeSet<(String, u16)> {
                        served.iter().flat_map(|s| &s.operators).map(|s| (s.operator.to_string(), s.weight)).collect()
                    };
                    prop_assert_eq!(named(&found.before), old);
                    prop_assert_eq!(named(&found.after), new);
                }
            }
        }
    }

    #[test]
    fn nothing_changes_nothing(catalog in network()) {
        let report = report(&catalog, &catalog, now()).unwrap();
        prop_assert!(report.is_empty() && report.impact.is_empty());
    }
}

#[test]
fn a_comment_on_a_change_of_5000_operators_fits_and_says_the_worst_first() {
    let network = |side: usize| {
        let made: Vec<(String, Operator)> = (0..5_000)
            .map(|n| {
                let rules: Vec<Value> = (0..10)
                    // One operator loses its broadest destination, every other one gets dearer or moves.
                    .filter(|k| side == 0 || n != 4_321 || *k != 0)
                    .map(|k| {
                        let digits = if n == 4_321 && k == 0 { "+7".to_owned() } else { format!("+9{n:04}{k}") };
                        rule(&digits, if side == 0 { "0.01" } else { "0.02" })
                    })
                    .collect();
                let carrier = if side == 1 && n % 10 == 0 { "m-other".to_owned() } else { format!("m-{}", n % 50) };
                (format!("o-{n:04}"), operator(&carrier, &format!("h{side}-{n}"), json!(rules)))
            })
            .collect();
        catalog([], made.iter().map(|(id, operator)| (id.as_str(), operator.clone())))
    };
    let (before, after) = (network(0), network(1));
    let report = report(&before, &after, now()).unwrap();
    assert_eq!((report.counts.updated, report.impact.destinations.len()), (5_000, 50_000));
    for budget in [SMALLEST, 10_000, DEFAULT_BUDGET] {
        let text = Comment { findings: Vec::new(), report: Ok(&report) }.render(budget);
        assert!(text.len() <= budget, "{} of {budget}", text.len());
        assert!(text.starts_with(MARKER) && text.contains("Bindery-Allow: "), "{text}");
        let worst = text.find("1 destination is served by nobody any more: +7\n").expect("the worst is said");
        assert!(text.find("destinations change carrier").is_none_or(|next| worst < next), "{text}");
        assert!(text.contains(&format!("Left out to stay below {budget} bytes: ")), "{text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        assert!(text.matches("```").count().is_multiple_of(2));
    }
}
