//! US-OPS-01 to 03 over HTTP: every write is a commit, and its effects are where they belong.

use bindery_agent::http::permissions::Role;
use bindery_tests::api::{Answered, Api, small};
use bindery_tests::canary::Texts;
use bindery_tests::world::{World, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "k3y7pq2x";
const OPERATORS: &str = "/operators";

fn new(host: &str) -> Value {
    json!({"mno": "carrier", "password": PASSWORD, "spec": {
        "displayName": "Carrier premium", "smpp": {"host": host, "port": 2775, "systemId": "premium"},
        "tps": {"outbound": 20}}})
}

fn head(world: &World) -> git2::Commit<'_> {
    world.git.find_commit(world.git.refname_to_id("refs/heads/main").unwrap()).unwrap()
}

/// Payloads of the events of a type, oldest first.
async fn events(world: &World, event_type: &str) -> Vec<Value> {
    world.outside().await.events_of(event_type).await.into_iter().map(|event| event["data"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ac1_ac2_ac5_a_created_operator_is_answered_stored_and_told() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana@example.org", Role::CarrierAdmin);
    let answer = ana.post(OPERATORS, &new("smpp.premium.example")).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["id"], "carrier-premium");
    assert_eq!(answer.location.as_deref(), Some("/v1/admin/operators/carrier-premium"));
    assert_eq!(answer.body["spec"]["smpp"]["host"], "smpp.premium.example");
    assert!(!answer.body.to_string().contains("password") && !answer.body.to_string().contains(PASSWORD));

    // One commit, by the caller, committed by the agent, in a file of its own.
    let commit = head(&world);
    assert_eq!(answer.body["commit"], commit.id().to_string());
    assert_eq!(commit.author().email().unwrap(), "ana@example.org");
    assert_eq!(commit.committer().name().unwrap(), "bindery-agent");
    assert_eq!(commit.summary().unwrap().unwrap(), "Create operator carrier-premium");
    let tree = commit.tree().unwrap();
    assert!(tree.get_path("operators/carrier/carrier-premium.yaml".as_ref()).is_ok());

    let outside = world.outside().await;
    assert_eq!(outside.password("carrier-premium").await.as_deref(), Some(PASSWORD));
    let mut texts = Texts::default();
    texts.add_stores(&outside).await;
    texts.add_repository(world.git.path());
    texts.add_repository(&world.clone_of_agent());
    assert_ne!(texts.places("git", "smpp.premium.example"), 0);
    assert_eq!(texts.that_hold(&[PASSWORD.to_owned()]), [""; 0]);

    eventually("the event", async || {
        let created = events(&world, "operator.config.created.v1").await;
        created.iter().any(|data| data["operatorId"] == "carrier-premium" && data["commit"] == answer.body["commit"])
    })
    .await;
    // What was written ahead is settled.
    assert_eq!(outside.count("select count(*) from ops.secret_intents").await, 0);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac3_a_second_operator_at_an_endpoint_is_a_duplicate() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let before = head(&world).id();
    let mut same = new("first.example");
    same["spec"]["smpp"]["systemId"] = json!("sys-first");
    let answer = ana.post(OPERATORS, &same).await;
    assert_eq!(answer.problem(), (409, "DUPLICATE_OPERATOR"), "{}", answer.body);
    assert!(answer.body["detail"].as_str().unwrap().contains("first"), "{}", answer.body);
    assert_eq!(answer.body["findings"][0]["code"], "BND0401");
    let mut named = new("other.example");
    named["id"] = json!("first");
    assert_eq!(ana.post(OPERATORS, &named).await.problem(), (409, "DUPLICATE_OPERATOR"));
    assert_eq!(head(&world).id(), before);
    assert_eq!(world.outside().await.secrets().await, 0);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac4_without_vault_nothing_is_left_of_a_create() {
    let world = World::alone().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let before = head(&world).id();
    world.stack.vault.kill().await;
    let answer = ana.post(OPERATORS, &new("smpp.premium.example")).await;
    assert_eq!(answer.problem(), (503, "VAULT_UNAVAILABLE"), "{}", answer.body);
    assert_eq!(head(&world).id(), before);
    let outside = world.outside().await;
    assert_eq!(outside.count("select count(*) from ops.operators").await, 1);
    assert_eq!(outside.count("select count(*) from ops.secret_intents").await, 0);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_spec_is_answered_with_every_finding() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let mut bad = new("smpp premium");
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
async fn us_ops_02_an_update_changes_what_was_asked_and_says_so() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let text = "# Ours since 2019\napiVersion: bindery/v1\nkind: Operator\nmetadata: {id: first, mno: carrier}\nspec:\n  \
                displayName: Bind first   # as in the contract\n  smpp: {host: first.example, port: 2775, systemId: sys-first, \
                bindMode: TRANSMITTER}\n  tps: {outbound: 20}\n";
    let commented = world.commit("Comment", &[("operators/carrier/first.yaml", Some(text.to_owned()))]);
    bindery_tests::world::until_applied(&agent, commented).await;

    let patch = json!({"spec": {"smpp": {"port": 2776}, "tps": {"outbound": 25}}, "password": PASSWORD});
    let answer = ana.patch("/operators/first", &patch).await;
    assert_eq!((answer.status, &answer.body["spec"]["smpp"]["port"]), (200, &json!(2776)), "{}", answer.body);
    assert!(!answer.body.to_string().contains(PASSWORD));
    assert_eq!(world.outside().await.password("first").await.as_deref(), Some(PASSWORD));
    let tree = head(&world).tree().unwrap();
    let blob = tree.get_path("operators/carrier/first.yaml".as_ref()).unwrap().to_object(&world.git).unwrap();
    let now = String::from_utf8(blob.peel_to_blob().unwrap().content().to_vec()).unwrap();
    for kept in
        ["# Ours since 2019\n", "displayName: Bind first   # as in the contract\n", "port: 2776", "outbound: 25"]
    {
        assert!(now.contains(kept), "{kept}\n{now}");
    }
    eventually("the event", async || {
        let updated = events(&world, "operator.config.updated.v1").await;
        let wanted = json!(["smpp.port", "tps.outbound", "credentials"]);
        updated.iter().any(|data| data["operatorId"] == "first" && data["changedFields"] == wanted)
    })
    .await;

    // Nothing to change is no commit.
    let tip = head(&world).id();
    assert_eq!(ana.patch("/operators/first", &json!({"spec": {"smpp": {"port": 2776}}})).await.status, 200);
    assert_eq!(head(&world).id(), tip);
    // The endpoint of another is refused.
    assert_eq!(ana.post(OPERATORS, &new("smpp.premium.example")).await.status, 201);
    let moved = json!({"spec": {"smpp": {"host": "smpp.premium.example", "port": 2775, "systemId": "premium"}}});
    assert_eq!(ana.patch("/operators/first", &moved).await.problem(), (409, "DUPLICATE_OPERATOR"));
    assert_eq!(ana.patch("/operators/nobody", &json!({})).await.problem(), (404, "OPERATOR_NOT_FOUND"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn us_ops_03_a_deleted_operator_is_history_and_its_endpoint_free() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    assert_eq!(ana.post(OPERATORS, &new("smpp.premium.example")).await.status, 201);
    // One of two is more than a guardrail lets go unasked.
    let more = json!({"spec": {"guardrails": {"maxDeletes": {"percent": 100}}}});
    let policy = head(&world).tree().unwrap().get_path("policy.yaml".as_ref()).unwrap().to_object(&world.git).unwrap();
    let policy = String::from_utf8(policy.peel_to_blob().unwrap().content().to_vec()).unwrap();
    assert_eq!(ana.delete("/operators/carrier-premium").await.problem(), (409, "PLAN_HELD"));
    let loose = policy.replace("  guardrails:\n", "  guardrails:\n    maxDeletes: {percent: 100}\n");
    assert_ne!(loose, policy, "{more}");
    let commit = world.commit("Let go", &[("policy.yaml", Some(loose))]);
    bindery_tests::world::until_applied(&agent, commit).await;

    assert_eq!(ana.delete("/operators/carrier-premium").await.status, 204);
    assert_eq!(ana.get("/operators/carrier-premium").await.problem(), (404, "OPERATOR_NOT_FOUND"));
    assert_eq!(ana.patch("/operators/carrier-premium", &json!({})).await.problem(), (404, "OPERATOR_NOT_FOUND"));
    let ids = |answer: &Answered| {
        answer.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&ana.get(OPERATORS).await), ["first"]);
    let all = ana.get("/operators?includeDeleted=true").await;
    assert_eq!(ids(&all), ["carrier-premium", "first"]);
    assert!(all.body["items"][0]["deletedAt"].is_string());
    let inactive = "select count(*) from ops.operators where deleted_at is not null and status = 'INACTIVE'";
    assert_eq!(world.outside().await.count(inactive).await, 1);
    eventually("the event", async || {
        let deleted = events(&world, "operator.config.deleted.v1").await;
        deleted.iter().any(|data| data["operatorId"] == "carrier-premium")
    })
    .await;

    let again = ana.post(OPERATORS, &new("smpp.premium.example")).await;
    assert_eq!((again.status, &again.body["id"]), (201, &json!("carrier-premium-2")), "{}", again.body);
    let mut same = new("elsewhere.example");
    same["id"] = json!("carrier-premium");
    assert_eq!(ana.post(OPERATORS, &same).await.problem(), (409, "OPERATOR_ID_RETIRED"));
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

    let tip = head(&world).id();
    let dry = ana.post("/operators?dryRun=true", &new("smpp.premium.example")).await;
    assert_eq!((dry.status, &dry.body["operators"][0]["action"]), (200, &json!("create")), "{}", dry.body);
    assert!(!dry.body.to_string().contains(PASSWORD));
    assert_eq!(head(&world).id(), tip);

    let keyed = async |key: &str, body: &Value| {
        let request = ana.request(Method::POST, OPERATORS).header("idempotency-key", key).json(body);
        Answered::of(request.send().await.unwrap()).await
    };
    let one = keyed("order-1", &new("smpp.premium.example")).await;
    let two = keyed("order-1", &new("smpp.premium.example")).await;
    assert_eq!((one.status, two.status, &one.body, &one.tag), (201, 201, &two.body, &two.tag));
    assert_eq!(keyed("order-1", &new("other.example")).await.problem(), (422, "IDEMPOTENCY_KEY_REUSED"));
    // The answer was lost: what is known is the commit.
    let outside = world.outside().await;
    sqlx::query("update ops.idempotency_keys set status = null").execute(&outside.postgres).await.unwrap();
    let tip = head(&world).id();
    let three = keyed("order-1", &new("smpp.premium.example")).await;
    assert_eq!((three.status, &three.body, head(&world).id()), (201, &one.body, tip));

    let noc = Api::of(&world, &agent, "nora", Role::Noc);
    assert_eq!(noc.post(OPERATORS, &new("noc.example")).await.problem(), (403, "FORBIDDEN"));
    agent.shutdown().await;
}
