//! The table against the obvious way of doing it, on thousands of numbers.

use std::sync::Arc;

use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::hash;
use bindery_schema::operator::{OperatorSpec, Status};
use bindery_schema::routes::Rule;
use bindery_schema::value::E164Prefix;
use jiff::Timestamp;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::{Reason, Table, trace};

fn spec(status: Status) -> OperatorSpec {
    let mut spec: OperatorSpec = serde_json::from_value(serde_json::json!({
        "displayName": "bind", "smpp": {"host": "smsc.example", "port": 2775, "systemId": "sys"}, "tps": {"outbound": 1},
    }))
    .unwrap();
    spec.status = status;
    spec
}

fn rule(digits: &str, priority: u16, weight: u16, active: bool) -> Rule {
    let prefix = E164Prefix::from_digits(digits).unwrap();
    Rule { prefix, priority, weight, cost: None, active, narrows: None, split: None }
}

fn catalog(operators: Vec<(Status, Vec<Rule>)>) -> Catalog {
    let mut catalog = Catalog::default();
    for (number, (status, mut rules)) in operators.into_iter().enumerate() {
        rules.sort_by_key(|rule| rule.prefix);
        let (mno, spec) = ("carrier".parse().unwrap(), spec(status));
        let operator = Operator {
            spec_hash: hash::operator_spec(&mno, &spec),
            routes_hash: hash::routes(&rules),
            mno,
            renamed_from: None,
            spec: Arc::new(spec),
            rules: rules.into(),
            credentials_hash: None,
            source: "".into(),
            routes_source: None,
        };
        catalog.operators.insert(format!("op-{number}").parse().unwrap(), Arc::new(operator));
    }
    catalog
}

/// Operator and digits of each rule, sorted.
type Rules = Vec<(String, String)>;

/// Winners and losers: every rule of every operator looked at for every number.
fn naive(number: &str, catalog: &Catalog) -> (Rules, Rules) {
    let mut matching = Vec::new();
    for (id, operator) in &catalog.operators {
        for rule in operator.rules.iter().filter(|rule| number.starts_with(&rule.prefix.digits())) {
            matching.push((id.to_string(), operator.spec.status == Status::Active && rule.active, rule));
        }
    }
    let active = || matching.iter().filter(|(_, active, _)| *active).map(|(_, _, rule)| *rule);
    let longest = active().map(|rule| rule.prefix.len()).max();
    let priority = active().filter(|rule| Some(rule.prefix.len()) == longest).map(|rule| rule.priority).min();
    let wins = |active: bool, rule: &Rule| {
        active && Some(rule.prefix.len()) == longest && Some(rule.priority) == priority && rule.weight > 0
    };
    let (mut routes, mut rejected) = (Vec::new(), Vec::new());
    for (id, active, rule) in matching {
        let list = if wins(active, rule) { &mut routes } else { &mut rejected };
        list.push((id, rule.prefix.digits()));
    }
    routes.sort();
    rejected.sort();
    (routes, rejected)
}

/// Three digits make nesting, equal prefixes and misses all common.
fn digits(longest: usize) -> impl Strategy<Value = String> {
    (1..=3u8, vec(1..=3u8, 0..longest))
        .prop_map(|(first, rest)| std::iter::once(first).chain(rest).map(|digit| char::from(b'0' + digit)).collect())
}

fn operators() -> impl Strategy<Value = Vec<(Status, Vec<Rule>)>> {
    let rules = btree_set(digits(7), 0..40).prop_flat_map(|prefixes| {
        let count = prefixes.len();
        (Just(prefixes), vec((1..3u16, 0..3u16, prop::bool::weighted(0.9)), count)).prop_map(|(prefixes, rest)| {
            prefixes
                .iter()
                .zip(rest)
                .map(|(digits, (priority, weight, on))| rule(digits, priority, weight, on))
                .collect()
        })
    });
    let status = prop_oneof![9 => Just(Status::Active), 1 => Just(Status::Inactive)];
    vec((status, rules), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_table_agrees_with_looking_at_every_rule(operators in operators(), numbers in vec(digits(14), 100)) {
        let catalog = catalog(operators);
        let at = Timestamp::UNIX_EPOCH;
        let table = Table::new(&catalog, at);
        for number in numbers {
            let found = trace(E164Prefix::from_digits(&number).unwrap(), &table, &catalog, at);
            let mut routes: Vec<_> = found.routes.iter().map(|r| (r.operator.to_string(), r.prefix.digits())).collect();
            let mut rejected: Vec<_> =
                found.rejected.iter().map(|r| (r.operator.to_string(), r.prefix.digits())).collect();
            prop_assert!(found.rejected.iter().map(|r| r.prefix.len()).is_sorted_by(|a, b| a >= b));
            routes.sort();
            rejected.sort();
            prop_assert_eq!((routes, rejected), naive(&number, &catalog), "{}", number);
        }
    }
}

#[test]
fn each_loser_has_its_own_reason() {
    let catalog = catalog(vec![
        (Status::Active, vec![rule("93", 1, 1, true), rule("9379", 10, 7, true)]),
        (Status::Active, vec![rule("9379", 10, 0, true), rule("93791", 1, 1, false)]),
        (Status::Active, vec![rule("9379", 20, 1, true)]),
        (Status::Inactive, vec![rule("937912", 1, 1, true)]),
    ]);
    let at = Timestamp::UNIX_EPOCH;
    let table = Table::new(&catalog, at);
    let number = "+93791234567".parse().unwrap();
    let found = trace(number, &table, &catalog, at);
    assert_eq!(found.routes.iter().map(|route| route.operator.as_str()).collect::<Vec<_>>(), ["op-0"]);
    let reasons: Vec<_> = found.rejected.iter().map(|rejected| rejected.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::OperatorInactive,
            Reason::RuleInactive,
            Reason::NoWeight,
            Reason::HigherPriority,
            Reason::ShorterPrefix
        ]
    );
}
