//! The audit trail: who changed what, and that nobody changes it.

use bindery_agent::http::permissions::Role;
use bindery_tests::documents::operator;
use bindery_tests::world::{World, until_applied};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::control::say;
use crate::sync::small;

/// Lets a handful of operators move and go.
const LENIENT: &str = "apiVersion: bindery/v1\nkind: Policy\nspec:\n  guardrails:\n    maxDeletes: {percent: 100}\n    \
                       maxEndpointChanges: {percent: 100}\n";

async fn refused(pool: &PgPool, sql: &'static str) -> (String, String) {
    let error = sqlx::raw_sql(sql).execute(pool).await.unwrap_err();
    let error = error.as_database_error().unwrap();
    (error.code().unwrap().into_owned(), error.message().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_has_an_exact_row_that_stays() {
    let world = World::new().await;
    world.commit("Nothing yet", &[]);
    let mut files = small(&world);
    files.push(("policy.yaml", Some(LENIENT.to_owned())));
    let first = world.commit("First", &files);
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let sealed = world.seal("one", "s3cret02");
    let changed = operator("one", "carrier", "moved.example", Some(&sealed));
    let second = world.commit("Move one", &[("operators/carrier/one.yaml", Some(changed))]);
    until_applied(&agent, second).await;
    let third = world
        .commit("Delete one", &[("operators/carrier/one.yaml", None), ("operators/carrier/one.routes.yaml", None)]);
    until_applied(&agent, third).await;

    let reader = world.token("rita", Role::ReadOnly);
    let read = async |path: &str| say(&agent, &reader, (Method::GET, path), None).await;
    let (status, page) = read("/audit?object=one").await;
    assert_eq!(status, 200, "{page}");
    let items = page["items"].as_array().unwrap();
    let (deletion, update, creation) = (&items[0], &items[1], &items[2]);
    assert_eq!(items.len(), 3);
    for (entry, action, commit, generation) in
        [(deletion, "delete", third, 3), (update, "update", second, 2), (creation, "create", first, 1)]
    {
        assert_eq!(entry["action"], format!("operator.{action}"));
        assert_eq!(entry["object"], "operator/one");
        assert_eq!((&entry["actor"], &entry["committer"]), (&json!("Ada Carrier <ada@example.org>"), &entry["actor"]));
        assert_eq!((&entry["via"], &entry["commit"]), (&json!("commit"), &json!(commit.to_string())));
        assert_eq!((&entry["generation"], entry["planHash"].as_str().unwrap().len()), (&json!(generation), 64));
    }
    let created = creation["detail"]["fields"].as_array().unwrap();
    assert!(created.iter().all(|field| field["before"].is_null()));
    let host = created.iter().find(|field| field["path"] == "smpp.host").unwrap();
    assert_eq!(host["after"], "one.example");
    assert_eq!(creation["detail"]["routes"], json!({ "added": 2, "updated": 0, "removed": 0 }));
    assert_eq!(creation["detail"]["credentials"], "write");
    let field = json!({ "path": "smpp.host", "before": "one.example", "after": "moved.example" });
    let none = json!({ "added": 0, "updated": 0, "removed": 0 });
    let expected = json!({ "mno": "carrier", "fields": [field], "routes": none, "credentials": "write" });
    assert_eq!(update["detail"], expected);
    let detail = &deletion["detail"];
    assert_eq!(
        (&detail["before"]["smpp"]["host"], &detail["credentials"]),
        (&json!("moved.example"), &json!("delete"))
    );
    let prefixes = detail["routes"]["changes"]["removed"].as_array().unwrap();
    assert_eq!(prefixes.iter().map(|rule| &rule["prefix"]).collect::<Vec<_>>(), ["+9370", "+9371"]);

    let (_, all) = read("/audit?limit=1000").await;
    let text = all.to_string();
    for secret in ["s3cret01", "s3cret02", "AGE ENCRYPTED", "sealed"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    by_time_and_page(&read, all["items"].as_array().unwrap()).await;
    assert_eq!(read("/audit?since=yesterday").await.1["code"], "BAD_REQUEST");
    let finance = world.token("finn", Role::Finance);
    assert_eq!(say(&agent, &finance, (Method::GET, "/audit"), None).await.0, 403);

    // The role the agent runs as has no right to try; whoever owns the table runs into the trigger.
    let (stores, owner) = (world.stores().await, world.outside().await);
    for sql in ["update ops.audit_log set actor = 'x'", "delete from ops.audit_log", "truncate ops.audit_log"] {
        let denied = ("42501".to_owned(), "permission denied for table audit_log".to_owned());
        assert_eq!(refused(&stores.postgres, sql).await, denied, "{sql}");
        let (_, message) = refused(&owner.postgres, sql).await;
        assert_eq!(message, "rows of ops.audit_log are only ever added", "{sql}");
    }
    for sql in ["alter table ops.audit_log disable trigger all", "drop table ops.audit_log", "create table ops.t ()"] {
        assert_eq!(refused(&stores.postgres, sql).await.0, "42501", "{sql}");
    }
    assert_eq!(read("/audit?object=one").await.1, page);
    agent.shutdown().await;
}

/// Every row is on one page only, and the bounds are since ≤ at < until.
async fn by_time_and_page(read: &impl AsyncFn(&str) -> (u16, Value), all: &[Value]) {
    let mut paged = Vec::new();
    let mut path = "/audit?limit=2".to_owned();
    loop {
        let (_, page) = read(&path).await;
        paged.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/audit?limit=2&cursor={cursor}");
    }
    assert_eq!(paged, all);
    let (newest, oldest) = (all.first().unwrap(), all.last().unwrap());
    let (_, none) = read(&format!("/audit?until={}", oldest["at"].as_str().unwrap())).await;
    assert!(none["items"].as_array().unwrap().is_empty(), "{none}");
    let (_, last) = read(&format!("/audit?since={}", newest["at"].as_str().unwrap())).await;
    let last = last["items"].as_array().unwrap();
    assert!(!last.is_empty() && last.iter().all(|entry| entry["generation"] == newest["generation"]), "{last:?}");
}
