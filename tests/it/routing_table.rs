//! The forms of the routing table, and what changed since a step.

use std::collections::BTreeMap;

use bindery_client::table::Table;
use bindery_schema::value::{E164Prefix, OperatorId};
use bindery_schema::wire::api::{RouteRow, RoutingTable};
use bindery_schema::wire::routing::{COMPACT, LINES, LinesEnd, LinesHead, RoutingChanges};
use bindery_tests::documents::{operator, routes};
use bindery_tests::listeners::{Served, answer, client};
use bindery_tests::world::{World, until_applied};
use reqwest::Response;
use serde_json::json;

use crate::sync::small;

/// A file of a commit: its path, and its text where it stays.
type File = (&'static str, Option<String>);

const PATH: &str = "/v1/internal/routing-table";

async fn get(world: &Served, accept: &str, tag: Option<&str>) -> Response {
    let request = world.client(Some(&world.reader)).get(world.internal_url(PATH)).header("accept", accept);
    tag.map_or(request.try_clone().unwrap(), |tag| request.header("if-none-match", tag)).send().await.unwrap()
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn every_form_says_the_same_and_has_a_tag_of_its_own() {
    let world = Served::new().await;
    for id in ["af-roshan-1", "af-roshan-2"] {
        world.operator(id, "ACTIVE", json!({})).await;
    }
    world.operator("af-roshan-3", "INACTIVE", json!({})).await;
    world
        .sql(
            "insert into ops.routing_rules (operator_id, prefix, priority, weight, cost, currency, active)
             select 'af-roshan-' || (1 + n % 3), (93700000 + n / 3)::text, 100 - n % 3, 50, 0.0110, 'EUR', n % 7 > 0
             from generate_series(1, 30000) n;
             insert into ops.routing_rules (operator_id, prefix, priority, weight, active)
             values ('af-roshan-2', '93', 1, 0, true)",
        )
        .await;
    let json = get(&world, "*/*", None).await;
    assert_eq!((header(&json, "etag"), header(&json, "vary")), ("\"g7\"", "accept"));
    let table: RoutingTable = json.json().await.unwrap();
    assert!(table.rows.len() > 10_000, "{}", table.rows.len());

    let lines = get(&world, LINES, None).await;
    assert_eq!((header(&lines, "etag"), header(&lines, "content-type")), ("\"g7-lines\"", LINES));
    let text = lines.text().await.unwrap();
    let (head, rows) = text.trim_end().split_once('\n').unwrap();
    let (rows, end) = rows.rsplit_once('\n').unwrap();
    let head: LinesHead = serde_json::from_str(head).unwrap();
    let end: LinesEnd = serde_json::from_str(end).unwrap();
    let rows: Vec<RouteRow> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!((head.generation, head.commit.as_deref(), end.rows), (7, Some("c0ffee"), rows.len() as u64));
    assert!(rows == table.rows, "the lines are not the rows of the document");

    let compact = get(&world, COMPACT, None).await;
    assert_eq!((header(&compact, "etag"), header(&compact, "content-type")), ("\"g7-v1\"", COMPACT));
    let packed = compact.bytes().await.unwrap();
    let decoded = Table::decode(&packed).unwrap();
    assert_eq!((decoded.generation(), decoded.commit()), (7, Some("c0ffee")));
    assert!(decoded.rows().eq(table.rows.iter().cloned()), "the compact rows are not those of the document");
    // Made once for a step, and anew for the next.
    assert_eq!(get(&world, COMPACT, None).await.bytes().await.unwrap(), packed);
    for (accept, tag, status) in
        [(COMPACT, "\"g7-v1\"", 304), (LINES, "\"g7-lines\"", 304), (COMPACT, "\"g7\"", 200), (LINES, "\"g7-v1\"", 200)]
    {
        assert_eq!(get(&world, accept, Some(tag)).await.status(), status, "{accept} {tag}");
    }
    world
        .sql(
            "delete from ops.routing_rules where operator_id = 'af-roshan-1'; update ops.sync_state set generation = 8",
        )
        .await;
    let next = get(&world, COMPACT, Some("\"g7-v1\"")).await;
    assert_eq!(header(&next, "etag"), "\"g8-v1\"");
    let next = Table::decode(&next.bytes().await.unwrap()).unwrap();
    assert_eq!((next.generation(), next.operators().len()), (8, 1));

    let (status, problem) = answer(get(&world, "text/html", None).await).await;
    assert_eq!((status, &problem["code"]), (406, &json!("NOT_ACCEPTABLE")));
}

#[tokio::test]
async fn a_table_without_rows_is_one_in_every_form() {
    let world = Served::new().await;
    let table: RoutingTable = get(&world, "application/json", None).await.json().await.unwrap();
    assert!(table.rows.is_empty());
    assert_eq!(get(&world, LINES, None).await.text().await.unwrap().lines().count(), 2);
    let packed = get(&world, COMPACT, None).await.bytes().await.unwrap();
    assert_eq!((Table::decode(&packed).unwrap().generation(), Table::decode(&packed).unwrap().route_count()), (7, 0));
}

/// Applies changes to rows, as a client in any language would.
fn applied(rows: &[RouteRow], changes: &RoutingChanges) -> Vec<RouteRow> {
    let mut by_key: BTreeMap<(E164Prefix, OperatorId), RouteRow> =
        rows.iter().map(|row| ((row.prefix, row.operator.clone()), row.clone())).collect();
    for change in &changes.changes {
        let (prefix, operator) = (change.prefix, change.operator.clone());
        by_key.remove(&(prefix, operator.clone()));
        if let Some(terms) = change.route {
            let row = RouteRow { prefix, operator, priority: terms.priority, weight: terms.weight, cost: terms.cost };
            by_key.insert((prefix, row.operator.clone()), row);
        }
    }
    let mut rows: Vec<RouteRow> = by_key.into_values().collect();
    rows.sort_by(|a, b| (a.prefix, a.priority, &a.operator).cmp(&(b.prefix, b.priority, &b.operator)));
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_every_kind_lead_from_any_step_to_the_newest_table() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    world.let_go(&agent).await;
    let url = format!("https://localhost:{}{PATH}", agent.listeners().internal.port());
    let http = client(&world.stack.pki.ca, Some(&world.stack.pki.smpp_connector));
    let table = async || -> RoutingTable { http.get(&url).send().await.unwrap().json().await.unwrap() };
    let file = |path: &str| world.file(path).unwrap();
    let two = "operators/carrier/two.yaml";
    let rules = "operators/carrier/two.routes.yaml";
    let uno = operator("uno", "carrier", "one.example", Some(&world.seal("one", "s3cret01")))
        .replace("sys-uno", "sys-one")
        .replace("mno: carrier}", "mno: carrier, renamedFrom: {id: one, effectiveAt: \"2026-01-01T00:00:00Z\"}}");
    let off = file(two).replace("  displayName:", "  status: INACTIVE\n  displayName:");
    let steps: Vec<(&str, Vec<File>)> = vec![
        ("rules come and go", vec![(rules, Some(routes("two", &["9378", "93791"])))]),
        (
            "a rule changes",
            vec![(rules, Some(routes("two", &["9378", "93791"]).replace("\"+9378\"", "\"+9378\", weight: 7")))],
        ),
        ("switched off, and a rule comes", vec![(two, Some(off)), (rules, Some(routes("two", &["9378", "9377"])))]),
        ("switched on", vec![(two, Some(file(two)))]),
        (
            "renamed",
            vec![
                ("operators/carrier/one.yaml", None),
                ("operators/carrier/one.routes.yaml", None),
                ("operators/carrier/uno.yaml", Some(uno)),
                ("operators/carrier/uno.routes.yaml", Some(routes("uno", &["9370", "9371"]))),
            ],
        ),
        ("deleted", vec![(two, None), (rules, None)]),
        ("restored", vec![(two, Some(file(two))), (rules, Some(routes("two", &["9378"])))]),
    ];
    let mut tables = vec![table().await];
    for (what, files) in steps {
        until_applied(&agent, world.commit(what, &files)).await;
        tables.push(table().await);
        let newest = tables.last().unwrap();
        for before in &tables {
            let asked = format!("{url}/changes?since={}", before.generation);
            let (status, body) = answer(http.get(asked).send().await.unwrap()).await;
            assert_eq!(status, 200, "{what}: {body}");
            let changes: RoutingChanges = serde_json::from_value(body).unwrap();
            assert_eq!((changes.since, changes.generation), (before.generation, newest.generation), "{what}");
            assert_eq!(applied(&before.rows, &changes), newest.rows, "{what}, from {}", before.generation);
            let client = Table::from_json(before).unwrap().changed(&changes).unwrap();
            assert!(client.rows().eq(newest.rows.iter().cloned()), "{what}, from {}", before.generation);
        }
    }
    assert!(tables.windows(2).all(|pair| pair[0].rows != pair[1].rows), "a step changed nothing");

    let newest = tables.last().unwrap().generation;
    for (since, expected) in [(0, 410), (newest, 200), (newest + 1, 410), (-1, 410)] {
        let (status, body) = answer(http.get(format!("{url}/changes?since={since}")).send().await.unwrap()).await;
        assert_eq!(status, expected, "{since}: {body}");
        assert!(status == 200 || body["code"] == "CHANGES_GONE", "{body}");
    }
    for (bad, says) in [("", "missing field `since`"), ("?since=x", "since: ")] {
        let (status, body) = answer(http.get(format!("{url}/changes{bad}")).send().await.unwrap()).await;
        let detail = body["detail"].as_str().unwrap_or_default();
        assert_eq!((status, &body["code"]), (400, &json!("BAD_REQUEST")), "{bad}: {body}");
        assert!(detail.contains(says), "{bad}: {body}");
    }
    agent.shutdown().await;
}
