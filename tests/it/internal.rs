use bindery_schema::wire::api::{OperatorView, Page, RoutingTable};
use serde_json::{Value, json};

use bindery_tests::listeners::Served;

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
