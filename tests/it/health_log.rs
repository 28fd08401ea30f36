//! The log of health is kept in months: what was there before the months stays, old months go whole, nothing is lost.

use bindery_agent::leader::fence::Fence;
use bindery_agent::retention;
use bindery_agent::store::postgres::{self, health_log};
use bindery_tests::api::small;
use bindery_tests::listeners::Served;
use bindery_tests::world::World;
use sqlx::PgPool;

/// The tables of months and the default one, by name.
async fn tables(pool: &PgPool) -> Vec<String> {
    let sql = "select inhrelid::regclass::text from pg_inherits
               where inhparent = 'ops.operator_health_log'::regclass order by 1";
    sqlx::query_scalar(sql).fetch_all(pool).await.unwrap()
}

/// In which table each row lies, by id.
async fn places(pool: &PgPool) -> Vec<(i64, String)> {
    let sql = "select id, tableoid::regclass::text from ops.operator_health_log order by id";
    sqlx::query_as(sql).fetch_all(pool).await.unwrap()
}

async fn run(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_from_before_are_kept_with_their_ids() {
    let world = World::new().await;
    let owner = world.outside().await.postgres;
    let mut before = sqlx::migrate!("../agent/migrations");
    before.migrations.to_mut().retain(|migration| migration.version < 8);
    before.run(&owner).await.unwrap();
    run(
        &owner,
        "insert into ops.operator_health_log (operator_id, previous, state, reason, connector_id, at)
         select 'a', 'UNKNOWN', 'HEALTHY', 'reason ' || n, 'c' || n, timestamptz '2026-09-30T23:59:59Z' + make_interval(secs => n)
         from generate_series(0, 9) n;
         delete from ops.operator_health_log where id in (4, 10)",
    )
    .await;
    let rows =
        "select (to_jsonb(t) - 'id' || jsonb_build_object('n', id))::text from ops.operator_health_log t order by id";
    let kept: Vec<String> = sqlx::query_scalar(rows).fetch_all(&owner).await.unwrap();

    postgres::migrate(&world.config.postgres).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, String>(rows).fetch_all(&owner).await.unwrap(), kept);
    let found = places(&owner).await;
    assert_eq!(found[0], (1, "ops.operator_health_log_2026_09".to_owned()));
    assert!(found[1..].iter().all(|(_, table)| table == "ops.operator_health_log_2026_10"), "{found:?}");
    assert!(tables(&owner).await.contains(&"ops.operator_health_log_default".to_owned()));

    // An id that was given out once is not given out again, and the agent's own role adds rows and keeps the tables.
    let agent = world.stores().await.postgres;
    let id: i64 = sqlx::query_scalar(
        "insert into ops.operator_health_log (operator_id, previous, state, reason, at)
         values ('a', 'HEALTHY', 'UNKNOWN', 'silence', now()) returning id",
    )
    .fetch_one(&agent)
    .await
    .unwrap();
    assert_eq!(id, 11);
    assert!(places(&owner).await.iter().all(|(_, table)| !table.ends_with("default")), "this month has its table");
    assert_eq!(health_log::keep(&agent, 20_000).await.unwrap(), Vec::<String>::new());
    // It may not make or drop tables otherwise.
    for refused in
        ["select ops.add_health_log_month(now() + interval '5 years')", "drop table ops.operator_health_log_default"]
    {
        assert!(sqlx::raw_sql(refused).execute(&agent).await.is_err(), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn months_to_come_have_tables_and_old_ones_go_whole() {
    let mut world = World::new().await;
    world.config.retention.health_log_days = 100;
    let agent = small(&world).await;
    let (owner, pool) = (world.outside().await.postgres, world.stores().await.postgres);
    let fence = agent.shared().leading.borrow().unwrap();
    retention::prune(agent.shared(), fence).await.unwrap();
    // This month, two more, and what no month has a table for.
    assert_eq!(tables(&owner).await.len(), 4, "{:?}", tables(&owner).await);

    // Rows nobody made a table for in time; years go by.
    run(
        &owner,
        "insert into ops.operator_health_log (operator_id, previous, state, reason, at)
         select 'one', 'UNKNOWN', 'HEALTHY', 'r', now() - make_interval(days => n) from generate_series(400, 0, -10) n",
    )
    .await;
    let all = places(&owner).await;
    assert!(all.iter().any(|(_, table)| table.ends_with("default")));
    for months in ["12 months", "2 months", "1 month"] {
        let sql = format!("select ops.add_health_log_month(now() - interval '{months}')");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&owner).await.unwrap();
    }
    let ids = |rows: &[(i64, String)]| rows.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    let moved = places(&owner).await;
    assert_eq!(ids(&moved), ids(&all), "a table that is made later takes its rows over");
    assert_ne!(moved, all);

    retention::prune(agent.shared(), fence).await.unwrap();
    let left = places(&owner).await;
    let old: i64 = sqlx::query_scalar(
        "select count(*) from ops.operator_health_log where at < date_trunc('month', now() - interval '100 days')",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    let young: i64 =
        sqlx::query_scalar("select count(*) from ops.operator_health_log where at > now() - interval '100 days'")
            .fetch_one(&owner)
            .await
            .unwrap();
    assert_eq!((old, young), (0, 10));
    let extent = health_log::extent(&pool).await.unwrap();
    assert_eq!((extent.dropped_through, extent.newest), (left[0].0 - 1, left.last().unwrap().0));
    // Doing it again changes nothing, and a stale leader does no harm by it.
    let before = tables(&owner).await;
    retention::prune(agent.shared(), fence).await.unwrap();
    assert_eq!((tables(&owner).await, places(&owner).await), (before, left));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_finds_a_place_though_no_month_has_a_table() {
    let world = Served::new().await;
    let owner = world.outside().await.postgres;
    run(
        &owner,
        "do $$ declare name text; begin
             for name in select inhrelid::regclass::text from pg_inherits
                 where inhparent = 'ops.operator_health_log'::regclass and inhrelid::regclass::text not like '%default'
             loop execute 'drop table ' || name; end loop;
         end $$",
    )
    .await;
    assert_eq!(tables(&owner).await, ["ops.operator_health_log_default"]);
    run(
        &world.shared.stores.postgres,
        "insert into ops.operator_health_log (operator_id, previous, state, reason, at)
         values ('a', 'UNKNOWN', 'HEALTHY', 'r', now())",
    )
    .await;
    retention::prune(&world.shared, Fence::new(1)).await.unwrap();
    let found = places(&owner).await;
    assert!(found.len() == 1 && !found[0].1.ends_with("default"), "{found:?}");
}
