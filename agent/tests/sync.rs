//! The sync against real servers: what arrives where, once, and what happens when something is away.

#![expect(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

mod world;

use bindery_agent::leader::fence::Fence;
use bindery_agent::store::postgres::{self, intents, sync_state};
use bindery_agent::store::redis::Entry;
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::SyncPhase;
use serde_json::Value;
use sqlx::PgPool;
use world::{World, contract, eventually, mno, operator, routes, until, until_applied};

const POLICY: &str = "apiVersion: bindery/v1\nkind: Policy\nspec: {guardrails: {maxEndpointChanges: {percent: 100}}}\n";

fn id(text: &str) -> OperatorId {
    text.parse().unwrap()
}

/// Two operators of one carrier, the first with a sealed password.
fn small(world: &World) -> Vec<(&'static str, Option<String>)> {
    let sealed = world.seal("one", "s3cret01");
    vec![
        ("operators/carrier/mno.yaml", Some(mno("carrier"))),
        ("contracts/carrier.yaml", Some(contract("carrier", 100))),
        ("operators/carrier/one.yaml", Some(operator("one", "carrier", "one.example", Some(&sealed)))),
        ("operators/carrier/one.routes.yaml", Some(routes("one", &["9370", "9371"]))),
        ("operators/carrier/two.yaml", Some(operator("two", "carrier", "two.example", None))),
        ("operators/carrier/two.routes.yaml", Some(routes("two", &["9379"]))),
        // One of two operators that moves would be half of them.
        ("policy.yaml", Some(POLICY.to_owned())),
    ]
}

fn without_time(events: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events.iter().map(|event| (text(&event["type"]), text(&event["subject"]))).collect()
}

async fn prefixes(pool: &PgPool) -> Vec<(String, String)> {
    sqlx::query_as("select operator_id, prefix from ops.routing_rules order by 1, 2").fetch_all(pool).await.unwrap()
}

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

async fn all_published(pool: &PgPool) -> bool {
    postgres::outbox::count(pool).await.unwrap() == 0
}

async fn redis_text(world: &World, key: &str) -> Option<Value> {
    let redis = world.stores().await.redis;
    let text: Option<String> =
        redis::cmd("GET").arg(redis.key(key)).query_async(&mut redis.connection()).await.unwrap();
    text.map(|text| serde_json::from_str(&text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_arrives_in_all_four_stores() {
    let world = World::new("arrives").await;
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
    let world = World::new("changes").await;
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
    for (name, world) in [("v2", World::new("revert").await), ("v1", World::with_versionless_vault("revert1").await)] {
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
    let world = World::new("rejected").await;
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
    let world = World::new("sealed").await;
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
    let world = World::new("forced").await;
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
async fn an_emptied_cache_is_filled_anew() {
    let world = World::new("flushed").await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let redis = world.stores().await.redis;
    let keys = ["ops:catalog", "ops:operator:one", "ops:operator:two"].map(|key| redis.key(key));
    redis::cmd("DEL").arg(&keys).query_async::<()>(&mut redis.connection()).await.unwrap();
    redis::cmd("SET")
        .arg(redis.key("ops:operator:stranger"))
        .arg("{}")
        .query_async::<()>(&mut redis.connection())
        .await
        .unwrap();
    eventually("the cache is full again", || async {
        redis_text(&world, "ops:catalog").await.is_some()
            && redis_text(&world, "ops:operator:one").await.is_some()
            && redis_text(&world, "ops:operator:stranger").await.is_none()
    })
    .await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_applied_while_vault_is_away_and_everything_once_it_is_back() {
    let world = World::alone("outage").await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let stores = world.stores().await;

    world.stack.vault.kill().await;
    let sealed = world.seal("one", "s3cret02");
    let second = world.commit(
        "Rotate",
        &[("operators/carrier/one.yaml", Some(operator("one", "carrier", "moved.example", Some(&sealed))))],
    );
    let status = until(&agent, "a retry", |status| status.phase == SyncPhase::Retrying).await;
    assert_eq!(status.blocked.unwrap().reason, "Vault does not answer");
    let state = sync_state::read(&mut stores.postgres.acquire().await.unwrap()).await.unwrap();
    assert_eq!(state.commit, Some(first.to_string()));
    world.stack.vault.restart().await.unwrap();
    until_applied(&agent, second).await;

    // Redis and NATS stop nothing; what they miss is made good.
    world.stack.redis.kill().await;
    world.stack.nats.kill().await;
    let moved = operator("two", "carrier", "later.example", None);
    let third = world.commit("Third", &[("operators/carrier/two.yaml", Some(moved))]);
    until_applied(&agent, third).await;
    assert!(agent.shared().metrics.encode().unwrap().contains("bindery_redis_degraded 1"));
    world.stack.redis.restart().await.unwrap();
    world.stack.nats.restart().await.unwrap();
    eventually("all is published", || all_published(&stores.postgres)).await;
    let shows_three =
        || async { redis_text(&world, "ops:catalog").await.is_some_and(|shown| shown["generation"] == 3) };
    eventually("the cache shows the third step", shows_three).await;

    // Postgres away: the agent waits and goes on.
    world.stack.postgres.kill().await;
    let moved = operator("two", "carrier", "last.example", None);
    let fourth = world.commit("Fourth", &[("operators/carrier/two.yaml", Some(moved))]);
    until(&agent, "a retry", |status| status.phase == SyncPhase::Retrying).await;
    world.stack.postgres.restart().await.unwrap();
    until_applied(&agent, fourth).await;
    eventually("all is published", || all_published(&stores.postgres)).await;
    let events = without_time(&world.events().await);
    assert_eq!(events.iter().filter(|event| event.0 == "ops.sync.applied.v1").count(), 4);
    assert_eq!(events.len(), 3 + 2 + 2 + 2);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_follows_and_takes_over() {
    let world = World::new("takeover").await;
    let first = world.commit("First", &small(&world));
    let leader = world.agent().await;
    until_applied(&leader, first).await;
    let mut config = world.config.clone();
    config.data_dir = config.data_dir.with_file_name("second");
    let follower = bindery_agent::runtime::Agent::start(config).await.unwrap();
    until(&follower, "the leader's step", |status| status.applied.is_some()).await;
    assert!(follower.shared().leading.borrow().is_none());
    leader.shutdown().await;
    let moved = operator("two", "carrier", "moved.example", None);
    let second = world.commit("Second", &[("operators/carrier/two.yaml", Some(moved))]);
    until_applied(&follower, second).await;
    let fences = "select fence from ops.sync_state";
    assert_eq!(count(&world.stores().await.postgres, fences).await, 2);
    follower.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_ahead_of_its_transaction_is_taken_back() {
    let world = World::new("ahead").await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    agent.shutdown().await;

    // As a crash between Vault and Postgres leaves it: intents and passwords of a commit that was not applied, and
    // that the branch no longer has.
    let stores = world.stores().await;
    let mut connection = stores.postgres.acquire().await.unwrap();
    let intent = |operator: &str, version| intents::Intent {
        operator: id(operator),
        action: intents::Action::Write,
        version: Some(version),
    };
    let gone = "0000000000000000000000000000000000000001";
    intents::record(&mut connection, gone, &[intent("one", 1), intent("two", 0)]).await.unwrap();
    let password = Secret::new("n0tthis1");
    stores.vault.write_credentials(&id("one"), "sys-one", &password, Some(1)).await.unwrap();
    stores.vault.write_credentials(&id("two"), "sys-two", &password, Some(0)).await.unwrap();

    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let one = stores.vault.read_credentials(&id("one")).await.unwrap().unwrap();
    assert_eq!(one.password.expose(), "s3cret01");
    assert!(stores.vault.read_credentials(&id("two")).await.unwrap().is_none());
    assert_eq!(count(&stores.postgres, "select count(*) from ops.secret_intents").await, 0);
    assert_eq!(count(&stores.postgres, "select generation from ops.sync_state").await, 1);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_overtaken_can_change_nothing() {
    let world = World::new("overtaken").await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    agent.shutdown().await;
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let moved = operator("two", "carrier", "moved.example", None);
    let second = world.commit("Second", &[("operators/carrier/two.yaml", Some(moved))]);
    until_applied(&agent, second).await;

    let stores = world.stores().await;
    let stale = Fence::new(1);
    let mut transaction = stores.postgres.begin().await.unwrap();
    let advanced = sync_state::advance(&mut transaction, "stale", stale.number(), 2).await;
    assert!(matches!(advanced, Err(postgres::Error::Fenced)));
    assert!(matches!(stale.hold(&mut transaction).await, Err(postgres::Error::Fenced)));
    let newest = sync_state::advance(&mut transaction, "no step of mine", 2, 1).await;
    assert!(matches!(newest, Err(postgres::Error::Fenced)));
    drop(transaction);
    // The cache refuses an older step as well.
    let entry = Entry { key: "ops:operator:two".to_owned(), value: Some("{}".to_owned()) };
    let refused = stores.redis.write(1, std::slice::from_ref(&entry)).await;
    assert!(matches!(refused, Err(bindery_agent::store::redis::Error::Newer)));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_operator_keeps_its_password_and_its_rules() {
    let world = World::new("renamed").await;
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

/// An agent in a process of its own, killed when dropped.
struct Child(std::process::Child);

impl Child {
    fn start(world: &World) -> Self {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bindery-agent"));
        Self(command.args(["run", "--config"]).arg(world.config_file()).env("RUST_LOG", "warn").spawn().unwrap())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_anywhere_in_a_large_step_resumes_without_loss_or_doubling() {
    const OPERATORS: usize = 200;
    let world = World::new("killed").await;
    let names: Vec<String> = (0..OPERATORS).map(|n| format!("bind-{n:03}")).collect();
    let mut files = vec![
        ("operators/carrier/mno.yaml".to_owned(), Some(mno("carrier"))),
        ("contracts/carrier.yaml".to_owned(), Some(contract("carrier", 100_000))),
    ];
    for (n, name) in names.iter().enumerate() {
        let sealed = world.seal(name, &format!("pass{n:04}"));
        let prefixes: Vec<String> = (0..20).map(|rule| format!("93{n:03}{rule:02}")).collect();
        let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let host = format!("{name}.example");
        files.push((format!("operators/carrier/{name}.yaml"), Some(operator(name, "carrier", &host, Some(&sealed)))));
        files.push((format!("operators/carrier/{name}.routes.yaml"), Some(routes(name, &prefixes))));
    }
    let files: Vec<(&str, Option<String>)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let commit = world.commit("Two hundred operators", &files);
    let stores = world.stores().await;
    let pool = &stores.postgres;
    postgres::migrate(pool).await.unwrap();

    // While passwords are being written, …
    let child = Child::start(&world);
    eventually("intents are noted", || async { count(pool, "select count(*) from ops.secret_intents").await > 0 })
        .await;
    drop(child);
    // … and while events are being published.
    let child = Child::start(&world);
    let begun = "select count(*) from ops.outbox where published_at is not null";
    eventually("events are published", || async { count(pool, begun).await > 0 }).await;
    drop(child);
    let child = Child::start(&world);
    eventually("all is published", || all_published(pool)).await;
    let state = sync_state::read(&mut pool.acquire().await.unwrap()).await.unwrap();
    assert_eq!((state.commit, state.generation), (Some(commit.to_string()), 1));
    assert_eq!(prefixes(pool).await.len(), OPERATORS * 20);
    assert_eq!(count(pool, "select count(*) from ops.secret_intents").await, 0);
    for (n, name) in names.iter().enumerate() {
        let kept = stores.vault.read_credentials(&id(name)).await.unwrap().unwrap();
        assert_eq!(kept.password.expose(), format!("pass{n:04}"));
    }
    let events = without_time(&world.events().await);
    let created: Vec<&str> =
        events.iter().filter(|event| event.0 == "operator.config.created.v1").map(|event| event.1.as_str()).collect();
    assert_eq!(created, names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(events.len(), OPERATORS + 1);
    eventually("the cache is full", || async { redis_text(&world, "ops:operator:bind-199").await.is_some() }).await;
    drop(child);
}
