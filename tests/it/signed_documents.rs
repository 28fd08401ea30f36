//! US-OPS-15, AC2 where an object store is configured: a contract's signed document is in it, or there is no contract.

use bindery_agent::config::Documents;
use bindery_agent::http::permissions::Role;
use bindery_schema::secret::Secret;
use bindery_tests::api::{Api, small};
use bindery_tests::servers::Server;
use bindery_tests::world::World;
use serde_json::{Value, json};

const CONTRACTS: &str = "/tps-contracts";
const ACCESS_KEY: &str = "q7w3-never-shown";

fn inbound() -> Value {
    json!({"mno": "carrier", "ref": "IN", "direction": "INBOUND", "contractedTps": 50, "effectiveFrom": "2026-01-01",
        "document": "s3://contracts/2026/carrier-in.pdf"})
}

/// Puts something into the object store; a path with one name makes a bucket.
async fn put(store: &Server, path: &str, body: &'static str) {
    let url = format!("http://127.0.0.1:{}/{path}", store.port);
    let answer = reqwest::Client::new().put(url).body(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_needs_its_document_in_the_object_store() {
    let mut world = World::new().await;
    let mut store = Server::s3(&world.dir.path().join("s3")).await;
    world.config.documents = Some(Documents {
        endpoint: Some(format!("http://127.0.0.1:{}", store.port)),
        region: "us-east-1".to_owned(),
        access_key_id: "bindery".to_owned(),
        secret_access_key: Secret::new(ACCESS_KEY).into(),
    });
    let agent = small(&world).await;
    let finn = Api::of(&world, &agent, "finn", Role::Finance);
    let before = world.head().id();

    // Neither the bucket nor, later, the document.
    for bucket in [None, Some("contracts")] {
        if let Some(bucket) = bucket {
            put(&store, bucket, "").await;
        }
        for path in [CONTRACTS, "/tps-contracts?dryRun=true"] {
            let refused = finn.post(path, &inbound()).await;
            assert_eq!(refused.problem(), (422, "DOCUMENT_NOT_FOUND"), "{}", refused.body);
            assert!(refused.body["detail"].as_str().unwrap().contains("s3://contracts/2026/carrier-in.pdf"));
        }
    }
    assert_eq!(world.head().id(), before);

    put(&store, "contracts/2026/carrier-in.pdf", "signed").await;
    let created = finn.post(CONTRACTS, &inbound()).await;
    assert_eq!(created.status, 201, "{}", created.body);

    // Nobody can tell while the store is down; what names no new document needs no answer of it.
    store.program.kill();
    let made = world.head().id();
    let path = "/tps-contracts/carrier:INBOUND:IN";
    let unknown = finn.patch(path, &json!({"document": "s3://contracts/other.pdf"})).await;
    assert_eq!(unknown.problem(), (503, "STORE_UNAVAILABLE"), "{}", unknown.body);
    assert!(!unknown.body.to_string().contains(ACCESS_KEY));
    assert_eq!(world.head().id(), made);
    assert_eq!(finn.patch(path, &json!({"contractedTps": 60})).await.status, 200);
    agent.shutdown().await;
}
