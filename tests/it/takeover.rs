//! The sync when something is away: a server, the leader, or the agent half-way through a step.

use bindery_agent::leader::fence::Fence;
use bindery_agent::store::postgres::{self, intents, sync_state};
use bindery_agent::store::redis::Entry;
use bindery_schema::secret::Secret;
use bindery_schema::wire::api::SyncPhase;
use bindery_tests::documents::operator;
use bindery_tests::world::{World, eventually, until, until_applied};

use crate::sync::{all_published, count, id, redis_text, small, without_time};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_applied_while_vault_is_away_and_everything_once_it_is_back() {
    let world = World::alone().await;
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
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let leader = world.agent().await;
    until_applied(&leader, first).await;
    let mut config = world.config.clone();
    config.data_dir = config.data_dir.with_file_name("second");
    let follower = bindery_agent::runtime::Agent::start(config).await.unwrap();
    let shown = until(&follower, "the leader's step", |status| {
        status.phase == SyncPhase::InSync && status.last_fetch_at.is_some()
    });
    let shown = shown.await;
    assert_eq!((shown.applied.unwrap().commit, shown.leads), (first.to_string(), false));
    assert_eq!(shown.wanted, Some(first.to_string()));
    let bad = world.commit("Bad", &[("operators/carrier/two.yaml", Some("kind: Nothing\n".to_owned()))]);
    let shown = until(&follower, "the leader's rejection", |status| status.phase == SyncPhase::Rejected).await;
    assert_eq!((shown.blocked.unwrap().commit, shown.wanted), (bad.to_string(), Some(bad.to_string())));
    world.point_branch_at(first);
    until(&follower, "the good commit", |status| status.phase == SyncPhase::InSync).await;
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
    let world = World::new().await;
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
        held: false,
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
    let world = World::new().await;
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
async fn an_emptied_cache_is_filled_anew() {
    let world = World::new().await;
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
