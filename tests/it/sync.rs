//! The sync against real servers: what arrives where, and once.

use bindery_agent::store::postgres;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::SyncPhase;
use bindery_tests::documents::{contract, mno, operator, routes};
use bindery_tests::world::{World, eventually, until, until_applied};
use serde_json::Value;
use sqlx::PgPool;

pub(crate) fn id(text: &str) -> OperatorId {
    text.parse().unwrap()
}

/// Two operators of one carrier, the first with a sealed password.
pub(crate) fn small(world: &World) -> Vec<(&'static str, Option<String>)> {
    let sealed = world.seal("one", "s3cret01");
    vec![
        ("operators/carrier/mno.yaml", Some(mno("carrier"))),
        ("contracts/carrier.yaml", Some(contract("carrier", 100))),
        ("operators/carrier/one.yaml", Some(operator("one", "carrier", "one.example", Some(&sealed)))),
        ("operators/carrier/one.routes.yaml", Some(routes("one", &["9370", "9371"]))),
        ("operators/carrier/two.yaml", Some(operator("two", "carrier", "two.example", None))),
        ("operators/carrier/two.routes.yaml", Some(routes("two", &["9379"]))),
    ]
}

pub(crate) fn without_time(events: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events.iter().map(|event| (text(&event["type"]), text(&event["subject"]))).collect()
}

async fn prefixes(pool: &PgPool) -> Vec<(String, String)> {
    sqlx::query_as("select operator_id, prefix from ops.routing_rules order by 1, 2").fetch_all(pool).await.unwrap()
}

pub(crate) async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

pub(crate) async fn all_published(pool: &PgPool) -> bool {
    postgres::outbox::count(pool).await.unwrap() == 0
}

pub(crate) async fn redis_text(world: &World, key: &str) -> Option<Value> {
    let redis = world.stores().await.redis;
    let text: Option<String> =
        redis::cmd("GET").arg(redis.key(key)).query_async(&mut redis.connection()).await.unwrap();
    text.map(|text| serde_json::from_str(&text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_arrives_in_all_four_stores() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    let status = until_applied(&agent, first).await;
    assert_eq!(status.applied.unwrap().generation, 1);
    let stores = world.stores().await;

    let one = stores.vault.read_credentials(&id("one")).await.unwrap().unwrap();
    assert_eq!((one.system_id.as_str(), one.password.expose()), ("sys-one", "s3cret01"));
    assert!(stores.vault.read_credentials(&id("two")).await.unwrap().is_none());

    let rules = prefixes(&stores.postgres).await;
    assert_eq!(rules, [("one", "9370"), ("one", "9371"), ("two", "9379")].map(|(o, p)| (o.into(), p.into())));
    assert_eq!(count(&stores.postgres, "select count(*) from ops.secret_intents").await, 0);
    assert_eq!(count(&stores.postgres, "select count(*) from routing.tenant_preferences").await, 1);

    assert_eq!(redis_text(&world, "ops:operator:one").await.unwrap()["smpp"]["host"], "one.example");
    let tps = redis_text(&world, "ops:tps:carrier:OUTBOUND").await.unwrap();
    assert_eq!((&tps["contracted"], &tps["reserved"], &tps["onDemandPool"]), (&100.into(), &10.into(), &90.into()));
    assert_eq!(redis_text(&world, "ops:catalog").await.unwrap()["generation"], 1);

    eventually("all is published", || all_published(&stores.postgres)).await;
    let events = world.events().await;
    let created = "operator.config.created.v1";
    let applied = ("ops.sync.applied.v1".to_owned(), first.to_string());
    assert_eq!(without_time(&events), [(created.into(), "one".into()), (created.into(), "two".into()), applied]);
    assert_eq!(events[0]["source"], "bindery/test");
    assert_eq!(events[0]["data"]["author"], "Ada Carrier <ada@example.org>");
    let text = serde_json::to_string(&events).unwrap();
    assert!(!text.contains("s3cret01") && !text.contains("AGE ENCRYPTED"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_applied_once_and_a_restart_adds_nothing() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let sealed = world.seal("one", "s3cret02");
    let second = world.commit(
        "Move, route, rotate, delete",
        &[
            ("operators/carrier/one.yaml", Some(operator("one", "carrier", "moved.example", Some(&sealed)))),
            ("operators/carrier/one.routes.yaml", Some(routes("one", &["9371", "9372"]))),
        ],
    );
    until_applied(&agent, second).await;
    let stores = world.stores().await;
    let one = stores.vault.read_credentials(&id("one")).await.unwrap().unwrap();
    assert_eq!((one.password.expose(), one.version), ("s3cret02", Some(2)));
    let changes: Vec<(String, String)> =
        sqlx::query_as("select prefix, change from ops.routing_changes where generation = 2 order by prefix")
            .fetch_all(&stores.postgres)
            .await
            .unwrap();
    assert_eq!(changes, [("9370".into(), "removed".into()), ("9372".into(), "added".into())]);
    assert_eq!(redis_text(&world, "ops:operator:one").await.unwrap()["smpp"]["host"], "moved.example");
    agent.shutdown().await;

    let agent = world.agent().await;
    let status = until_applied(&agent, second).await;
    assert_eq!(status.applied.unwrap().generation, 2);
    eventually("all is published", || all_published(&stores.postgres)).await;
    let events = world.events().await;
    assert_eq!(events.len(), 5);
    assert_eq!(events[3]["type"], "operator.config.updated.v1");
    assert_eq!(events[3]["data"]["changedFields"], serde_json::json!(["smpp.host", "routes", "credentials"]));
    assert_eq!(stores.vault.version(&id("one")).await.unwrap(), Some(2));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_operator_comes_back_with_its_password() {
    for (name, world) in [("v2", World::new().await), ("v1", World::with_versionless_vault().await)] {
        let first = world.commit("First", &small(&world));
        let agent = world.agent().await;
        until_applied(&agent, first).await;
        let gone = world
            .commit("Delete", &[("operators/carrier/one.yaml", None), ("operators/carrier/one.routes.yaml", None)]);
        // One of two is more than a quarter.
        let held = until(&agent, "a held plan", |status| status.phase == SyncPhase::Held).await;
        let blocked = held.blocked.unwrap();
        assert_eq!((blocked.commit, blocked.holds.len()), (gone.to_string(), 1), "{name}");
        let stores = world.stores().await;
        assert_eq!(prefixes(&stores.postgres).await.len(), 3);
        let release = format!("Go on\n\nBindery-Allow: {}\n", blocked.plan_hash.unwrap());
        let released = world.commit(&release, &[]);
        until_applied(&agent, released).await;
        assert!(stores.vault.read_credentials(&id("one")).await.unwrap().is_none(), "{name}");
        assert_eq!(prefixes(&stores.postgres).await, [("two".into(), "9379".into())]);
        assert!(redis_text(&world, "ops:operator:one").await.is_none());
        let status: (String, bool) =
            sqlx::query_as("select status, deleted_at is not null from ops.operators where id = 'one'")
                .fetch_one(&stores.postgres)
                .await
                .unwrap();
        assert_eq!(status, ("INACTIVE".into(), true));

        let back = world.commit("Revert", &small(&world)[2..4]);
        until_applied(&agent, back).await;
        let one = stores.vault.read_credentials(&id("one")).await.unwrap().unwrap();
        assert_eq!(one.password.expose(), "s3cret01", "{name}");
        eventually("all is published", || all_published(&stores.postgres)).await;
        let types: Vec<String> = without_time(&world.events().await).into_iter().skip(3).map(|event| event.0).collect();
        let expected = [
            "ops.sync.held.v1",
            "operator.config.deleted.v1",
            "ops.sync.applied.v1",
            "operator.config.restored.v1",
            "ops.sync.applied.v1",
        ];
        assert_eq!(types, expected, "{name}");
        agent.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_commit_leaves_the_last_good_one() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let bad = world.commit(
        "Two operators on one endpoint",
        &[(
            "operators/carrier/two.yaml",
            Some(operator("two", "carrier", "one.example", None).replace("sys-two", "sys-one")),
        )],
    );
    let status = until(&agent, "a rejection", |status| status.phase == SyncPhase::Rejected).await;
    let blocked = status.blocked.unwrap();
    assert_eq!(blocked.commit, bad.to_string());
    assert!(blocked.findings.iter().any(|finding| finding["code"] == "BND0401"), "{:?}", blocked.findings);
    assert_eq!(status.applied.unwrap().commit, first.to_string());
    assert!(agent.shared().metrics.encode().unwrap().contains("bindery_commit_rejected 1"));
    let stores = world.stores().await;
    agent.shutdown().await;
    // Neither polls nor a restart say it again.
    let agent = world.agent().await;
    until(&agent, "the same rejection", |status| status.phase == SyncPhase::Rejected).await;
    let good = world.commit(
        "Another endpoint",
        &[("operators/carrier/two.yaml", Some(operator("two", "carrier", "three.example", None)))],
    );
    until_applied(&agent, good).await;
    eventually("all is published", || all_published(&stores.postgres)).await;
    let events = without_time(&world.events().await);
    let told = events.iter().filter(|event| event.0 == "ops.sync.rejected.v1").count();
    assert_eq!(told, 1);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_sealed_for_another_operator_rejects_the_commit() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let sealed = world.seal("one", "s3cret09");
    world.commit(
        "Copy a password",
        &[("operators/carrier/two.yaml", Some(operator("two", "carrier", "two.example", Some(&sealed))))],
    );
    let status = until(&agent, "a rejection", |status| status.phase == SyncPhase::Rejected).await;
    let reason = status.blocked.unwrap().reason;
    assert!(reason.contains("`two`") && !reason.contains("s3cret09"), "{reason}");
    let stores = world.stores().await;
    assert!(stores.vault.read_credentials(&id("two")).await.unwrap().is_none());
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_push_and_a_lost_clone_are_followed() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let moved = operator("two", "carrier", "moved.example", None);
    let second = world.commit("Second", &[("operators/carrier/two.yaml", Some(moved))]);
    let agent = world.agent().await;
    until_applied(&agent, second).await;
    world.point_branch_at(first);
    until_applied(&agent, first).await;
    assert_eq!(redis_text(&world, "ops:operator:two").await.unwrap()["smpp"]["host"], "two.example");
    agent.shutdown().await;

    std::fs::remove_dir_all(world.clone_of_agent()).unwrap();
    let other = operator("two", "carrier", "other.example", None);
    let third = world.commit("Third", &[("operators/carrier/two.yaml", Some(other))]);
    let agent = world.agent().await;
    let status = until_applied(&agent, third).await;
    assert_eq!(status.applied.unwrap().generation, 3);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_a_killed_agent_left_in_its_clone_is_removed() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    agent.shutdown().await;

    let lock = world.clone_of_agent().join("refs/bindery/tip.lock");
    let file = std::fs::File::create(&lock).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    let moved = operator("two", "carrier", "moved.example", None);
    let second = world.commit("Second", &[("operators/carrier/two.yaml", Some(moved))]);
    let agent = world.agent().await;
    until_applied(&agent, second).await;
    assert!(!lock.exists());
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_operator_keeps_its_password_and_its_rules() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let stores = world.stores().await;
    let soon = jiff::Timestamp::now() + std::time::Duration::from_secs(2);
    let sealed = world.seal("one", "s3cret01");
    let renamed = |at: &str| {
        operator("uno", "carrier", "one.example", Some(&sealed)).replace("sys-uno", "sys-one").replace(
            "metadata: {id: uno, mno: carrier}",
            &format!("metadata: {{id: uno, mno: carrier, renamedFrom: {{id: one, effectiveAt: \"{at}\"}}}}"),
        )
    };
    let second = world.commit(
        "Rename",
        &[
            ("operators/carrier/one.yaml", None),
            ("operators/carrier/one.routes.yaml", None),
            ("operators/carrier/uno.yaml", Some(renamed(&soon.to_string()))),
            ("operators/carrier/uno.routes.yaml", Some(routes("uno", &["9370", "9371"]))),
        ],
    );
    until_applied(&agent, second).await;
    until(&agent, "the rename", |status| status.applied.as_ref().is_some_and(|applied| applied.generation == 3)).await;
    assert!(jiff::Timestamp::now() >= soon);
    until_applied(&agent, second).await;
    let uno = stores.vault.read_credentials(&id("uno")).await.unwrap().unwrap();
    assert_eq!(uno.password.expose(), "s3cret01");
    assert!(stores.vault.read_credentials(&id("one")).await.unwrap().is_none());
    let rules = prefixes(&stores.postgres).await;
    assert_eq!(rules, [("two", "9379"), ("uno", "9370"), ("uno", "9371")].map(|(o, p)| (o.into(), p.into())));
    let noted = "select count(*) from ops.routing_changes where generation = 3";
    assert_eq!(count(&stores.postgres, noted).await, 4);
    assert!(redis_text(&world, "ops:operator:one").await.is_none());
    assert!(redis_text(&world, "ops:operator:uno").await.is_some());
    eventually("all is published", || all_published(&stores.postgres)).await;
    let events = world.events().await;
    let event = events.iter().find(|event| event["type"] == "operator.config.renamed.v1").unwrap();
    assert_eq!((&event["data"]["oldId"], &event["data"]["newId"]), (&"one".into(), &"uno".into()));
    agent.shutdown().await;
}
