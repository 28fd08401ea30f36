use std::sync::Arc;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const OPERATORS: [&str; 3] = ["op-a", "op-b", "op-c"];

fn documents(objects: Vec<Value>) -> String {
    objects.into_iter().map(|object| object.to_string()).collect::<Vec<_>>().join("\n---\n")
}

fn loaded(path: &str, text: String) -> Loaded {
    Loaded { path: path.into(), blob: None, content: Content::Text(text.into()) }
}

/// What one operator says: its status, and its rules by digits.
#[derive(Debug, Clone)]
struct Bind {
    active: bool,
    port: u16,
    rules: Vec<Value>,
    /// What is written instead of the first such text, where the file is spoilt.
    spoilt: Option<(&'static str, &'static str)>,
}

/// Ways to spoil a file: what it says is known in part, or not at all.
const SPOILT: [(&str, &str); 9] = [
    (r#""kind":"Routes""#, r#""kid":"Routes""#),
    (r#""kind":"Operator""#, r#""kind":"Opera""#),
    (r#""status":"#, r#""stats":"#),
    (r#""id":"op"#, r#""id":"OP"#),
    (r#""operator":"op"#, r#""operator":"OP"#),
    (r#""prefix":"+"#, r#""prefix":""#),
    (r#""active":"#, r#""activ":"#),
    (r#""weight":"#, r#""weigh":"#),
    (r#""rules":["#, r#""rules":[["#),
];

fn rule() -> impl Strategy<Value = Value> {
    let parts = ("[1-2]{1,4}", 0u16..2, 0u16..2, any::<bool>(), of(1usize..4), of(Just("shared")));
    parts.prop_map(|(digits, priority, weight, active, narrows, split)| {
        let mut rule =
            json!({"prefix": format!("+{digits}"), "priority": priority, "weight": weight, "active": active});
        if let Some(length) = narrows {
            rule["narrows"] = format!("+{}", &digits[..length.min(digits.len())]).into();
        }
        if let Some(split) = split {
            rule["split"] = split.into();
        }
        rule
    })
}

fn bind() -> impl Strategy<Value = Bind> {
    // Few rules, so that trees without a finding are among them.
    let spoilt = prop::option::weighted(0.2, prop::sample::select(SPOILT.to_vec()));
    let parts = (any::<bool>(), 2775u16..2777, vec(rule(), 0..4), spoilt);
    parts.prop_map(|(active, port, rules, spoilt)| Bind { active, port, rules, spoilt })
}

fn tree(binds: &[Bind], nesting: (&str, &str)) -> Vec<Loaded> {
    let api = "bindery/v1";
    let mno = json!({"apiVersion": api, "kind": "Mno", "metadata": {"id": "mno-a"}, "spec": {
        "name": "A", "country": "AF", "contacts": {"t1": [{"name": "NOC"}]}}});
    let mut files = vec![loaded("operators/a/mno.yaml", documents(vec![mno]))];
    for (id, bind) in OPERATORS.iter().zip(binds) {
        let operator = json!({"apiVersion": api, "kind": "Operator", "metadata": {"id": id, "mno": "mno-a"}, "spec": {
            "displayName": id, "status": if bind.active { "ACTIVE" } else { "INACTIVE" },
            "smpp": {"host": format!("{id}.example"), "port": bind.port, "systemId": id},
            "tps": {"outbound": 10}}});
        let routes = json!({"apiVersion": api, "kind": "Routes", "metadata": {"operator": id},
            "spec": {"rules": bind.rules}});
        let mut text = documents(vec![operator, routes]);
        if let Some((old, new)) = bind.spoilt {
            text = text.replacen(old, new, 1);
        }
        files.push(loaded(&format!("operators/a/{id}.yaml"), text));
    }
    let policy = json!({"apiVersion": api, "kind": "Policy", "spec": {
        "routing": {"sameOperatorNesting": nesting.0, "crossOperatorNesting": nesting.1}}});
    files.push(loaded("policy.yaml", documents(vec![policy])));
    files
}

fn options() -> Options {
    Options { now: "2026-06-01T00:00:00Z".parse().unwrap(), environment: None }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_later_tree_is_seen_as_if_it_were_the_first(
        first in vec(bind(), 3),
        changed in vec((0usize..3, bind()), 1..4),
        nesting in (prop::sample::select(vec!["allow", "declared", "deny"]), prop::sample::select(vec!["allow", "declared"])),
    ) {
        let mut compiler = Compiler::default();
        let mut binds = first;
        compiler.compile(tree(&binds, nesting), &options());
        for (number, bind) in changed {
            binds[number] = bind;
            let after = compiler.compile(tree(&binds, nesting), &options());
            let alone = Compiler::default().compile(tree(&binds, nesting), &options());
            prop_assert_eq!(&after.findings, &alone.findings);
            prop_assert_eq!(&after.catalog, &alone.catalog);
        }
    }
}

#[test]
fn what_did_not_change_is_shared_with_the_tree_before() {
    let bind = |rules: Value| Bind { active: true, port: 2775, rules: rules.as_array().unwrap().clone(), spoilt: None };
    let mut binds = vec![bind(json!([{"prefix": "+1"}])), bind(json!([{"prefix": "+2"}])), bind(json!([]))];
    let mut compiler = Compiler::default();
    let before = compiler.compile(tree(&binds, ("deny", "allow")), &options());
    assert_eq!(before.error_count(), 0);
    binds[1].rules.push(json!({"prefix": "+3"}));
    let after = compiler.compile(tree(&binds, ("deny", "allow")), &options());
    let shared = |id: &str| {
        let of = |compiled: &Compiled| compiled.catalog.operators[id].clone();
        Arc::ptr_eq(&of(&before), &of(&after))
    };
    assert_eq!(OPERATORS.map(shared), [true, false, true]);
}

#[test]
fn an_environment_is_compared_with_itself_and_shares_what_it_does_not_touch() {
    let with = |compiler: &mut Compiler, host: &str, tps: u32| {
        let rules = || vec![json!({"prefix": "+1", "split": "s"})];
        let bind = || Bind { active: true, port: 2775, rules: rules(), spoilt: None };
        let mut files = tree(&[bind(), bind(), bind()], ("deny", "allow"));
        let operator = json!({"apiVersion": "bindery/v1", "kind": "Operator", "metadata": {"id": "op-d", "mno": "mno-a"},
            "spec": {"displayName": "d", "tps": {"outbound": tps},
                "smpp": {"host": "d.example", "port": 2775, "systemId": "d"},
                "environments": {"lab": {"tps": {"outbound": 5}}, "prod": {"smpp": {"host": host}}}}});
        files.push(loaded("operators/d.yaml", documents(vec![operator])));
        compiler.compile(files, &options())
    };
    let mut compiler = Compiler::default();
    assert!(with(&mut compiler, "a.example", 10).laid_over.is_empty(), "nobody asked");
    compiler.everywhere();
    let before = with(&mut compiler, "a.example", 10);
    assert_eq!(before.error_count(), 0, "{:?}", before.findings);
    let of = |compiled: &Compiled, environment: &str, id: &str| compiled.laid_over[environment].operators[id].clone();
    assert!(Arc::ptr_eq(&of(&before, "prod", "op-a"), &before.catalog.operators["op-a"]));
    assert!(!Arc::ptr_eq(&of(&before, "prod", "op-d"), &before.catalog.operators["op-d"]));

    let told = |after: &Compiled| {
        let (old, new) = (before.catalogs().unwrap(), after.catalogs().unwrap());
        let report = crate::plan::report_everywhere(old, new, options().now).unwrap();
        let one = |e: &bindery_schema::report::EnvironmentReport| {
            (e.name.clone(), e.counts.updated, e.unchanged, e.holds.len())
        };
        (report.plan.operators.len(), report.environments.iter().map(one).collect::<Vec<_>>())
    };
    assert_eq!(told(&with(&mut compiler, "a.example", 10)), (0, vec![]));
    // One of four is not more than a quarter; twenty-five percent of them may move.
    assert_eq!(told(&with(&mut compiler, "b.example", 10)), (0, vec![("prod".to_owned(), 1, 0, 0)]));
    assert_eq!(told(&with(&mut compiler, "a.example", 11)), (1, vec![("lab".to_owned(), 0, 1, 0)]));
    let both = vec![("lab".to_owned(), 0, 1, 0), ("prod".to_owned(), 1, 0, 0)];
    assert_eq!(told(&with(&mut compiler, "b.example", 11)), (1, both));
}

#[test]
fn rules_and_contracts_are_known_by_the_file_they_stand_in() {
    let api = "bindery/v1";
    let mut files = tree(&[Bind { active: true, port: 2775, rules: Vec::new(), spoilt: None }], ("deny", "allow"));
    let routes = json!({"apiVersion": api, "kind": "Routes", "metadata": {"operator": "op-b"}, "spec": {"rules": []}});
    let operator = json!({"apiVersion": api, "kind": "Operator", "metadata": {"id": "op-b", "mno": "mno-a"}, "spec": {
        "displayName": "B", "smpp": {"host": "b.example", "port": 1, "systemId": "b"}, "tps": {"outbound": 1}}});
    let contracts = json!({"apiVersion": api, "kind": "TpsContract", "metadata": {"mno": "mno-a"},
        "spec": {"contracts": []}});
    files.push(loaded("operators/b.yaml", documents(vec![operator])));
    let mut compiler = Compiler::default();
    let mut sources = |extra: Vec<Loaded>| {
        let catalog = compiler.compile(files.iter().cloned().chain(extra).collect(), &options()).catalog;
        let sources = ["op-a", "op-b"].map(|id| catalog.operators[id].routes_source.clone());
        (sources, catalog.mnos["mno-a"].contracts_source.clone())
    };
    let with_operator = || Some(Arc::from("operators/a/op-a.yaml"));
    assert_eq!(sources(Vec::new()), ([with_operator(), None], None));
    for path in ["operators/b.routes.yaml", "operators/c.routes.yaml"] {
        let extra = vec![
            loaded(path, documents(vec![routes.clone()])),
            loaded("contracts/a.yaml", documents(vec![contracts.clone()])),
        ];
        let found = sources(extra);
        assert_eq!(found, ([with_operator(), Some(path.into())], Some("contracts/a.yaml".into())));
    }
}
