//! US-OPS-03 over HTTP, a test for each acceptance criterion: a deleted operator is history, and its endpoint is free.

use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use bindery_tests::api::{Answered, Api, OPERATORS, PASSWORD, premium, small};
use bindery_tests::world::{World, eventually, until_applied};
use serde_json::{Value, json};

const PREMIUM: &str = "/operators/carrier-premium";

/// A branch with the operators `carrier-premium` and `first`, of which the former is deleted.
async fn deleted(world: &World) -> (Agent, Api) {
    let agent = small(world).await;
    let ana = Api::of(world, &agent, "ana", Role::CarrierAdmin);
    assert_eq!(ana.post(OPERATORS, &premium("smpp.premium.example")).await.status, 201);
    world.let_go(&agent).await;
    assert_eq!(ana.delete(PREMIUM).await.status, 204);
    (agent, ana)
}

fn ids(answer: &Answered) -> Vec<Value> {
    answer.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ac1_a_deleted_operator_keeps_its_row() {
    let world = World::new().await;
    let (agent, _) = deleted(&world).await;
    assert_eq!(world.head().summary().unwrap().unwrap(), "Delete operator carrier-premium");
    let inactive = "select id from ops.operators where deleted_at is not null and status = 'INACTIVE'";
    let outside = world.outside().await;
    assert_eq!(outside.column(inactive).await, ["carrier-premium"]);
    let trail = "select count(*) from ops.audit_log where object like '%carrier-premium'";
    assert!(outside.count(trail).await >= 2, "created and deleted");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac2_a_deleted_operator_is_not_found() {
    let world = World::new().await;
    let (agent, ana) = deleted(&world).await;
    assert_eq!(ana.get(PREMIUM).await.problem(), (404, "OPERATOR_NOT_FOUND"));
    assert_eq!(ana.delete(PREMIUM).await.problem(), (404, "OPERATOR_NOT_FOUND"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac3_lists_show_deleted_operators_when_asked() {
    let world = World::new().await;
    let (agent, ana) = deleted(&world).await;
    assert_eq!(ids(&ana.get(OPERATORS).await), ["first"]);
    let all = ana.get("/operators?includeDeleted=true").await;
    assert_eq!(ids(&all), ["carrier-premium", "first"]);
    assert!(all.body["items"][0]["deletedAt"].is_string());
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac4_an_event_tells_of_the_deletion() {
    let world = World::new().await;
    let (agent, _) = deleted(&world).await;
    eventually("the event", async || {
        world.told("operator.config.deleted.v1").await.iter().any(|data| data["operatorId"] == "carrier-premium")
    })
    .await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac5_the_endpoint_is_free_for_a_new_id() {
    let world = World::new().await;
    let (agent, ana) = deleted(&world).await;
    let deletion = world.head().id();
    let again = ana.post(OPERATORS, &premium("smpp.premium.example")).await;
    assert_eq!((again.status, &again.body["id"]), (201, &json!("carrier-premium-2")), "{}", again.body);
    let mut same = premium("elsewhere.example");
    same["id"] = json!("carrier-premium");
    assert_eq!(ana.post(OPERATORS, &same).await.problem(), (409, "OPERATOR_ID_RETIRED"));
    // Who reverts the deletion gets the same operator back, with its password.
    assert_eq!(ana.delete("/operators/carrier-premium-2").await.status, 204);
    let before = world.git.find_commit(deletion).unwrap().parent(0).unwrap().tree().unwrap();
    let file = before.get_path("operators/carrier/carrier-premium.yaml".as_ref()).unwrap();
    let text = world.git.find_blob(file.id()).unwrap().content().to_vec();
    let text = String::from_utf8(text).unwrap();
    let back = world.commit("Revert", &[("operators/carrier/carrier-premium.yaml", Some(text))]);
    until_applied(&agent, back).await;
    assert_eq!(ana.get(PREMIUM).await.body["id"], "carrier-premium");
    assert_eq!(world.outside().await.password("carrier-premium").await.as_deref(), Some(PASSWORD));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_a_guardrail_holds_is_refused() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let before = world.head().id();
    assert_eq!(ana.delete("/operators/first").await.problem(), (409, "PLAN_HELD"));
    assert_eq!(world.head().id(), before);
    agent.shutdown().await;
}
