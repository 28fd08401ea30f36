//! Lists: filters, a search, and pages that stay in place while things come and go.

use bindery_agent::http::permissions::Role;
use bindery_tests::api::{Api, small};
use bindery_tests::documents;
use bindery_tests::world::{World, until_applied};
use serde_json::Value;

/// Ids of a list, read page by page.
async fn all(api: &Api, path: &str, limit: usize) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let answer = api.get(&format!("{path}{separator}limit={limit}{cursor}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let items = answer.body["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Value::String(next) = &answer.body["nextCursor"] else { return ids };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_their_pages_hold_each_item_once() {
    let world = World::new().await;
    let agent = small(&world).await;
    let idle = |id: &str| documents::operator(id, "other", &format!("{id}.Example"), None) + "  status: INACTIVE\n";
    let commit = world.commit(
        "More",
        &[
            ("operators/other/mno.yaml", Some(documents::mno("other").replace("country: AF", "country: KE"))),
            ("operators/other/idle-1.yaml", Some(idle("idle-1"))),
            ("operators/other/idle-2.yaml", Some(idle("idle-2"))),
            ("operators/carrier/second.yaml", Some(documents::operator("second", "carrier", "second.example", None))),
            (
                "operators/carrier/first.routes.yaml",
                Some(documents::routes("first", &["9370", "9371", "9372", "9471"])),
            ),
        ],
    );
    until_applied(&agent, commit).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let table: [(&str, &[&str]); 17] = [
        ("/operators", &["first", "idle-1", "idle-2", "second"]),
        ("/operators?mno=carrier", &["first", "second"]),
        ("/operators?status=INACTIVE", &["idle-1", "idle-2"]),
        ("/operators?status=ACTIVE&mno=other", &[]),
        ("/operators?country=KE", &["idle-1", "idle-2"]),
        ("/operators?country=AF&q=SECOND", &["second"]),
        ("/operators?q=le-2.example", &["idle-2"]),
        ("/operators?q=sys-idle", &["idle-1", "idle-2"]),
        ("/operators?q=%25", &[]),
        ("/mnos", &["carrier", "other"]),
        ("/mnos?country=KE", &["other"]),
        ("/mnos?q=CARRIER%20o", &["other"]),
        ("/tps-contracts?mno=carrier", &["carrier:OUTBOUND:OUT"]),
        ("/tps-contracts?direction=INBOUND", &[]),
        ("/operators/first/routing-rules?prefix=%2B937", &["9370", "9371", "9372"]),
        ("/operators/first/routing-rules?prefix=94", &["9471"]),
        ("/tenants/bank/reservations?mno=carrier", &["carrier:OUTBOUND:2026-01-01"]),
    ];
    for (path, expected) in table {
        for limit in [1, 2, 100] {
            assert_eq!(all(&ana, path, limit).await, expected, "{path} by {limit}");
        }
    }
    for bad in ["/operators?status=idle", "/operators?limit=0", "/operators?cursor=%21", "/tps-contracts?direction=UP"]
    {
        assert_eq!(ana.get(bad).await.problem(), (400, "BAD_REQUEST"), "{bad}");
    }

    // A cursor goes on behind what was seen, whatever came or went before it.
    let page = ana.get("/operators?status=ACTIVE&limit=1").await.body;
    let next = page["nextCursor"].as_str().unwrap().to_owned();
    let commit = world.commit(
        "One before",
        &[("operators/carrier/aaa.yaml", Some(documents::operator("aaa", "carrier", "aaa.example", None)))],
    );
    until_applied(&agent, commit).await;
    let rest = ana.get(&format!("/operators?status=ACTIVE&limit=9&cursor={next}")).await.body;
    assert_eq!((&page["items"][0]["id"], &rest["items"][0]["id"]), (&"first".into(), &"second".into()));
    agent.shutdown().await;
}
