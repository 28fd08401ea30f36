//! US-OPS-05 over HTTP, a test for each acceptance criterion.

use bindery_agent::http::permissions::Role;
use bindery_tests::api::{Api, small};
use bindery_tests::world::{World, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const RULES: &str = "/operators/first/routing-rules";
const RULE: &str = "/operators/first/routing-rules/9379";

fn new() -> Value {
    json!({"prefix": "+9379", "priority": 10, "cost": {"amount": "0.0110", "currency": "EUR"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn ac1_a_rule_is_created() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let created = ana.post(RULES, &new()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!((&created.body["id"], &created.body["prefix"]), (&json!("9379"), &json!("+9379")));
    assert_eq!(created.location.as_deref(), Some("/v1/admin/operators/first/routing-rules/9379"));
    assert_eq!(ana.get(RULE).await.body, created.body);
    assert_eq!(ana.post(RULES, &json!({"prefix": 9379})).await.problem(), (422, "VALIDATION_FAILED"));
    let nobody = ana.post("/operators/nobody/routing-rules", &new()).await;
    assert_eq!(nobody.problem(), (404, "OPERATOR_NOT_FOUND"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac2_a_rule_that_collides_is_a_conflict_that_names_the_other() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let second = json!({"id": "second", "mno": "carrier", "spec": {"displayName": "Second",
        "smpp": {"host": "second.example", "port": 2775, "systemId": "second"}, "tps": {"outbound": 20}}});
    assert_eq!(ana.post("/operators", &second).await.status, 201);
    let conflict = ana.post("/operators/second/routing-rules", &json!({"prefix": "+9370"})).await;
    assert_eq!(conflict.problem(), (409, "PREFIX_CONFLICT"), "{}", conflict.body);
    assert!(conflict.body["detail"].as_str().unwrap().contains("`first`"), "{}", conflict.body);
    assert_eq!(ana.post(RULES, &json!({"prefix": "+9370"})).await.problem(), (409, "PREFIX_CONFLICT"));
    // A failover is none.
    let failover = json!({"prefix": "+9370", "priority": 200});
    assert_eq!(ana.post("/operators/second/routing-rules", &failover).await.status, 201);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac3_priority_weight_and_cost_are_changed() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    assert_eq!(ana.post(RULES, &new()).await.status, 201);
    let changed = ana.patch(RULE, &json!({"priority": 20, "weight": 50, "cost": {"amount": "0.02"}})).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let shown = ana.get(RULE).await.body;
    assert_eq!(shown, changed.body);
    let expected = json!({"amount": "0.02", "currency": "EUR"});
    assert_eq!((&shown["priority"], &shown["weight"], &shown["cost"]), (&json!(20), &json!(50), &expected));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac4_a_deleted_rule_is_gone() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    assert_eq!(ana.post(RULES, &new()).await.status, 201);
    assert_eq!(ana.delete(RULE).await.status, 204);
    assert_eq!(ana.get(RULE).await.problem(), (404, "OBJECT_NOT_FOUND"));
    assert_eq!(ana.delete(RULE).await.problem(), (404, "OBJECT_NOT_FOUND"));
    assert_eq!(world.outside().await.column("select prefix from ops.routing_rules").await, ["9370"]);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac5_an_event_tells_of_each_change() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let mut steps = Vec::new();
    for (method, path, body) in [
        (Method::POST, RULES, new()),
        (Method::PATCH, RULE, json!({"priority": 20})),
        (Method::DELETE, RULE, json!(null)),
    ] {
        let answer = ana.request(method, path).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        steps.push(world.head().id().to_string());
    }
    eventually("an event each", async || {
        let updated = world.told("operator.config.updated.v1").await;
        let routes = updated.iter().filter(|data| data["changedFields"] == json!(["routes"]));
        routes.map(|data| data["commit"].as_str().unwrap().to_owned()).collect::<Vec<_>>() == steps
    })
    .await;
    agent.shutdown().await;
}
