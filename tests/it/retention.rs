//! History that has lost its worth goes; what is owed or still decides something stays.

use bindery_agent::leader::fence::Fence;
use bindery_agent::retention;
use bindery_tests::documents::operator;
use bindery_tests::world::{World, eventually, until_applied};

use crate::sync::{all_published, count, id, small};

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_go_in_batches_and_old_passwords_for_good() {
    let mut world = World::new().await;
    world.config.retention.outbox_days = 2;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let blocked =
        world.commit("Delete", &[("operators/carrier/one.yaml", None), ("operators/carrier/one.routes.yaml", None)]);
    let status = bindery_tests::world::until(&agent, "a held plan", |status| status.blocked.is_some()).await;
    let hash = status.blocked.unwrap().plan_hash.unwrap();
    let second = world.commit(&format!("Go on\n\nBindery-Allow: {hash}\n"), &[]);
    until_applied(&agent, second).await;
    assert_ne!(blocked, second);
    let (stores, owner) = (world.stores().await, world.outside().await);
    eventually("all is published", || all_published(&stores.postgres)).await;
    let fence = agent.shared().leading.borrow().unwrap();

    retention::prune(agent.shared(), fence).await.unwrap();
    assert_eq!(count(&stores.postgres, "select count(*) from ops.outbox").await, 6);
    assert_eq!(count(&stores.postgres, "select count(*) from ops.sync_runs").await, 3);
    assert_eq!(stores.vault.version(&id("one")).await.unwrap(), Some(1), "deleted, and can be brought back");

    // Months later.
    for sql in [
        "update ops.outbox set published_at = now() - interval '3 days' where seq < 3",
        "insert into ops.outbox (id, subject, object_id, payload, created_at, published_at)
         select gen_random_uuid(), 's', 'o', '{}', now(), now() - interval '3 days' from generate_series(1, 2500)",
        "insert into ops.idempotency_keys (key, request, created_at)
         select 'k' || n, 'r', now() - make_interval(days => n) from generate_series(0, 9) n",
        "update ops.routing_changes set at = now() - interval '31 days' where generation = 1",
        "update ops.sync_runs set finished_at = now() - interval '366 days'",
        "update ops.deleted_secrets set deleted_at = now() - interval '91 days'",
    ] {
        sqlx::query(sql).execute(&owner.postgres).await.unwrap();
    }
    retention::prune(agent.shared(), fence).await.unwrap();
    assert_eq!(count(&stores.postgres, "select count(*) from ops.outbox").await, 4);
    assert_eq!(count(&stores.postgres, "select count(distinct generation) from ops.routing_changes").await, 1);
    assert_eq!(count(&stores.postgres, "select count(*) from ops.idempotency_keys").await, 3);
    assert_eq!(count(&stores.postgres, "select count(*) from ops.sync_runs").await, 1, "the last one decides");
    assert_eq!(stores.vault.version(&id("one")).await.unwrap(), Some(0));
    assert_eq!(count(&stores.postgres, "select count(*) from ops.deleted_secrets").await, 0);

    // The operator still comes back, with the password git has.
    let sealed = world.seal("one", "s3cret03");
    let back = operator("one", "carrier", "one.example", Some(&sealed));
    let third = world.commit("Bring it back", &[("operators/carrier/one.yaml", Some(back))]);
    until_applied(&agent, third).await;
    let one = stores.vault.read_credentials(&id("one")).await.unwrap().unwrap();
    assert_eq!(one.password.expose(), "s3cret03");
    // A stale leader destroys nothing.
    assert!(retention::prune(agent.shared(), Fence::new(0)).await.is_err());
    agent.shutdown().await;
}
