//! US-OPS-05 over HTTP, with contracts and reservations (US-OPS-15, 17).

use bindery_agent::http::permissions::Role;
use bindery_tests::api::{Api, small};
use bindery_tests::world::{World, eventually};
use serde_json::{Value, json};

const RULES: &str = "/operators/first/routing-rules";

async fn updates(world: &World) -> usize {
    let events = world.outside().await.events_of("operator.config.updated.v1").await;
    events.iter().filter(|event| event["data"]["changedFields"] == json!(["routes"])).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_created_changed_and_deleted_with_an_event_each() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let new = json!({"prefix": "+9379", "priority": 10, "cost": {"amount": "0.0110", "currency": "EUR"}});
    let created = ana.post(RULES, &new).await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!((&created.body["id"], &created.body["prefix"]), (&json!("9379"), &json!("+9379")));
    assert_eq!(created.location.as_deref(), Some("/v1/admin/operators/first/routing-rules/9379"));

    let rule = format!("{RULES}/9379");
    let changed = ana.patch(&rule, &json!({"priority": 20, "weight": 50, "cost": {"amount": "0.02"}})).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let shown = ana.get(&rule).await.body;
    assert_eq!(shown, changed.body);
    let expected = json!({"amount": "0.02", "currency": "EUR"});
    assert_eq!((&shown["priority"], &shown["weight"], &shown["cost"]), (&json!(20), &json!(50), &expected));
    let ids =
        |list: &Value| list["items"].as_array().unwrap().iter().map(|rule| rule["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&ana.get(RULES).await.body), ["9370", "9379"]);
    let page = ana.get(&format!("{RULES}?limit=1")).await.body;
    let next = format!("{RULES}?cursor={}", page["nextCursor"].as_str().unwrap());
    assert_eq!((ids(&page), ids(&ana.get(&next).await.body)), (vec![json!("9370")], vec![json!("9379")]));

    assert_eq!(ana.delete(&rule).await.status, 204);
    assert_eq!(ana.get(&rule).await.problem(), (404, "OBJECT_NOT_FOUND"));
    assert_eq!(ana.delete(&rule).await.problem(), (404, "OBJECT_NOT_FOUND"));
    assert_eq!(world.outside().await.column("select prefix from ops.routing_rules").await, ["9370"]);
    eventually("an event each", async || updates(&world).await == 3).await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_collides_is_a_conflict_that_names_the_other() {
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
    assert_eq!(ana.post("/operators/nobody/routing-rules", &failover).await.problem(), (404, "OPERATOR_NOT_FOUND"));
    assert_eq!(ana.post(RULES, &json!({"prefix": 9379})).await.problem(), (422, "VALIDATION_FAILED"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_and_reservations_never_promise_more_than_there_is() {
    let world = World::new().await;
    let agent = small(&world).await;
    let finn = Api::of(&world, &agent, "finn", Role::Finance);
    let contract = json!({"mno": "carrier", "ref": "IN", "direction": "INBOUND", "contractedTps": 50,
        "effectiveFrom": "2026-01-01", "document": "s3://contracts/carrier-in.pdf"});
    let created = finn.post("/tps-contracts", &contract).await;
    assert_eq!((created.status, &created.body["id"]), (201, &json!("carrier:INBOUND:IN")), "{}", created.body);
    let mut overlapping = contract.clone();
    overlapping["ref"] = json!("IN2");
    assert_eq!(finn.post("/tps-contracts", &overlapping).await.problem(), (409, "CONTRACT_OVERLAP"));
    let mut without = contract.clone();
    without["document"].take();
    assert_eq!(finn.post("/tps-contracts", &without).await.problem(), (422, "VALIDATION_FAILED"));
    let longer = finn.patch("/tps-contracts/carrier:INBOUND:IN", &json!({"effectiveTo": "2030-01-01"})).await;
    assert_eq!((longer.status, &longer.body["effectiveTo"]), (200, &json!("2030-01-01")), "{}", longer.body);

    let out = finn.get("/tps-contracts/carrier:OUTBOUND:OUT").await.body;
    assert_eq!(out["pool"], json!({"contracted": 100, "reserved": 10, "onDemandPool": 90}));
    assert_eq!(out["binds"], json!([{"operator": "first", "tps": 20}]));
    let reserve = |tps: u32| json!({"mno": "carrier", "direction": "OUTBOUND", "reservedTps": tps});
    let too_much = finn.post("/tenants/shop/reservations", &reserve(91)).await;
    assert_eq!(too_much.problem(), (409, "RESERVATION_EXCEEDS_CONTRACT"), "{}", too_much.body);
    let reserved = finn.post("/tenants/shop/reservations", &reserve(40)).await;
    assert_eq!((reserved.status, &reserved.body["reservedTps"]), (201, &json!(40)), "{}", reserved.body);
    let path = format!("/tenants/shop/reservations/{}", reserved.body["id"].as_str().unwrap());
    assert_eq!(finn.patch(&path, &json!({"reservedTps": 45})).await.body["reservedTps"], 45);
    assert_eq!(finn.get("/tps-contracts/carrier:OUTBOUND:OUT").await.body["pool"]["onDemandPool"], 45);
    assert_eq!(world.outside().await.cached("ops:tps:carrier:OUTBOUND").await.unwrap()["onDemandPool"], 45);
    assert_eq!(finn.delete(&path).await.status, 204);
    assert_eq!(finn.get(&path).await.problem(), (404, "OBJECT_NOT_FOUND"));
    assert_eq!(finn.delete("/tps-contracts/carrier:INBOUND:IN").await.status, 204);
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
    let tip = || world.git.refname_to_id("refs/heads/main").unwrap();
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
