use bindery_schema::wire::api::{OperatorCredentials, OperatorView, Page, RoutingTable};
use serde_json::{Value, json};

use bindery_tests::listeners::{PASSWORD, Served, answer};

#[tokio::test]
async fn no_certificate_no_handshake() {
    let world = Served::new().await;
    let url = world.internal_url("/v1/internal/operators");
    let error = world.client(None).get(&url).send().await.unwrap_err();
    assert!(error.status().is_none(), "there must be no HTTP answer: {error:?}");
    let plain = reqwest::get(url.replace("https://localhost", "http://127.0.0.1")).await;
    assert!(plain.is_err());
}

#[tokio::test]
async fn credentials_go_to_the_allow_list_alone() {
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
async fn a_sealed_vault_and_a_lost_database_are_outages() {
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

#[tokio::test]
async fn operators_come_in_pages_without_secrets() {
    let world = Served::new().await;
    for n in 1..=5 {
        world.operator(&format!("af-roshan-{n}"), "ACTIVE", json!({})).await;
    }
    world.sql("update ops.operators set deleted_at = now() where id = 'af-roshan-4'").await;
    let (mut seen, mut path) = (Vec::new(), "/v1/internal/operators?limit=2".to_owned());
    loop {
        let (status, body) = world.internal(&world.reader, &path).await;
        assert_eq!(status, 200, "{body}");
        assert!(!body.to_string().contains("must never be shown") && !body.to_string().contains("password"));
        let page: Page<OperatorView> = serde_json::from_value(body).unwrap();
        seen.extend(page.items.into_iter().map(|operator| operator.operator_id.to_string()));
        let Some(cursor) = page.next_cursor else { break };
        path = format!("/v1/internal/operators?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["af-roshan-1", "af-roshan-2", "af-roshan-3", "af-roshan-5"]);
    let by_mno = world.internal(&world.reader, "/v1/internal/operators?mno=unheard-of").await.1;
    assert_eq!(by_mno["items"], json!([]));
    assert_eq!(world.internal(&world.reader, "/v1/internal/operators/af-roshan-1").await.1["smpp"]["port"], 2775);
    assert_eq!(world.internal(&world.reader, "/v1/internal/operators/af-roshan-4").await.0, 404);
    for bad in ["limit=0", "limit=1001", "limit=x", "cursor=%21"] {
        let (status, body) = world.internal(&world.reader, &format!("/v1/internal/operators?{bad}")).await;
        assert_eq!((status, &body["code"]), (400, &json!("BAD_REQUEST")), "{bad}");
    }
    assert_eq!(world.internal(&world.stack.pki.other, "/v1/internal/operators").await.0, 403);
}

#[tokio::test]
async fn the_routing_table_holds_what_takes_traffic() {
    let world = Served::new().await;
    for (id, status) in
        [("af-roshan-1", "ACTIVE"), ("af-roshan-2", "ACTIVE"), ("af-roshan-3", "INACTIVE"), ("af-roshan-4", "ACTIVE")]
    {
        world.operator(id, status, json!({})).await;
    }
    world.sql("update ops.operators set deleted_at = now() where id = 'af-roshan-4'").await;
    world
        .sql(
            "insert into ops.routing_rules (operator_id, prefix, priority, weight, cost, currency, active) values
         ('af-roshan-2', '9379', 100, 50, 0.0110, 'EUR', true), ('af-roshan-1', '9379', 200, 100, null, null, true),
         ('af-roshan-1', '93', 100, 100, null, null, true), ('af-roshan-1', '937', 100, 100, null, null, false),
         ('af-roshan-3', '9378', 100, 100, null, null, true), ('af-roshan-4', '9377', 100, 100, null, null, true)",
        )
        .await;
    let get = |tag: Option<&str>| {
        let request = world.client(Some(&world.reader)).get(world.internal_url("/v1/internal/routing-table"));
        tag.map_or(request.try_clone().unwrap(), |tag| request.header("if-none-match", tag)).send()
    };
    let response = get(None).await.unwrap();
    assert_eq!(response.headers()["etag"], "\"g7\"");
    let table: RoutingTable = response.json().await.unwrap();
    assert_eq!((table.generation, table.commit.as_deref()), (7, Some("c0ffee")));
    let rows: Vec<Value> = table.rows.iter().map(|row| json!(row)).collect();
    assert_eq!(
        rows,
        [
            json!({ "prefix": "+93", "operator": "af-roshan-1", "priority": 100, "weight": 100, "cost": null }),
            json!({ "prefix": "+9379", "operator": "af-roshan-2", "priority": 100, "weight": 50, "cost": { "amount": "0.011", "currency": "EUR" } }),
            json!({ "prefix": "+9379", "operator": "af-roshan-1", "priority": 200, "weight": 100, "cost": null }),
        ]
    );
    let known = get(Some("\"g7\"")).await.unwrap();
    assert_eq!((known.status().as_u16(), known.headers()["etag"].to_str().unwrap()), (304, "\"g7\""));
    assert!(known.bytes().await.unwrap().is_empty());

    world.sql("delete from ops.routing_rules").await;
    world
        .sql(
            "insert into ops.routing_rules select 'af-roshan-1', (10000000 + n)::text, 100, 100, null, null, true
         from generate_series(1, 200000) n",
        )
        .await;
    world.sql("update ops.sync_state set generation = 8").await;
    let large: RoutingTable = get(Some("\"g7\"")).await.unwrap().json().await.unwrap();
    assert_eq!((large.generation, large.rows.len()), (8, 200_000));
    assert!(large.rows.is_sorted_by_key(|row| row.prefix));
}
