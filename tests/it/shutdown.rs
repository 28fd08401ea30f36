//! An agent that is told to end in the middle of a sync.

use bindery_tests::program::{Agent, signal};
use bindery_tests::world::{World, eventually};

use crate::sync::small;

/// Waits until the agent's transaction waits for a lock on the rules, which is the middle of a step.
async fn is_in_the_transaction(outside: &bindery_tests::outside::Outside) {
    let waiting = "select count(*) from pg_locks where not granted and relation = 'ops.routing_rules'::regclass";
    eventually("the step is in its transaction", async || outside.count_if_there(waiting).await == Some(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_under_way_is_finished_or_taken_up_again() {
    let world = World::new().await;
    let outside = world.outside().await;
    bindery_agent::store::postgres::migrate(&world.config.postgres).await.unwrap();
    let first = world.commit("First", &small(&world));
    let lock = async || {
        let mut lock = outside.postgres.begin().await.unwrap();
        sqlx::query("lock table ops.routing_rules in share mode").execute(&mut *lock).await.unwrap();
        lock
    };

    // It cannot come to its end in time: nothing of it is there, and the program ends in order.
    let held = lock().await;
    let agent = Agent::start(&world.config).await;
    is_in_the_transaction(&outside).await;
    agent.program.stop().await;
    assert_eq!(outside.count("select generation from ops.sync_state").await, 0);
    assert_eq!(outside.count("select count(*) from ops.operators").await, 0);
    assert_eq!(outside.count("select count(*) from ops.leases where expires_at > now()").await, 0);
    held.rollback().await.unwrap();

    // It can: the step is finished before the program ends.
    let held = lock().await;
    let agent = Agent::start(&world.config).await;
    is_in_the_transaction(&outside).await;
    signal("TERM", &agent.program.id().to_string());
    eventually("it has begun to end", async || reqwest::get(format!("{}/health/live", agent.ops)).await.is_err()).await;
    held.rollback().await.unwrap();
    agent.program.stop().await;
    assert_eq!(outside.column("select applied_commit from ops.sync_state").await, [first.to_string()]);
    assert_eq!(outside.count("select count(*) from ops.secret_intents").await, 0);
    assert_eq!(outside.password("one").await.as_deref(), Some("s3cret01"));
}
