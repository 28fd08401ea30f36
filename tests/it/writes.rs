//! What every write over HTTP has: findings, conditions, repetitions, dry runs, and many changes as one commit.

use bindery_agent::http::permissions::Role;
use bindery_tests::api::{Answered, Api, OPERATORS, PASSWORD, premium, small};
use bindery_tests::program::{bindery, git};
use bindery_tests::world::{World, until_applied};
use reqwest::Method;
use serde_json::{Value, json};

const RUNBOOK: &str = "runbooks/mno/carrier.md";

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_spec_is_answered_with_every_finding() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let mut bad = premium("smpp premium");
    bad["spec"]["smpp"]["prot"] = json!(1);
    let answer = ana.post(OPERATORS, &bad).await;
    assert_eq!(answer.problem(), (422, "VALIDATION_FAILED"), "{}", answer.body);
    let mut codes: Vec<_> = answer.body["findings"].as_array().unwrap().iter().map(|f| f["code"].clone()).collect();
    codes.sort_by_key(ToString::to_string);
    assert_eq!(codes, ["BND0103", "BND0204"]);
    let unknown = ana.post(OPERATORS, &json!({"mno": "nobody", "spec": {}})).await;
    assert_eq!(unknown.problem(), (404, "OBJECT_NOT_FOUND"), "{}", unknown.body);
    let plain = ana.post(OPERATORS, &json!({"mno": "carrier", "spec": {}, "passwrd": PASSWORD})).await;
    assert_eq!(plain.problem(), (400, "BAD_REQUEST"));
    assert!(!plain.body.to_string().contains(PASSWORD));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_repetitions_and_dry_runs() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let seen = ana.get("/operators/first").await.tag.unwrap();
    let change = |port: u16| json!({"spec": {"smpp": {"port": port}}});
    let conditional = async |tag: &str, port: u16| {
        let request = ana.request(Method::PATCH, "/operators/first").header("if-match", tag).json(&change(port));
        Answered::of(request.send().await.unwrap()).await
    };
    let first = conditional(&seen, 2776).await;
    assert_eq!(first.status, 200);
    assert_eq!(conditional(&seen, 2777).await.problem(), (412, "PRECONDITION_FAILED"));
    assert_eq!(conditional(&first.tag.unwrap(), 2777).await.status, 200);

    let tip = world.head().id();
    let dry = ana.post("/operators?dryRun=true", &premium("smpp.premium.example")).await;
    assert_eq!((dry.status, &dry.body["operators"][0]["action"]), (200, &json!("create")), "{}", dry.body);
    assert!(!dry.body.to_string().contains(PASSWORD));
    assert_eq!(world.head().id(), tip);

    let keyed = async |key: &str, body: &Value| {
        let request = ana.request(Method::POST, OPERATORS).header("idempotency-key", key).json(body);
        Answered::of(request.send().await.unwrap()).await
    };
    let one = keyed("order-1", &premium("smpp.premium.example")).await;
    let two = keyed("order-1", &premium("smpp.premium.example")).await;
    assert_eq!((one.status, two.status, &one.body, &one.tag), (201, 201, &two.body, &two.tag));
    assert_eq!(keyed("order-1", &premium("other.example")).await.problem(), (422, "IDEMPOTENCY_KEY_REUSED"));
    // The answer was lost: what is known is the commit.
    let outside = world.outside().await;
    sqlx::query("update ops.idempotency_keys set status = null").execute(&outside.postgres).await.unwrap();
    let tip = world.head().id();
    let three = keyed("order-1", &premium("smpp.premium.example")).await;
    assert_eq!((three.status, &three.body, world.head().id()), (201, &one.body, tip));

    let noc = Api::of(&world, &agent, "nora", Role::Noc);
    assert_eq!(noc.post(OPERATORS, &premium("noc.example")).await.problem(), (403, "FORBIDDEN"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changeset_is_one_commit_or_none() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let operator = json!({"op": "createOperator", "id": "fresh-1", "mno": "fresh", "spec": {"displayName": "Fresh",
        "smpp": {"host": "fresh.example", "port": 2775, "systemId": "fresh"}, "tps": {"outbound": 20}}});
    let mno = json!({"op": "createMno", "id": "fresh", "spec": {"name": "Fresh", "country": "AF",
        "contacts": {"t1": [{"name": "NOC"}], "t2": [{"name": "Two"}], "t3": [{"name": "Three"}]}}});
    let rule = |prefix: &str| json!({"op": "createRule", "operator": "fresh-1", "rule": {"prefix": prefix}});
    let tip = || world.head().id();
    let before = tip();
    let bad = json!({"operations": [mno, operator, rule("+9378"), rule("+9370")]});
    assert_eq!(ana.post("/changesets", &bad).await.problem(), (409, "PREFIX_CONFLICT"));
    assert_eq!(tip(), before);
    let good = json!({"message": "Bring Fresh in", "operations": [mno, operator, rule("+9378"), rule("+9377")]});
    let done = ana.post("/changesets", &good).await;
    assert_eq!(done.status, 201, "{}", done.body);
    assert_eq!(done.body["objects"], json!(["fresh", "fresh-1", "9378", "9377"]));
    let commit = world.git.find_commit(tip()).unwrap();
    assert_eq!((commit.parent_id(0).unwrap(), commit.summary().unwrap().unwrap()), (before, "Bring Fresh in"));
    let rules = "select prefix from ops.routing_rules where operator_id = 'fresh-1' order by 1";
    assert_eq!(world.outside().await.column(rules).await, ["9377", "9378"]);
    assert_eq!(ana.get("/mnos/fresh").await.body["spec"]["name"], "Fresh");
    assert_eq!(ana.delete("/mnos/fresh").await.problem(), (409, "CARRIER_IN_USE"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runbooks_that_the_repository_keeps_come_with_the_commit() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    // Where none are kept none are made.
    assert_eq!(ana.patch("/operators/first", &json!({"spec": {"smpp": {"port": 2776}}})).await.status, 200);
    assert_eq!(world.file(RUNBOOK), None);

    let copy = world.dir.path().join("copy");
    git(&["clone", "-q", world.git.path().to_str().unwrap(), copy.to_str().unwrap()], world.dir.path());
    assert!(bindery(&["render"], &copy, None).status.success());
    // An overlay of this agent's environment is not what runbooks show.
    let first = copy.join("operators/carrier/first.yaml");
    let text = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, text + "  environments: {test: {smpp: {host: lab.example}}}\n").unwrap();
    let runbook = copy.join(RUNBOOK);
    let text = std::fs::read_to_string(&runbook).unwrap();
    let mark = "<!-- bindery:keep bind-notes -->\n";
    assert!(text.contains(mark));
    std::fs::write(&runbook, text.replace(mark, &format!("{mark}Ask for Ada.\n"))).unwrap();
    git(&["add", "-A"], &copy);
    git(&["commit", "-qm", "Keep runbooks"], &copy);
    git(&["push", "-q"], &copy);
    until_applied(&agent, world.head().id()).await;

    let moved = json!({"spec": {"smpp": {"host": "moved.example"}}});
    assert_eq!(ana.patch("/operators/first", &moved).await.status, 200);
    assert_eq!(ana.post("/operators/first/routing-rules", &json!({"prefix": "+9379"})).await.status, 201);
    assert_eq!(ana.post(OPERATORS, &premium("smpp.premium.example")).await.status, 201);
    let fresh = json!({"id": "fresh", "spec": {"name": "Fresh", "country": "AF",
        "contacts": {"t1": [{"name": "NOC"}], "t2": [{"name": "Two"}], "t3": [{"name": "Three"}]}}});
    assert_eq!(ana.post("/mnos", &fresh).await.status, 201);
    let text = world.file(RUNBOOK).unwrap();
    for shown in ["moved.example", "smpp.premium.example", "9379", "Ask for Ada."] {
        assert!(text.contains(shown), "{shown}\n{text}");
    }
    assert!(!text.contains("lab.example"), "{text}");
    assert!(world.file("runbooks/mno/fresh.md").is_some());
    git(&["pull", "-q"], &copy);
    let check = bindery(&["render", "--check"], &copy, None);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    agent.shutdown().await;
}
