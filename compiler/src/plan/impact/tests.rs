//! The sweep held against the definition, number by number; what an empty plan means; what a move means for tenants.

use std::collections::BTreeSet;
use std::sync::Arc;

use bindery_schema::catalog::{Catalog, Mno, Operator};
use bindery_schema::change::CredentialsChange;
use bindery_schema::contract::Direction;
use bindery_schema::impact::{DestinationKind, Impact, TenantReason, ThroughputImpact};
use bindery_schema::operator::RenamedFrom;
use bindery_schema::report::EnvironmentReport;
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

/// One outbound contract after the other: reference, messages a second, first day and the day it ends.
fn terms(contracts: &[(&str, u32, &str, Option<&str>)], reservations: &Value) -> Mno {
    let contract = |(reference, tps, from, to): &(&str, u32, &str, Option<&str>)| {
        let mut contract = json!({"ref": reference, "direction": "OUTBOUND", "contractedTps": tps, "effectiveFrom": from,
            "document": format!("s3://c/{reference}")});
        if let Some(to) = to {
            contract["effectiveTo"] = json!(to);
        }
        contract
    };
    mno(json!({"contracts": contracts.iter().map(contract).collect::<Vec<_>>(), "reservations": reservations}))
}

/// First day, contracted before and after, pool afterwards.
type Told = (String, Option<u32>, Option<u32>, Option<i64>);

fn periods(impact: &Impact) -> Vec<Told> {
    let row = |row: &ThroughputImpact| {
        (row.from.to_string(), row.before.contracted, row.after.contracted, row.after.on_demand_pool)
    };
    impact.throughput.iter().map(row).collect()
}

#[test]
fn throughput_is_told_for_each_period_in_which_it_differs() {
    let shifted =
        |from: &str| terms(&[("C1", 10, "2026-01-01", Some("2027-01-01")), ("C2", 20, from, None)], &json!([]));
    let (before, after) = (catalog([("a", shifted("2027-01-01"))], []), catalog([("a", shifted("2027-02-01"))], []));
    assert_eq!(periods(&blast(&before, &after)), [("2027-01-01".to_owned(), Some(20), None, None)]);

    // What one and the same change makes of other days hides none of them.
    let reserved =
        || json!([{"tenant": "t-1", "direction": "OUTBOUND", "reservedTps": 40, "effectiveFrom": "2026-01-01"}]);
    let two = |now: u32, next: u32| {
        terms(&[("A", now, "2026-01-01", Some("2027-01-01")), ("B", next, "2027-01-01", None)], &reserved())
    };
    let bind = |tps: u32| {
        let mut bind = operator("m", "h", json!([]));
        Arc::make_mut(&mut bind.spec).tps.outbound = tps;
        bind.spec_hash = bindery_schema::hash::operator_spec(&bind.mno, &bind.spec);
        bind
    };
    let side = |now: u32, next: u32, tps: u32| catalog([("m", two(now, next))], [("m-1", bind(tps))]);
    let cut = ("2027-01-01".to_owned(), Some(100), Some(42), Some(2));
    for (after, harmless) in [
        (side(100, 42, 10), None),
        (side(100, 42, 11), Some(("2026-11-24".to_owned(), Some(100), Some(100), Some(60)))),
        (side(101, 42, 10), Some(("2026-11-24".to_owned(), Some(100), Some(101), Some(61)))),
    ] {
        let impact = blast(&side(100, 100, 10), &after);
        let told: Vec<_> = std::iter::once(cut.clone()).chain(harmless).collect();
        assert_eq!(periods(&impact), told, "the worst first");
        assert!(impact.throughput[0].below_minimum);
        let [tenant] = impact.tenants.as_slice() else { panic!("{impact:?}") };
        assert_eq!(
            (tenant.from.to_string().as_str(), tenant.reserved_before, tenant.reserved_after),
            ("2027-01-01", 40, 40)
        );
        assert_eq!(tenant.reasons, [TenantReason::ContractFalls]);
        let report = report(&side(100, 100, 10), &after, now()).unwrap();
        let sentences = crate::plan::blast::sentences(&report);
        assert!(
            sentences.contains(&"1 pool with less on demand: m OUTBOUND 60 -> 2 on 2027-01-01".to_owned()),
            "{sentences:?}"
        );
    }
}

#[test]
fn a_pool_that_runs_low_later_because_of_the_plan_is_told_then() {
    let side = |tps: u32| {
        let later =
            json!([{"tenant": "t-1", "direction": "OUTBOUND", "reservedTps": 40, "effectiveFrom": "2027-03-01"}]);
        catalog([("m", terms(&[("A", tps, "2026-01-01", None)], &later))], [])
    };
    let impact = blast(&side(100), &side(42));
    let rows: Vec<_> = impact.throughput.iter().map(|row| (row.from.to_string(), row.below_minimum)).collect();
    assert_eq!(rows, [("2027-03-01".to_owned(), true), ("2026-11-24".to_owned(), false)]);
    // Today the tenant has nothing to lose yet.
    let [tenant] = impact.tenants.as_slice() else { panic!("{impact:?}") };
    assert_eq!((tenant.from.to_string().as_str(), tenant.reserved_after), ("2027-03-01", 40));
    assert_eq!(tenant.reasons, [TenantReason::ContractFalls]);
}

#[test]
fn a_reservation_that_rises_first_and_falls_later_is_told_by_its_fall() {
    let side = |now: u32, next: u32| {
        let reservation = |tps: u32| json!({"tenant": "t-1", "direction": "OUTBOUND", "reservedTps": tps});
        let mut two = json!([reservation(now), reservation(next)]);
        two[0]["effectiveFrom"] = json!("2026-01-01");
        two[0]["effectiveTo"] = json!("2027-01-01");
        two[1]["effectiveFrom"] = json!("2027-01-01");
        catalog([("m", terms(&[("A", 100, "2026-01-01", None)], &two))], [])
    };
    let impact = blast(&side(40, 40), &side(41, 5));
    let [tenant] = impact.tenants.as_slice() else { panic!("{impact:?}") };
    assert_eq!(tenant.reasons, [TenantReason::ReservationFalls, TenantReason::ReservationRises]);
    assert_eq!(
        (tenant.from.to_string().as_str(), tenant.reserved_before, tenant.reserved_after),
        ("2027-01-01", 40, 5)
    );
}

#[test]
fn a_reservation_without_an_end_lasts_as_long_as_contracts_do() {
    let open = json!([{"tenant": "t-1", "direction": "OUTBOUND", "reservedTps": 40, "effectiveFrom": "2026-01-01"}]);
    let first = ("A", 100, "2026-01-01", Some("2027-01-01"));
    let before = catalog([("m", terms(&[first], &open))], []);
    let after = catalog([("m", terms(&[first, ("B", 100, "2028-01-01", Some("2029-01-01"))], &open))], []);
    let impact = blast(&before, &after);
    let rows: Vec<_> =
        impact.throughput.iter().map(|row| (row.from.to_string(), row.before.reserved, row.after.reserved)).collect();
    assert_eq!(rows, [("2028-01-01".to_owned(), 0, 40)], "neither behind the last contract nor in the gap");
    let [tenant] = impact.tenants.as_slice() else { panic!("{impact:?}") };
    assert_eq!((tenant.from.to_string(), tenant.reserved_before, tenant.reserved_after), ("2028-01-01".into(), 0, 40));
    assert_eq!(tenant.reasons, [TenantReason::ReservationRises]);
    // Where the contract ends sooner, so does what is reserved of it.
    let sooner = catalog([("m", terms(&[("A", 100, "2026-01-01", Some("2026-12-01"))], &open))], []);
    let impact = blast(&before, &sooner);
    let [row] = impact.throughput.as_slice() else { panic!("{impact:?}") };
    assert_eq!((row.from.to_string(), row.before.reserved, row.after.reserved), ("2026-12-01".into(), 40, 0));
}

#[test]
fn many_periods_of_one_carrier_crowd_out_no_other() {
    let side = |tps: u32| {
        let steps: Vec<Value> = (0..60)
            .map(|n| {
                let day = format!("2027-{:02}-{:02}", 1 + n / 28, 1 + n % 28);
                json!({"tenant": format!("t-{n}"), "direction": "OUTBOUND", "reservedTps": tps, "effectiveFrom": day})
            })
            .collect();
        let busy = terms(&[("A", 1_000, "2026-01-01", None)], &json!(steps));
        let calm = terms(&[("B", 100 - tps, "2026-01-01", None)], &json!([]));
        catalog([("busy", busy), ("calm", calm)], [])
    };
    let report = report(&side(1), &side(2), now()).unwrap();
    let of = |mno: &str| report.impact.throughput.iter().filter(|row| row.mno.as_str() == mno).count();
    assert_eq!((of("busy"), of("calm")), (24, 1));
    let tables = crate::plan::blast::tables(&report.impact);
    let throughput = tables.iter().find(|table| table.title == "Throughput").unwrap();
    let carriers: Vec<&str> = throughput.rows.iter().map(|row| row[0].as_str()).take(3).collect();
    assert_eq!(carriers, ["busy", "calm", "busy"]);
    assert!(throughput.rows[0].contains(&"2027-03-04".to_owned()), "{:?}", throughput.rows[0]);
    assert_eq!(report.impact.tenants.len(), 60, "tenants of periods that are not told are");
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
    assert_eq!((report.counts.now.updated, report.impact.destinations.len()), (5_000, 50_000));
    for budget in [SMALLEST, 10_000, DEFAULT_BUDGET] {
        let text = Comment { findings: Vec::new(), report: Ok(&report), remarks: &[] }.render(budget);
        assert!(text.len() <= budget, "{} of {budget}", text.len());
        assert!(text.starts_with(MARKER) && text.contains("Bindery-Allow: "), "{text}");
        let worst = text.find("1 destination is served by nobody any more: +7\n").expect("the worst is said");
        assert!(text.find("destinations change carrier").is_none_or(|next| worst < next), "{text}");
        assert!(text.contains(&format!("Left out to stay below {budget} bytes: ")), "{text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        assert!(text.matches("```").count().is_multiple_of(2));
    }
}

#[test]
fn the_worst_is_said_whatever_else_there_is_to_say() {
    // Names as long as they may be.
    let long = |n: usize| format!("{}-{n:03}", "o".repeat(59));
    let ids: Vec<String> = (0..600).map(long).collect();
    let carriers: Vec<String> = (0..20).map(|n| format!("{}-{n:02}", "m".repeat(60))).collect();
    let bind = |n: usize, id: &str| {
        (
            id.to_owned(),
            operator(&carriers[n % 20], &format!("h{n}.example"), json!([rule(&format!("+9{n:04}"), "0.01")])),
        )
    };
    let with = |kept: usize, host: &str| {
        let made: Vec<(String, Operator)> = ids[..kept].iter().enumerate().map(|(n, id)| bind(n, id)).collect();
        let mut moved = made.clone();
        for (_, operator) in moved.iter_mut().take(100) {
            Arc::make_mut(&mut operator.spec).smpp.host = host.parse().unwrap();
            operator.spec_hash = bindery_schema::hash::operator_spec(&operator.mno, &operator.spec);
        }
        let reserved: Vec<Value> = (0..20)
            .map(|n| json!({"tenant": format!("t-{n}"), "direction": "OUTBOUND", "reservedTps": 1, "effectiveFrom": "2026-01-01"}))
            .collect();
        let mno = || terms(&[("A", 1_000, "2026-01-01", None)], &json!(reserved));
        let mnos: Vec<(&str, Mno)> = carriers.iter().filter(|_| kept > 100).map(|id| (id.as_str(), mno())).collect();
        catalog(mnos, moved.iter().map(|(id, operator)| (id.as_str(), operator.clone())))
    };
    let mut before = with(600, "a.example");
    before.policy.guardrails.protect.extend(ids.iter().cloned().chain(carriers.iter().cloned()));
    let mut after = with(100, "b.example");
    after.policy.guardrails.max_deletes.count = 1_000;
    let mut report = report(&before, &after, now()).unwrap();
    assert_eq!(report.plan.holds.iter().filter(|hold| hold.guardrail == "guardrails.protect").count(), 3);
    assert!(report.loosened.len() > 600, "{}", report.loosened.len());
    let findings: Vec<String> =
        (0..100).map(|n| format!("operators/a.yaml:{n}:1: warning {}", "x".repeat(90))).collect();
    for budget in (SMALLEST..6_100).step_by(100) {
        let text = Comment { findings: findings.clone(), report: Ok(&report), remarks: &[] }.render(budget);
        assert!(text.len() <= budget, "{} of {budget}", text.len());
        let worst = text.find("500 destinations are served by nobody any more: +90100, ").expect("the worst is said");
        for list in ["**Findings**", "**Destinations**", "Full plan"] {
            assert!(text.find(list).is_none_or(|at| worst < at), "{list} before the worst at {budget}");
        }
        let loosened = text.find("**This change makes the policy less strict**").expect("it is said");
        assert!(loosened < worst && text.contains("and 615 more (620 in all)"), "{text}");
    }
    // Not even so many environments push it out.
    let environment = |n: usize| EnvironmentReport {
        name: format!("environment-{n}"),
        counts: report.counts.now,
        unchanged: 0,
        hash: report.plan.hash,
        holds: report.plan.holds.clone(),
        trailer: report.trailer.clone(),
    };
    let environments = (0..300).map(environment).collect();
    report.environments = environments;
    for budget in [SMALLEST, 4_000, DEFAULT_BUDGET] {
        let text = Comment { findings: findings.clone(), report: Ok(&report), remarks: &[] }.render(budget);
        assert!(text.len() <= budget, "{} of {budget}", text.len());
        for part in ["guardrails.maxDeletes.count", "(620 in all)", "500 destinations are served by nobody any more"] {
            assert!(text.contains(part), "{part} at {budget}");
        }
    }
    report.environments.clear();
    let all = Comment { findings, report: Ok(&report), remarks: &[] }.render(10_000_000);
    assert!(all.matches("- `guardrails.protect`: the plan").count() == 3, "one line each");
    let last_operator = all.rfind("\n- operator ").unwrap();
    assert!(last_operator < all.find("reservations - OUTBOUND").unwrap(), "operators come before what was reserved");
}
