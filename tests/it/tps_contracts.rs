//! US-OPS-15 and 17 over HTTP, a test for each acceptance criterion: contracts, and what tenants reserve of them.

use bindery_agent::http::permissions::Role;
use bindery_tests::api::{Api, small};
use bindery_tests::world::World;
use serde_json::{Value, json};

const CONTRACTS: &str = "/tps-contracts";
const OUT: &str = "/tps-contracts/carrier:OUTBOUND:OUT";
const RESERVATIONS: &str = "/tenants/shop/reservations";

fn inbound() -> Value {
    json!({"mno": "carrier", "ref": "IN", "direction": "INBOUND", "contractedTps": 50, "effectiveFrom": "2026-01-01",
        "document": "s3://contracts/carrier-in.pdf",
        "fineSchedule": [{"overPercent": 10, "fine": {"amount": "5", "currency": "EUR"}, "per": "HOUR"}]})
}

fn reserve(tps: u32) -> Value {
    json!({"mno": "carrier", "direction": "OUTBOUND", "reservedTps": tps})
}

#[tokio::test(flavor = "multi_thread")]
async fn us_ops_15_ac1_a_contract_is_a_row_with_its_bounds_and_fines() {
    let world = World::new().await;
    let agent = small(&world).await;
    let finn = Api::of(&world, &agent, "finn", Role::Finance);
    let created = finn.post(CONTRACTS, &inbound()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let row = "select concat_ws(' ', mno_id, bind_direction, contracted_tps, effective_from, coalesce(effective_to::text, '-'),
        contract_ref, jsonb_typeof(fine_schedule)) from ops.tps_contracts where bind_direction = 'INBOUND'";
    assert_eq!(world.outside().await.column(row).await, ["carrier INBOUND 50 2026-01-01 - IN array"]);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn us_ops_15_ac2_contracts_are_managed_and_need_a_document() {
    let world = World::new().await;
    let agent = small(&world).await;
    let finn = Api::of(&world, &agent, "finn", Role::Finance);
    let mut without = inbound();
    without.as_object_mut().unwrap().remove("document");
    assert_eq!(finn.post(CONTRACTS, &without).await.problem(), (422, "VALIDATION_FAILED"));
    let created = finn.post(CONTRACTS, &inbound()).await;
    assert_eq!((created.status, &created.body["id"]), (201, &json!("carrier:INBOUND:IN")), "{}", created.body);
    let path = "/tps-contracts/carrier:INBOUND:IN";
    assert_eq!(finn.get(path).await.body, created.body);
    let longer = finn.patch(path, &json!({"effectiveTo": "2030-01-01"})).await;
    assert_eq!((longer.status, &longer.body["effectiveTo"]), (200, &json!("2030-01-01")), "{}", longer.body);
    assert_eq!(finn.patch(path, &json!({"document": null})).await.problem(), (422, "VALIDATION_FAILED"));
    assert_eq!(finn.delete(path).await.status, 204);
    assert_eq!(finn.get(path).await.problem(), (404, "OBJECT_NOT_FOUND"));
    // The binds that share a contract are shown with it.
    assert_eq!(finn.get(OUT).await.body["binds"], json!([{"operator": "first", "tps": 20}]));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn us_ops_15_ac3_contracts_of_one_direction_do_not_overlap() {
    let world = World::new().await;
    let agent = small(&world).await;
    let finn = Api::of(&world, &agent, "finn", Role::Finance);
    assert_eq!(finn.post(CONTRACTS, &inbound()).await.status, 201);
    let mut overlapping = inbound();
    overlapping["ref"] = json!("IN2");
    assert_eq!(finn.post(CONTRACTS, &overlapping).await.problem(), (409, "CONTRACT_OVERLAP"));
    let path = "/tps-contracts/carrier:INBOUND:IN";
    assert_eq!(finn.patch(path, &json!({"effectiveTo": "2030-01-01"})).await.status, 200);
    overlapping["effectiveFrom"] = json!("2030-01-01");
    let next = finn.post(CONTRACTS, &overlapping).await;
    assert_eq!(next.status, 201, "{}", next.body);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn us_ops_17_ac1_ac2_tenants_never_reserve_more_than_the_contract_allows() {
    let world = World::new().await;
    let agent = small(&world).await;
    let finn = Api::of(&world, &agent, "finn", Role::Finance);
    let sum = "select sum(reserved_tps)::bigint from routing.tenant_preferences where mno_id = 'carrier'";
    let too_much = finn.post(RESERVATIONS, &reserve(91)).await;
    assert_eq!(too_much.problem(), (409, "RESERVATION_EXCEEDS_CONTRACT"), "{}", too_much.body);
    // What is free at that moment is said.
    assert!(too_much.body["detail"].as_str().unwrap().contains("100"), "{}", too_much.body);
    assert_eq!(world.outside().await.count(sum).await, 10);
    let reserved = finn.post(RESERVATIONS, &reserve(90)).await;
    assert_eq!((reserved.status, &reserved.body["reservedTps"]), (201, &json!(90)), "{}", reserved.body);
    assert_eq!(world.outside().await.count(sum).await, 100);
    let path = format!("{RESERVATIONS}/{}", reserved.body["id"].as_str().unwrap());
    let more = finn.patch(&path, &json!({"reservedTps": 91})).await;
    assert_eq!(more.problem(), (409, "RESERVATION_EXCEEDS_CONTRACT"), "{}", more.body);
    assert_eq!(finn.patch(&path, &json!({"reservedTps": 45})).await.body["reservedTps"], 45);
    assert_eq!(finn.delete(&path).await.status, 204);
    assert_eq!(finn.get(&path).await.problem(), (404, "OBJECT_NOT_FOUND"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn us_ops_17_ac3_the_on_demand_pool_is_what_is_not_reserved() {
    let world = World::new().await;
    let agent = small(&world).await;
    let finn = Api::of(&world, &agent, "finn", Role::Finance);
    assert_eq!(finn.get(OUT).await.body["pool"], json!({"contracted": 100, "reserved": 10, "onDemandPool": 90}));
    assert_eq!(finn.post(RESERVATIONS, &reserve(40)).await.status, 201);
    assert_eq!(finn.get(OUT).await.body["pool"], json!({"contracted": 100, "reserved": 50, "onDemandPool": 50}));
    assert_eq!(world.outside().await.cached("ops:tps:carrier:OUTBOUND").await.unwrap()["onDemandPool"], 50);
    let metrics =
        reqwest::get(format!("http://{}/metrics", agent.listeners().ops)).await.unwrap().text().await.unwrap();
    for line in [
        r#"bindery_tps_contracted{mno="carrier",direction="OUTBOUND"} 100"#,
        r#"bindery_tps_reserved{mno="carrier",direction="OUTBOUND"} 50"#,
        r#"bindery_tps_on_demand_pool{mno="carrier",direction="OUTBOUND"} 50"#,
        r#"bindery_tps_on_demand_pool{mno="carrier",direction="INBOUND"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n") && metrics.matches("# EOF").count() == 1);
    agent.shutdown().await;
}
