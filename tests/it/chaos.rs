//! A short fault campaign, and that its checks see what is amiss. `make chaos` runs long ones.

use bindery_tests::chaos::plan::Shape;
use bindery_tests::chaos::{self, Campaign, Options, Violation};
use bindery_tests::stack::Servers;
use serde_json::json;
use sqlx::AssertSqlSafe;

#[tokio::test(flavor = "multi_thread")]
async fn every_invariant_holds_after_a_short_campaign() {
    let keep = tempfile::tempdir().unwrap();
    let shape = Shape { operations: 80, check_every: 100, rest: 400 };
    let options = Options { seed: 7, shape, limit: None, keep: keep.path().to_owned() };
    let report = Box::pin(chaos::run(&options, Servers::own().await, |_, _| {})).await.unwrap();
    let journal = std::fs::read_to_string(keep.path().join("journal.log")).unwrap();
    assert!(report.violations.is_empty(), "{:#?}\n{journal}", report.violations);
    assert_eq!(report.operations, 80 + 1, "{journal}");
    // A campaign that does nothing violates nothing.
    for (what, least) in [("commits", 20), ("applied steps", 2), ("events", 20)] {
        assert!(report.totals[what] > least, "{what}: {report}\n{journal}");
    }
    let calls = report.totals["calls accepted"] + report.totals["calls refused"];
    assert!(calls > 5, "{report}\n{journal}");
}

/// Whether a violation of an invariant says so.
fn says(found: &[Violation], invariant: &str, text: &str) -> bool {
    found.iter().any(|violation| violation.invariant == invariant && violation.difference.contains(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_what_is_amiss() {
    let keep = tempfile::tempdir().unwrap();
    let shape = Shape { operations: 0, check_every: 100, rest: 0 };
    let options = Options { seed: 8, shape, limit: None, keep: keep.path().to_owned() };
    let mut campaign = Box::pin(Campaign::begin(&options, Servers::shared().await)).await.unwrap();
    campaign.silence().unwrap();
    assert_eq!(Box::pin(campaign.check()).await.unwrap(), []);

    let outside = campaign.world().outside().await;
    let leak = campaign.password(1);
    let by_hand = [
        "update ops.operators set tps_outbound = 7 where id = 'first-0'".to_owned(),
        "delete from ops.routing_rules where operator_id = 'first-1'".to_owned(),
        "update ops.leases set fence = 0".to_owned(),
        "update ops.sync_runs set previous_commit = 'c0ffee' where generation = 1".to_owned(),
        "delete from ops.outbox where object_id = 'first-2'".to_owned(),
        format!(
            "insert into ops.audit_log (actor, action, object, generation)
             values ('{leak}', 'operator.update', 'operator/first-3', 1)"
        ),
    ];
    for sql in by_hand {
        assert_eq!(
            sqlx::query(AssertSqlSafe(&*sql)).execute(&outside.postgres).await.unwrap().rows_affected(),
            1,
            "{sql}"
        );
    }
    let again = json!({"id": "an-event", "type": "operator.config.created.v1", "subject": "first-4", "data": {"generation": 1}});
    outside.publish("operator.config.created.v1", &again).await;
    outside.forget("ops:operator:first-5").await;
    assert!(outside.delete_secret("first-6").await);
    campaign.world().commit("Call\n\nBindery-Request: nobody\n", &[]);

    let found = Box::pin(campaign.check()).await.unwrap();
    for (invariant, text) in [
        ("stores", "unknown: first-0|"),
        ("stores", "missing: first-1|"),
        ("stores", "missing: ops:operator:first-5 "),
        ("stores", "first-6 has no password"),
        ("leases", "a number has become smaller"),
        ("leases", "does not follow"),
        ("events", "unknown: an-event"),
        ("events", "told more than once: [\"1 create first-4\"]"),
        ("events", "missing: 1 update first-3"),
        ("history", "nobody made: nobody"),
        ("secrets", "passwords in postgres ops.audit_log"),
    ] {
        assert!(says(&found, invariant, text), "{invariant}: {text}\n{found:#?}");
    }
    assert!(found.iter().all(|violation| !violation.difference.contains(&leak)), "a violation shows a password");
}
