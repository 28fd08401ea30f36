//! US-OPS-04, a test for each acceptance criterion: the one place a password leaves.

use bindery_schema::wire::api::OperatorCredentials;
use serde_json::json;

use bindery_tests::listeners::{PASSWORD, Served, answer};

#[tokio::test]
async fn ac3_without_a_certificate_there_is_no_handshake() {
    let world = Served::new().await;
    let url = world.internal_url("/v1/internal/operators/af-roshan-1/credentials");
    let error = world.client(None).get(&url).send().await.unwrap_err();
    assert!(error.status().is_none(), "there must be no HTTP answer: {error:?}");
    let plain = reqwest::get(url.replace("https://localhost", "http://127.0.0.1")).await;
    assert!(plain.is_err());
}

#[tokio::test]
async fn ac1_ac2_the_allow_list_gets_the_password_and_nobody_else() {
    let world = Served::new().await;
    world.operator("af-roshan-1", "ACTIVE", json!({})).await;
    world.operator("af-roshan-2", "ACTIVE", json!({})).await;
    world.operator("af-roshan-3", "ACTIVE", json!({})).await;
    world.sql("update ops.operators set deleted_at = now() where id = 'af-roshan-3'").await;
    world.password("af-roshan-1").await;
    world.password("af-roshan-3").await;
    let path = |id: &str| format!("/v1/internal/operators/{id}/credentials");

    let url = world.internal_url(&path("af-roshan-1"));
    let response = world.client(Some(world.connector())).get(url).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (status, body) = answer(response).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["password"], PASSWORD);
    assert_eq!(body["smpp"]["systemId"], "bindery");
    assert_eq!(
        (&body["operatorId"], &body["mnoId"], &body["generation"]),
        (&json!("af-roshan-1"), &json!("af-roshan"), &json!(7))
    );
    assert_eq!(body["version"], 1);
    let typed: OperatorCredentials = serde_json::from_value(body).unwrap();
    assert!(!format!("{typed:?}").contains(PASSWORD));

    for identity in [&world.stack.pki.other, &world.reader] {
        let (status, body) = world.internal(identity, &path("af-roshan-1")).await;
        assert_eq!((status, &body["code"]), (403, &json!("FORBIDDEN")));
        assert!(!body.to_string().contains(PASSWORD));
    }
    let table = [
        ("af-roshan-2", 404, "CREDENTIALS_NOT_SET"),
        ("af-roshan-3", 404, "OPERATOR_NOT_FOUND"),
        ("af-roshan-9", 404, "OPERATOR_NOT_FOUND"),
        ("No%20Id%00", 404, "OPERATOR_NOT_FOUND"),
        ("..%2f..%2fsys", 404, "OPERATOR_NOT_FOUND"),
    ];
    for (id, expected, code) in table {
        let (status, body) = world.internal(world.connector(), &path(id)).await;
        assert_eq!((status, &body["code"]), (expected, &json!(code)), "{id}: {body}");
    }
    let metrics = world.ops("/metrics").await.text().await.unwrap();
    for line in
        [r#"credentials_requests_total{outcome="ok"} 1"#, r#"{outcome="forbidden"} 2"#, r#"{outcome="not_set"} 1"#]
    {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains(PASSWORD));
}

#[tokio::test]
async fn ac4_a_sealed_vault_and_a_lost_database_are_outages() {
    let world = Served::alone().await;
    world.operator("af-roshan-1", "ACTIVE", json!({})).await;
    world.password("af-roshan-1").await;
    let path = "/v1/internal/operators/af-roshan-1/credentials";
    assert_eq!(world.internal(world.connector(), path).await.0, 200);

    world.stack.vault.seal().await.unwrap();
    let sealed = world.internal(world.connector(), path).await;
    let ready = answer(world.ops("/health/ready").await).await;
    let rest = world.internal(world.connector(), "/v1/internal/operators/af-roshan-1").await;
    world.stack.vault.unseal().await.unwrap();
    assert_eq!((sealed.0, &sealed.1["code"]), (503, &json!("VAULT_UNAVAILABLE")), "{}", sealed.1);
    assert_eq!((ready.0, &ready.1["components"]["vault"]["detail"]), (503, &json!("sealed")), "{}", ready.1);
    assert_eq!(ready.1["components"]["postgres"]["status"], "UP");
    assert_eq!(rest.0, 200, "what needs no password goes on");

    world.stack.postgres.kill().await;
    let lost = world.internal(world.connector(), path).await;
    let ready = answer(world.ops("/health/ready").await).await;
    let live = world.ops("/health/live").await.status();
    world.stack.postgres.start().await.unwrap();
    assert_eq!((lost.0, &lost.1["code"]), (503, &json!("STORE_UNAVAILABLE")), "{}", lost.1);
    assert_eq!((ready.0, &ready.1["components"]["postgres"]["status"]), (503, &json!("DOWN")), "{}", ready.1);
    assert_eq!(live, 200);

    assert_eq!(world.internal(world.connector(), path).await.0, 200, "both are back");
    assert_eq!(world.ops("/health/ready").await.status(), 200);
}
