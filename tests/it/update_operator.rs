//! US-OPS-02 over HTTP, a test for each acceptance criterion: an update changes what was asked and says so.

use bindery_agent::http::permissions::Role;
use bindery_tests::api::{Api, OPERATORS, PASSWORD, premium, small, unsealed};
use bindery_tests::world::{World, eventually, until_applied};
use serde_json::{Value, json};

const FIRST: &str = "/operators/first";
const FILE: &str = "operators/carrier/first.yaml";

/// Waits for an event that says these fields of the operator `first` have changed.
async fn told(world: &World, fields: Value) {
    eventually("the event", async || {
        let updated = world.told("operator.config.updated.v1").await;
        updated.iter().any(|data| data["operatorId"] == "first" && data["changedFields"] == fields)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac1_a_partial_payload_changes_what_it_names_and_no_other_byte() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let text = "# Ours since 2019\napiVersion: bindery/v1\nkind: Operator\nmetadata: {id: first, mno: carrier}\nspec:\n  \
                displayName: Bind first   # as in the contract\n  smpp: {host: first.example, port: 2775, systemId: sys-first, \
                bindMode: TRANSMITTER}\n  tps: {outbound: 20}\n";
    let commented = world.commit("Comment", &[(FILE, Some(text.to_owned()))]);
    until_applied(&agent, commented).await;
    let answer = ana.patch(FIRST, &json!({"spec": {"smpp": {"port": 2776}, "tps": {"outbound": 25}}})).await;
    assert_eq!((answer.status, &answer.body["spec"]["smpp"]["port"]), (200, &json!(2776)), "{}", answer.body);
    assert_eq!(ana.get(FIRST).await.body, answer.body);
    let expected = text.replace("2775", "2776").replace("outbound: 20", "outbound: 25");
    assert_eq!(world.file(FILE).unwrap(), expected);
    // Nothing to change is no commit.
    let tip = world.head().id();
    assert_eq!(ana.patch(FIRST, &json!({"spec": {"smpp": {"port": 2776}}})).await.status, 200);
    assert_eq!(world.head().id(), tip);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac2_a_password_goes_into_vault_and_is_not_answered() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let answer = ana.patch(FIRST, &json!({"password": PASSWORD})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!answer.body.to_string().contains(PASSWORD) && !answer.body.to_string().contains("password"));
    assert_eq!(world.outside().await.password("first").await.as_deref(), Some(PASSWORD));
    assert_eq!(world.head().summary().unwrap().unwrap(), "Rotate the password of first");
    assert!(world.file(FILE).unwrap().contains("AGE ENCRYPTED FILE"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac2_without_anybody_to_seal_to_git_says_when_and_vault_holds_what() {
    let world = World::new().await;
    let agent = unsealed(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let answer = ana.patch(FIRST, &json!({"password": PASSWORD})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let outside = world.outside().await;
    assert_eq!(outside.password("first").await.as_deref(), Some(PASSWORD));
    let text = world.file(FILE).unwrap();
    assert!(text.contains("rotatedAt: ") && !text.contains("sealed"), "{text}");
    assert_eq!(answer.body["spec"]["credentials"]["sealed"], Value::Null);
    assert!(answer.body["spec"]["credentials"]["rotatedAt"].is_string(), "{}", answer.body);
    told(&world, json!(["credentials"])).await;
    // A second one is another moment, and the password stays with the next change.
    assert_eq!(ana.patch(FIRST, &json!({"password": "n3wer0ne"})).await.status, 200);
    assert_ne!(world.file(FILE).unwrap(), text);
    assert_eq!(ana.patch(FIRST, &json!({"spec": {"tps": {"outbound": 30}}})).await.status, 200);
    assert_eq!(outside.password("first").await.as_deref(), Some("n3wer0ne"));
    assert_eq!(outside.count("select count(*) from ops.secret_intents").await, 0);
    // One that is created so has its password too.
    assert_eq!(ana.post(OPERATORS, &premium("smpp.premium.example")).await.status, 201);
    assert_eq!(outside.password("carrier-premium").await.as_deref(), Some(PASSWORD));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac3_the_event_enumerates_what_changed() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let patch = json!({"spec": {"smpp": {"port": 2776}, "tps": {"outbound": 25}}, "password": PASSWORD});
    assert_eq!(ana.patch(FIRST, &patch).await.status, 200);
    told(&world, json!(["smpp.port", "tps.outbound", "credentials"])).await;
    assert_eq!(ana.patch(FIRST, &json!({"spec": {"status": "INACTIVE"}})).await.status, 200);
    told(&world, json!(["status"])).await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac4_the_endpoint_of_another_is_a_duplicate() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    assert_eq!(ana.post(OPERATORS, &premium("smpp.premium.example")).await.status, 201);
    let tip = world.head().id();
    let moved = json!({"spec": {"smpp": {"host": "smpp.premium.example", "port": 2775, "systemId": "premium"}}});
    let answer = ana.patch(FIRST, &moved).await;
    assert_eq!(answer.problem(), (409, "DUPLICATE_OPERATOR"), "{}", answer.body);
    assert_eq!(world.head().id(), tip);
    // Another port of the same host is another endpoint.
    let beside = json!({"spec": {"smpp": {"host": "smpp.premium.example", "port": 2776, "systemId": "premium"}}});
    assert_eq!(ana.patch(FIRST, &beside).await.status, 200);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac5_a_deleted_operator_is_not_found() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    world.let_go(&agent).await;
    assert_eq!(ana.delete(FIRST).await.status, 204);
    let patch = json!({"spec": {"tps": {"outbound": 25}}, "password": PASSWORD});
    assert_eq!(ana.patch(FIRST, &patch).await.problem(), (404, "OPERATOR_NOT_FOUND"));
    assert_eq!(ana.patch("/operators/nobody", &patch).await.problem(), (404, "OPERATOR_NOT_FOUND"));
    assert_eq!(world.outside().await.secrets().await, 0);
    agent.shutdown().await;
}
