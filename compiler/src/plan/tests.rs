//! What a plan says, holds and identifies, and that carrying it out leaves nothing to plan.

use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::change::{Action, CredentialsChange};
use bindery_schema::live::Live;
use bindery_schema::operator::RenamedFrom;
use bindery_schema::plan::Plan;
use bindery_schema::policy::{PolicySpec, Threshold};
use bindery_schema::value::OperatorId;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{plan, sample, text, to_observe};

const NOW: &str = "2026-12-01T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// An operator whose host ends in a number, with a rule for each suffix of +93 and its priority.
fn operator(host: u8, rules: &[(u32, u16)], sealed: Option<&str>) -> Operator {
    let rule = |(suffix, priority): &(u32, u16)| json!({"prefix": format!("+93{suffix}"), "priority": priority});
    let operator = sample::operator("roshan", &format!("10.0.0.{host}"), rules.iter().map(rule).collect());
    match sealed {
        Some(sealed) => sample::sealed(operator, sealed),
        None => operator,
    }
}

fn id(text: &str) -> OperatorId {
    text.parse().unwrap()
}

/// A catalog of one carrier.
fn catalog<'a>(operators: impl IntoIterator<Item = (&'a str, Operator)>) -> Catalog {
    sample::catalog([("roshan", sample::mno(json!({"contracts": []})))], operators)
}

fn lenient() -> PolicySpec {
    let mut policy = PolicySpec::default();
    policy.guardrails.max_deletes = Threshold { count: 1000, percent: 100 };
    policy.guardrails.max_endpoint_changes = Threshold { count: 1000, percent: 100 };
    policy
}

fn planned(catalog: &Catalog, live: &Live) -> Plan {
    plan(catalog, live, &lenient(), now()).unwrap()
}

fn shown(plan: &Plan) -> String {
    let mut out = String::new();
    text::human(plan, &mut out).unwrap();
    out
}

fn renamed(mut operator: Operator, from: &str, at: &str) -> Operator {
    operator.renamed_from = Some(RenamedFrom { id: id(from), effective_at: at.parse().unwrap(), drain_seconds: 120 });
    operator
}

#[test]
fn an_applied_catalog_needs_no_change_and_no_content() {
    let catalog = catalog([("a", operator(1, &[(70, 10)], Some("x"))), ("b", operator(2, &[], None))]);
    let live = Live::of(&catalog);
    let plan = planned(&catalog, &live);
    assert!(plan.is_empty() && plan.holds.is_empty());
    assert_eq!(shown(&plan), "No changes.\n");
    assert_eq!(to_observe(&catalog, &live, now()), super::Observe::default());
}

#[test]
fn creates_with_every_field_and_rule_and_says_whether_a_password_is_known() {
    let catalog = catalog([("a", operator(1, &[(70, 10)], Some("x"))), ("b", operator(2, &[], None))]);
    let plan = planned(&catalog, &Live::default());
    assert_eq!(plan.mnos[0].action, Action::Create);
    let [a, b] = plan.operators.as_slice() else { panic!("two operators") };
    assert_eq!((&a.action, a.credentials, a.routes.added.len()), (&Action::Create, CredentialsChange::Write, 1));
    assert_eq!((&b.action, b.credentials), (&Action::Create, CredentialsChange::Missing));
    assert!(a.fields.iter().any(|field| field.path == "smpp.host" && field.before.is_null()));
    let text = shown(&plan);
    assert!(text.contains("+ operator a (carrier roshan)\n"), "{text}");
    assert!(
        text.contains("    smpp.host: \"10.0.0.1\"\n") && text.contains("    routes + +9370 priority 10\n"),
        "{text}"
    );
    assert!(text.contains("Plan: 3 to create; 1 rule\n"), "{text}");
}

#[test]
fn updates_what_differs_only() {
    let live = Live::of(&catalog([("a", operator(1, &[(70, 10), (71, 10), (72, 10)], Some("x")))]));
    let plan = planned(&catalog([("a", operator(2, &[(70, 10), (71, 20), (73, 10)], Some("x")))]), &live);
    let [change] = plan.operators.as_slice() else { panic!("one operator") };
    assert_eq!((&change.action, change.credentials), (&Action::Update, CredentialsChange::Keep));
    assert_eq!(change.changed_fields(), ["smpp.host", "routes"]);
    let routes = &change.routes;
    assert_eq!((routes.added.len(), routes.updated.len(), routes.removed.len()), (1, 1, 1));
    let text = shown(&plan);
    for line in [
        "~ operator a",
        "    smpp.host: \"10.0.0.1\" -> \"10.0.0.2\"\n",
        "    routes ~ +9371 priority 10 -> priority 20\n",
        "    routes - +9372 priority 10\n",
        "Plan: 1 to update; 3 rules; hash ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn another_password_is_written_without_reading_content_and_never_shown() {
    let mut live = Live::of(&catalog([("a", operator(1, &[(70, 10)], Some("canary-one")))]));
    live.operators.get_mut("a").unwrap().detail = None;
    let plan = planned(&catalog([("a", operator(1, &[(70, 10)], Some("canary-two")))]), &live);
    assert_eq!(plan.operators[0].changed_fields(), ["credentials"]);
    assert!(!shown(&plan).contains("canary") && !serde_json::to_string(&plan).unwrap().contains("canary"));

    let plan = planned(&catalog([("a", operator(1, &[(70, 10)], None))]), &live);
    assert_eq!(plan.operators[0].credentials, CredentialsChange::Keep);
    assert!(shown(&plan).contains("no longer sealed"));
}

#[test]
fn deletes_what_git_no_longer_has_and_restores_it() {
    let full = catalog([("a", operator(1, &[(70, 10)], Some("x")))]);
    let mut live = Live::of(&full);
    let plan = planned(&catalog([]), &live);
    let change = &plan.operators[0];
    assert_eq!((&change.action, change.credentials), (&Action::Delete, CredentialsChange::Delete));
    assert!(change.desired.is_none() && change.routes.removed.len() == 1);

    let tombstone = live.operators.get_mut("a").unwrap();
    (tombstone.deleted, tombstone.credentials_hash, tombstone.detail) = (true, None, None);
    assert!(planned(&catalog([]), &live).is_empty());
    let plan = planned(&full, &live);
    let change = &plan.operators[0];
    assert_eq!((&change.action, change.credentials), (&Action::Restore, CredentialsChange::Write));
    assert_eq!((change.fields.len(), change.routes.added.len()), (0, 1));
    assert!(shown(&plan).starts_with("^ operator a"));
}

#[test]
fn names_the_content_it_needs_and_refuses_to_guess() {
    let mut live = Live::of(&catalog([("a", operator(1, &[(70, 10)], None)), ("b", operator(2, &[], None))]));
    live.operators.values_mut().for_each(|operator| operator.detail = None);
    let desired = catalog([("a", operator(1, &[(71, 10)], None))]);
    // `b` has no rules, so nothing of it has to be known before it is deleted.
    assert_eq!(to_observe(&desired, &live, now()).operators, [id("a")]);
    let error = plan(&desired, &live, &lenient(), now()).unwrap_err();
    assert_eq!(error.to_string(), "the content of operator `a` was not observed");
}

#[test]
fn a_renamed_operator_keeps_its_former_id_until_the_time_has_come() {
    let live = Live::of(&catalog([("old", operator(1, &[(70, 10)], Some("x")))]));
    let later = catalog([("new", renamed(operator(2, &[(70, 10)], Some("x")), "old", "2026-12-01T12:00:01Z"))]);
    let plan = planned(&later, &live);
    assert_eq!((plan.operators[0].id.as_str(), &plan.operators[0].action), ("old", &Action::Update));

    let due = catalog([("new", renamed(operator(2, &[(70, 20)], Some("x")), "old", NOW))]);
    let plan = planned(&due, &live);
    let [change] = plan.operators.as_slice() else { panic!("one operator") };
    assert_eq!((change.id.as_str(), &change.action), ("new", &Action::Rename { old_id: id("old") }));
    assert_eq!(
        (change.changed_fields(), change.credentials),
        (vec!["smpp.host".into(), "routes".into()], CredentialsChange::Keep)
    );
    assert!(shown(&plan).starts_with("> operator new (carrier roshan), until now old\n"));

    // Once it has happened, it is neither done again nor taken back, wherever its time is moved.
    for at in ["2026-12-01T11:00:00Z", "2027-01-01T00:00:00Z"] {
        let catalog = catalog([("new", renamed(operator(2, &[(70, 20)], Some("x")), "old", at))]);
        assert!(planned(&catalog, &Live::of(&due)).is_empty());
    }
}

#[test]
fn a_rename_onto_a_tombstone_restores_it() {
    let mut live = Live::of(&catalog([("old", operator(1, &[], None)), ("new", operator(2, &[], None))]));
    live.operators.get_mut("new").unwrap().deleted = true;
    let plan = planned(&catalog([("new", renamed(operator(2, &[], None), "old", NOW))]), &live);
    let actions: Vec<_> = plan.operators.iter().map(|change| (change.id.as_str(), &change.action)).collect();
    assert_eq!(actions, [("new", &Action::Restore), ("old", &Action::Delete)]);
}

#[test]
fn contracts_come_change_and_go_with_their_carrier() {
    let contract = |reference: &str, tps: u32| {
        json!({"ref": reference, "direction": "OUTBOUND", "contractedTps": tps, "effectiveFrom": "2026-01-01",
            "document": "s3://contracts/a.pdf"})
    };
    let with = |contracts: Value| {
        let mut catalog = catalog([]);
        let reservation = json!({"tenant": "acme", "direction": "OUTBOUND", "reservedTps": 5});
        let carrier = sample::mno(json!({"contracts": contracts, "reservations": [reservation]}));
        catalog.mnos.insert("roshan".parse().unwrap(), carrier);
        catalog
    };
    let before = with(json!([contract("R-2", 10), contract("R-1", 10)]));
    let mut live = Live::of(&before);
    let change = &planned(&with(json!([contract("R-1", 20), contract("R-3", 1)])), &live).mnos[0];
    let contracts = &change.contracts;
    assert_eq!((contracts.added.len(), contracts.updated.len(), contracts.removed.len()), (1, 1, 1));
    assert!(change.fields.is_empty() && change.reservations.is_empty());

    let plan = planned(&Catalog::default(), &live);
    assert_eq!((&plan.mnos[0].action, plan.mnos[0].contracts.removed.len()), (&Action::Delete, 2));
    assert_eq!(plan.mnos[0].reservations.removed.len(), 1);
    assert!(shown(&plan).contains("    contracts - OUTBOUND R-1 10 TPS from 2026-01-01 s3://contracts/a.pdf\n"));

    live.mnos.values_mut().for_each(|mno| (mno.deleted, mno.detail) = (true, None));
    let plan = planned(&before, &live);
    assert_eq!((&plan.mnos[0].action, plan.mnos[0].contracts.added.len()), (&Action::Restore, 2));
}

#[test]
fn holds_name_the_guardrail_and_the_trailer_that_releases() {
    let names = ["a", "b", "c", "d"];
    let live = Live::of(&catalog(names.map(|name| (name, operator(1, &[], None)))));
    let held = |gone: usize, moved: usize, policy: &PolicySpec| {
        let kept = names[gone..].iter().enumerate();
        let host = |at: usize| if at < moved { 2 } else { 1 };
        let catalog = catalog(kept.map(|(at, name)| (*name, operator(host(at), &[], None))));
        plan(&catalog, &live, policy, now()).unwrap()
    };
    let guardrails = |plan: &Plan| plan.holds.iter().map(|hold| hold.guardrail.clone()).collect::<Vec<_>>();
    let mut policy = PolicySpec::default();
    assert!(held(1, 1, &policy).holds.is_empty(), "a quarter is allowed, more is not");
    assert_eq!(guardrails(&held(2, 0, &policy)), ["guardrails.maxDeletes.percent"]);
    assert_eq!(guardrails(&held(0, 2, &policy)), ["guardrails.maxEndpointChanges.percent"]);
    policy.guardrails.max_deletes = Threshold { count: 1, percent: 100 };
    assert_eq!(guardrails(&held(2, 0, &policy)), ["guardrails.maxDeletes.count"]);
    policy.guardrails.protect.insert("a".to_owned());
    let plan = held(1, 0, &policy);
    assert_eq!(guardrails(&plan), ["guardrails.protect"]);
    assert!(shown(&plan).ends_with(&format!("\n  Bindery-Allow: {}\n", plan.hash)));
    assert_eq!(plan.counts().deleted, 1);
}

#[test]
fn whatever_is_protected_is_held_when_it_goes_or_moves() {
    let live = Live::of(&catalog([("a", operator(1, &[], None)), ("b", operator(1, &[], None))]));
    let held = |desired: &Catalog, protect: &[&str]| {
        let mut policy = lenient();
        policy.guardrails.protect.extend(protect.iter().map(|id| (*id).to_owned()));
        let plan = plan(desired, &live, &policy, now()).unwrap();
        plan.holds.iter().map(|hold| format!("{}: {}", hold.guardrail, hold.message)).collect::<Vec<_>>()
    };
    let moved = |id| catalog([("a", operator(2, &[], None)), (id, operator(1, &[], None))]);
    assert_eq!(
        held(&moved("b"), &["a"]),
        ["guardrails.protect: the plan moves the endpoint of the operator `a`, which the policy protects"]
    );
    assert!(held(&moved("b"), &["b", "other"]).is_empty(), "another one moves");
    let both = catalog([("a", operator(2, &[], None)), ("b", operator(3, &[], None))]);
    assert_eq!(
        held(&both, &["a", "b"]),
        ["guardrails.protect: the plan moves the endpoint of 2 operators that the policy protects: `a`, `b`"]
    );
    // Nothing but where it binds is guarded.
    let rules = catalog([("a", operator(1, &[(70, 1)], Some("x"))), ("b", operator(1, &[], None))]);
    assert!(held(&rules, &["a", "b"]).is_empty());
    assert_eq!(
        held(&Catalog::default(), &["roshan"]),
        ["guardrails.protect: the plan deletes the carrier `roshan`, which the policy protects"]
    );

    // A rename takes nothing away, and protection with it: under either id, pending or due.
    for at in ["2026-12-01T12:00:01Z", NOW] {
        let renamed = |host| {
            let new = renamed(operator(host, &[], None), "a", at);
            catalog([("new", new), ("b", operator(1, &[], None))])
        };
        assert!(held(&renamed(1), &["a", "new"]).is_empty());
        for id in ["a", "new"] {
            assert_eq!(held(&renamed(2), &[id]).len(), 1, "{id} at {at}");
        }
    }
}

#[test]
fn a_branch_that_protects_more_by_now_holds_too_and_says_so_once() {
    let before = catalog([("a", operator(1, &[], None)), ("b", operator(1, &[], None))]);
    let after = catalog([("b", operator(1, &[], None))]);
    let holds = |branch: &PolicySpec| {
        let report = super::report_guarded(&before, &after, Some(branch), now()).unwrap();
        report.plan.holds.into_iter().map(|hold| format!("{}: {}", hold.guardrail, hold.message)).collect::<Vec<_>>()
    };
    let percent = "guardrails.maxDeletes.percent: the plan deletes 1 of 2 operators; the policy allows 25 %";
    assert_eq!(holds(&before.policy), [percent]);
    let mut branch = before.policy.clone();
    branch.guardrails.protect.insert("a".to_owned());
    let protects = "guardrails.protect: the plan deletes the operator `a`, which the policy protects";
    assert_eq!(holds(&branch), [percent.to_owned(), format!("{protects} (policy of the base branch)")]);
    branch.guardrails.max_deletes.percent = 100;
    let [percent, protects] = [(percent, "the merge base"), (protects, "the base branch")]
        .map(|(hold, whose)| format!("{hold} (policy of {whose})"));
    assert_eq!(holds(&branch), [percent, protects]);
}

#[test]
fn many_protected_ids_make_one_line() {
    let ids: Vec<String> = (0..600).map(|n| format!("o-{n:03}")).collect();
    let live = Live::of(&catalog(ids.iter().map(|id| (id.as_str(), operator(1, &[], None)))));
    let mut policy = lenient();
    policy.guardrails.protect.extend(ids.iter().cloned());
    let plan = plan(&catalog([]), &live, &policy, now()).unwrap();
    let [hold] = plan.holds.as_slice() else { panic!("{:?}", plan.holds) };
    assert_eq!(
        hold.message,
        "the plan deletes 600 operators that the policy protects: `o-000`, `o-001`, `o-002`, `o-003`, `o-004` and 595 more"
    );
}

#[test]
fn the_hash_identifies_guarded_changes_and_nothing_else() {
    let live = Live::of(&catalog([("a", operator(1, &[], None)), ("b", operator(1, &[(70, 1)], Some("x")))]));
    let hash = |operators: Vec<(&str, Operator)>| planned(&catalog(operators), &live).hash;
    let deletes_a = hash(vec![("b", operator(1, &[(70, 1)], Some("x")))]);
    let and_more = hash(vec![("b", operator(1, &[(71, 2)], Some("y"))), ("c", operator(3, &[], None))]);
    assert_eq!(deletes_a, and_more);
    let moves_b = hash(vec![("b", operator(2, &[(70, 1)], Some("x")))]);
    assert_ne!(deletes_a, moves_b);
    assert_eq!(moves_b, hash(vec![("b", operator(3, &[(70, 1)], Some("x")))]), "values do not enter");
    assert_ne!(deletes_a, hash(vec![]));
}

fn any_catalog() -> impl Strategy<Value = Catalog> {
    let rules = prop::collection::btree_map(1u32..30, 0u16..3, 0..6);
    let sealed = prop::option::of("[xy]");
    let any_operator = (0u8..3, rules, sealed)
        .prop_map(|(host, rules, sealed)| operator(host, &rules.into_iter().collect::<Vec<_>>(), sealed.as_deref()));
    prop::collection::btree_map("[a-f]", any_operator, 0..6)
        .prop_map(|operators| catalog(operators.iter().map(|(name, operator)| (name.as_str(), operator.clone()))))
}

/// What the stores hold once a plan is carried out by its changes alone.
fn applied(plan: &Plan, live: &Live) -> Live {
    let mut desired = Catalog::default();
    let mut result = live.clone();
    for change in &plan.mnos {
        desired.mnos.extend(change.desired.clone().map(|mno| (change.id.clone(), mno)));
    }
    for change in &plan.operators {
        match &change.desired {
            Some(operator) => drop(desired.operators.insert(change.id.clone(), operator.clone())),
            None => result.operators.get_mut(&change.id).unwrap().deleted = true,
        }
        if let Action::Rename { old_id } = &change.action {
            result.operators.remove(old_id);
        }
    }
    let written = Live::of(&desired);
    result.mnos.extend(written.mnos);
    result.operators.extend(written.operators);
    result
}

proptest! {
    #[test]
    fn planning_again_after_applying_finds_nothing(before in any_catalog(), between in any_catalog(), after in any_catalog()) {
        let mut live = Live::of(&before);
        for catalog in [&between, &after] {
            let plan = planned(catalog, &live);
            prop_assert_eq!(plan.hash, planned(catalog, &live).hash);
            live = applied(&plan, &live);
            prop_assert!(planned(catalog, &live).is_empty());
        }
    }
}
