use serde_json::{Value, json};

use super::*;

const SEALED: &str = "-----BEGIN AGE-----\nYWJj\n-----END AGE-----\n";

fn id() -> OperatorId {
    "af-one-1".parse().unwrap()
}

fn operator(rest: &str) -> String {
    format!(
        "# head\napiVersion: bindery/v1\nkind: Operator\nmetadata:\n  id: af-one-1 # this one\nspec:\n  tps: {{outbound: 5}}\n{rest}"
    )
}

fn check(rest: &str, expected: &str) {
    assert_eq!(set_sealed(&operator(rest), &id(), SEALED).unwrap(), operator(expected));
}

fn routes(rules: &str) -> String {
    format!("apiVersion: bindery/v1\nkind: Routes\nmetadata:\n  operator: af-one-1\nspec:\n{rules}")
}

/// A patch of an operator's spec, in block style and in every other way a text may differ.
fn patched(before: &str, patch: &Value, after: &str) {
    let edited = merge(&operator(before), &Object::Operator(&id()), &json!({"spec": patch})).unwrap();
    assert_eq!(edited, operator(after));
    let crlf = |text: &str| format!("\u{feff}{}", operator(text).replace('\n', "\r\n"));
    let edited = merge(&crlf(before), &Object::Operator(&id()), &json!({"spec": patch})).unwrap();
    assert_eq!(edited, crlf(after));
    let around = |text: &str| format!("---\nkind: Mno\n...\n--- # two\n{}---\nkind: Policy\n", operator(text));
    let edited = merge(&around(before), &Object::Operator(&id()), &json!({"spec": patch})).unwrap();
    assert_eq!(edited, around(after));
}

#[test]
fn a_password_joins_whatever_is_there() {
    let block = "  credentials:\n    sealed: |\n      -----BEGIN AGE-----\n      YWJj\n      -----END AGE-----\n";
    for rest in ["", "  credentials:\n", "  credentials: {}\n", "  credentials: ~\n"] {
        check(rest, block);
    }
    check("\n# tail\n---\nkind: Mno\n", &format!("{block}\n# tail\n---\nkind: Mno\n"));
    let rotated = "    # when\n    rotatedAt: 2026-01-01T00:00:00Z # note\n";
    check(&format!("  credentials:\n{rotated}"), &format!("{block}{rotated}"));
    let health = "  health:\n# odd comment\n    confirm: 3\n    # about health\n";
    check(health, &format!("{health}{block}"));
    assert_eq!(set_sealed("kind: Mno\n", &id(), SEALED), Err(Error::NoObject("Operator `af-one-1`".into())));
}

#[test]
fn a_password_takes_the_place_of_another() {
    let new = "  credentials:\n    sealed: |\n      -----BEGIN AGE-----\n      YWJj\n      -----END AGE-----\n";
    check(
        "  credentials:\n    sealed: |\n        old\n\n        older\n\n  # next\n  status: ACTIVE\n",
        &format!("{new}\n  # next\n  status: ACTIVE\n"),
    );
    check(
        "  credentials:\n    sealed: \"old\n      old\"\n    # about the date\n    rotatedAt: x\n",
        &format!("{new}    # about the date\n    rotatedAt: x\n"),
    );
    check("  credentials:\n    sealed: >- # kept\n      old\n", &new.replace('|', "| # kept"));
    check(
        "  credentials: {sealed: x}\n",
        "  credentials: {sealed: \"-----BEGIN AGE-----\\nYWJj\\n-----END AGE-----\\n\"}\n",
    );
}

#[test]
fn a_recipient_joins_whatever_list_there_is() {
    let head = "apiVersion: bindery/v1\nkind: Policy\nspec:\n";
    for (policy, expected) in [
        (String::new(), "recipients:\n      - age1x\n"),
        (
            format!("{head}  secrets:\n    recipients: []\n  tps: {{}} # kept\n"),
            "recipients:\n      - age1x\n  tps: {} # kept\n",
        ),
        (format!("{head}  secrets:\n    recipients:\n      - age1y\n"), "      - age1y\n      - age1x\n"),
        (format!("{head}  secrets:\n    recipients: [age1y]\n"), "    recipients: [age1y, age1x]\n"),
        (format!("{head}  tps:\n    minOnDemandPoolPercent: 5\n"), "5\n  secrets:\n    recipients:\n      - age1x\n"),
    ] {
        let edited = add_recipient(&policy, "age1x").unwrap();
        assert!(edited.ends_with(expected), "{edited}");
    }
}

#[test]
fn values_change_where_they_stand() {
    let smpp = "  smpp:\n    host: \"a.example\"   # the host\n    port:   2775 # the port\n";
    patched(smpp, &json!({"smpp": {"port": 2776}}), &smpp.replace("2775", "2776"));
    patched(smpp, &json!({"smpp": {"host": "b.example"}}), &smpp.replace("\"a.example\"", "b.example"));
    patched(smpp, &json!({"smpp": {"host": "10.0.0.1"}}), &smpp.replace("a.example", "10.0.0.1"));
    patched(smpp, &json!({"smpp": {"host": "a.example"}}), smpp);
    patched("  notes: >-\n    one\n    two\n\n  x: 1\n", &json!({"notes": "no"}), "  notes: \"no\"\n\n  x: 1\n");
    patched("  notes: a # c\n  x: 1\n", &json!({"notes": "b\nc"}), "  notes: |- # c\n    b\n    c\n  x: 1\n");
    patched("  notes:\n    # c\n    a\n", &json!({"notes": "b"}), "  notes:\n    # c\n    b\n");
    patched("  m: [\"1\", \"2\"]\n", &json!({"m": ["1", "3", "4"]}), "  m: [\"1\", \"3\", \"4\"]\n");
    patched("  m: # c\n    - \"1\" # one\n    - \"2\" # two\n", &json!({"m": ["2"]}), "  m: # c\n    - \"2\" # two\n");
    patched("  m:\n  - a\n  - b\n  x: 1\n", &json!({"m": ["a", "c"]}), "  m:\n  - a\n  - c\n  x: 1\n");
    patched("  m:\n    - a\n  x: 1\n", &json!({"m": []}), "  m: []\n  x: 1\n");
    patched("  m: 5 # c\n  x: 1\n", &json!({"m": {"a": [1]}}), "  m: # c\n    a:\n      - 1\n  x: 1\n");
}

#[test]
fn keys_come_where_the_schema_has_them() {
    let smpp = "  smpp: # c\n    # the port\n    port: 1\n\n    systemId: x\n";
    patched(
        smpp,
        &json!({"smpp": {"host": "h.example", "bindMode": "RECEIVER", "systemType": "0"}}),
        "  smpp: # c\n    host: h.example\n    # the port\n    port: 1\n\n    systemId: x\n    systemType: \"0\"\n    bindMode: RECEIVER\n",
    );
}

#[test]
fn keys_go_with_their_comments() {
    let text = "  health:\n    # three\n    # times\n    confirm: 3 # c\n\n    # five\n\n    recover: 5\n  x: 1\n";
    patched(text, &json!({"health": {"confirm": null}}), "  health:\n    # five\n\n    recover: 5\n  x: 1\n");
    patched(text, &json!({"health": {"recover": null}}), &text.replace("    recover: 5\n", ""));
    patched(text, &json!({"health": null}), "  x: 1\n");
    patched(text, &json!({"health": {"recover": null, "confirm": null}}), "  health: {}\n  x: 1\n");
    patched("  a: {b: 1, c: 2} # d\n", &json!({"a": {"b": null, "e": "x, y"}}), "  a: {c: 2, e: \"x, y\"} # d\n");
    patched(
        "  a: {\n    b: 1, # one\n    c: 2 # two\n  }\n",
        &json!({"a": {"d": 3}}),
        "  a: {\n    b: 1, # one\n    c: 2, # two\n    d: 3\n  }\n",
    );
    patched(
        "  a: {\n    b: 1, # one\n    c: 2 # two\n  }\n",
        &json!({"a": {"b": null}}),
        "  a: {\n    c: 2 # two\n  }\n",
    );
}

#[test]
fn rules_go_where_their_prefix_has_them() {
    let rule = json!({"weight": 5, "prefix": "+9371", "cost": {"currency": "USD", "amount": "0.10"}});
    let added = |rules: &str, member: &Value| insert(&routes(rules), &Object::Routes(&id()), RULES, member).unwrap();
    let new =
        "    - prefix: \"+9371\"\n      weight: 5\n      cost:\n        amount: \"0.10\"\n        currency: USD\n";
    assert_eq!(added("  rules: []\n", &rule), routes(&format!("  rules:\n{new}")));
    assert_eq!(added("  rules: # none\n", &rule), routes(&format!("  rules: # none\n{new}")));
    let (one, two) =
        ("    # one\n    - prefix: \"+9370\" # c\n", "    # two\n    - prefix: '+9379'\n      weight: 1\n");
    assert_eq!(added(&format!("  rules:\n{one}{two}"), &rule), routes(&format!("  rules:\n{one}{new}{two}")));
    assert_eq!(added(&format!("  rules:\n{two}"), &rule), routes(&format!("  rules:\n{new}{two}")));
    assert_eq!(added(&format!("  rules:\n{two}{one}"), &rule), routes(&format!("  rules:\n{two}{one}{new}")));
    let short = json!({"prefix": "+9371", "weight": 5});
    let (flow, flow_new) = ("  - {prefix: \"+9370\", weight: 1} # c\n", "  - {prefix: \"+9371\", weight: 5}\n");
    assert_eq!(added(&format!("  rules:\n{flow}"), &short), routes(&format!("  rules:\n{flow}{flow_new}")));
    assert_eq!(
        added("  rules: [{prefix: \"+1\"}, {prefix: \"+99\"}]\n", &short),
        routes("  rules: [{prefix: \"+1\"}, {prefix: \"+9371\", weight: 5}, {prefix: \"+99\"}]\n")
    );
}

#[test]
fn members_are_found_by_their_fields() {
    let text = routes(
        "  rules:\n    # one\n    - prefix: \"+1\"\n      cost: {amount: \"1\", currency: USD}\n\n    # two\n    - prefix: \"+2\" # c\n      active: false\n",
    );
    let routes_of = id();
    let object = Object::Routes(&routes_of);
    let (one, usd, two) = (json!("+1"), json!("USD"), json!("+2"));
    let member: Member<'_> = &[("prefix", &one), ("cost.currency", &usd)];
    let edited =
        merge_member(&text, &object, RULES, member, &json!({"cost": {"amount": "2"}, "active": false})).unwrap();
    let expected =
        text.replace("amount: \"1\", currency: USD}\n", "amount: \"2\", currency: USD}\n      active: false\n");
    assert_eq!(edited, expected);
    let edited = remove_member(&text, &object, RULES, member).unwrap();
    assert_eq!(edited, routes("  rules:\n    # two\n    - prefix: \"+2\" # c\n      active: false\n"));
    let edited = remove_member(&edited, &object, RULES, &[("prefix", &two)]).unwrap();
    assert_eq!(edited, routes("  rules: []\n"));
    let missing = Error::NoMember { object: "Routes `af-one-1`".into(), list: RULES.into() };
    assert_eq!(remove_member(&edited, &object, RULES, &[("prefix", &two)]), Err(missing));
}

#[test]
fn documents_come_and_go() {
    let (one, two) = (operator(""), "# two\nkind: Mno\nmetadata: {id: af-one}\n");
    let operator_id = id();
    let object = Object::Operator(&operator_id);
    let mno = "af-one".parse().unwrap();
    assert_eq!(remove(&one, &object), Ok(None));
    assert_eq!(remove(&format!("{one}---\n"), &object), Ok(None));
    let both = append(&one, two);
    assert_eq!(both, format!("{one}---\n{two}"));
    assert_eq!(remove(&both, &object).unwrap().as_deref(), Some(two));
    assert_eq!(remove(&both, &Object::Mno(&mno)).unwrap().as_deref(), Some(&*one));
    let marked = format!("---\n{one}---\n{two}");
    assert_eq!(remove(&marked, &object).unwrap(), Some(format!("---\n{two}")));
    let ended = format!("{one}...\n{two}");
    assert_eq!(remove(&ended, &object).unwrap().as_deref(), Some(two));
    assert_eq!(append("# only words\r\n", "a: 1\n"), "# only words\r\na: 1\r\n");
    assert_eq!(append("a: 1", "b: 2\n"), "a: 1\n---\nb: 2\n");
}

#[test]
fn a_new_document_is_canonical() {
    let value = json!({
        "kind": "Operator", "apiVersion": "bindery/v1",
        "spec": {"tps": {"outbound": 5}, "displayName": "no", "smpp": {"port": 1, "host": "fd00::1", "interfaceVersion": "3.4"}},
        "metadata": {"mno": "af-one", "id": "af-one-1"},
    });
    let expected = "apiVersion: bindery/v1\nkind: Operator\nmetadata:\n  id: af-one-1\n  mno: af-one\nspec:\n  displayName: \"no\"\n  smpp:\n    host: \"fd00::1\"\n    port: 1\n    interfaceVersion: \"3.4\"\n  tps:\n    outbound: 5\n";
    assert_eq!(document(&value).as_deref(), Ok(expected));
    assert!(document(&json!([])).is_err());
}

#[test]
fn a_missing_last_line_end_stays_missing() {
    let edited =
        merge(operator("  x: 1").trim_end(), &Object::Operator(&id()), &json!({"spec": {"tps": {"outbound": 6}}}));
    assert_eq!(edited.unwrap(), operator("  x: 1").replace(": 5", ": 6"));
    let edited = merge("kind: Policy\nspec:\n  x: 1", &Object::Policy, &json!({"spec": {"z": 2}}));
    assert_eq!(edited.unwrap(), "kind: Policy\nspec:\n  x: 1\n  z: 2\n");
}

#[test]
fn what_is_not_understood_is_refused() {
    for (text, patch) in [
        ("kind: Policy\nspec: {a: &x {b: 1}, c: *x}\n", json!({"a": {"b": 2}})),
        ("kind: Policy\nspec:\n  a: &x\n    b: 1\n  c: *x\n", json!({"c": {"b": 2}})),
        ("kind: Policy\nspec:\n  a: &x\n    b: 1\n  c: *x\n", json!({"a": null})),
        ("kind: Policy\nspec:\n  ? a\n  : 1\n  b: 2\n", json!({"a": null})),
        ("kind: Policy\nspec:\n  a: 1\n  a: 2\n", json!({"a": 3})),
        ("kind: Policy\nspec: {a: 1\n", json!({"a": 3})),
        ("kind: Policy\rspec: {a: 1}\n", json!({"a": 3})),
    ] {
        let edited = merge(text, &Object::Policy, &json!({"spec": patch}));
        assert_eq!(edited, Err(Error::Layout("Policy".into())), "{text}");
    }
    // Beside what is not understood, all is well.
    let text = "kind: Policy\nspec:\n  a: &x\n    b: 1\n  c: *x\n  d: !!str 1\n";
    assert_eq!(merge(text, &Object::Policy, &json!({"spec": {"d": 2}})).unwrap(), text.replace("!!str 1", "2"));
}
