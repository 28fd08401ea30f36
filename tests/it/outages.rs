//! `bindery-agent run`, the program itself, killed in the middle of its work, and its servers killed one by one.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bindery_compiler::{Compiler, Options, edit};
use bindery_schema::catalog::Catalog;
use bindery_schema::value::OperatorId;
use bindery_tests::corpus::{self, Shape};
use bindery_tests::documents::operator;
use bindery_tests::outside::Outside;
use bindery_tests::program::{Agent, signal};
use bindery_tests::world::{World, eventually};
use serde_json::{Value, json};

use crate::sync::small;

const OWED: &str = "select count(*) from ops.outbox where published_at is null";
/// Operators of the large configuration that have a sealed password.
const SEALED: usize = 200;

/// A repository of 1,000 operators and 30,000 rules, some operators with a password.
fn large(world: &World, dir: &Path) -> Catalog {
    corpus::generate(dir, &Shape::new(1_000, 30_000)).unwrap();
    let options = Options { now: jiff::Timestamp::now(), environment: None };
    let compile = || Compiler::default().compile_directory(dir, &options).unwrap().catalog().unwrap().clone();
    for (id, operator) in compile().operators.iter().take(SEALED) {
        let file = dir.join(&*operator.source);
        let text = std::fs::read_to_string(&file).unwrap();
        let sealed = world.seal(id.as_str(), &password(id));
        std::fs::write(file, edit::set_sealed(&text, id, &sealed).unwrap()).unwrap();
    }
    corpus::commit(dir, "A large configuration").unwrap();
    compile()
}

fn password(operator: &OperatorId) -> String {
    format!("p{}", operator.as_str().trim_start_matches("op-"))
}

async fn wait_for(outside: &Outside, sql: &'static str) {
    eventually(sql, async || outside.count_if_there(sql).await.is_some_and(|count| count > 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_sync_killed_at_any_moment_is_finished_once() {
    let mut world = World::new().await;
    let dir = world.dir.path().join("large");
    let catalog = large(&world, &dir);
    world.config.repository.url = dir.display().to_string();
    let outside = world.outside().await;

    let mut agent = Agent::start(&world.config).await;
    wait_for(&outside, "select count(*) from ops.secret_intents").await;
    agent.program.kill();

    let mut agent = Agent::start(&world.config).await;
    eventually("some passwords are written", async || outside.secrets().await >= SEALED / 10).await;
    agent.program.kill();

    // In the transaction: it is made to wait half-way, which nothing but its locks shows.
    let mut lock = outside.postgres.begin().await.unwrap();
    sqlx::query("lock table ops.routing_rules in share mode").execute(&mut *lock).await.unwrap();
    let mut agent = Agent::start(&world.config).await;
    wait_for(&outside, "select count(*) from pg_locks where not granted and relation = 'ops.routing_rules'::regclass")
        .await;
    agent.program.kill();
    lock.rollback().await.unwrap();
    assert_eq!(outside.count("select generation from ops.sync_state").await, 0);

    let mut agent = Agent::start(&world.config).await;
    wait_for(&outside, "select generation from ops.sync_state").await;
    agent.program.kill();

    let mut agent = Agent::start(&world.config).await;
    eventually("some events are published", async || outside.events().await.len() >= 100).await;
    agent.program.kill();

    let agent = Agent::start(&world.config).await;
    eventually("all is published", async || outside.count(OWED).await == 0).await;
    eventually("the cache is filled", async || outside.cached("ops:catalog").await.is_some()).await;
    eventually("the agent is ready", async || {
        let (status, text) = agent.ops("/health/ready").await;
        let ready: Value = serde_json::from_str(&text).unwrap();
        status == 200 && ready["components"]["sync"]["status"] == "UP"
    })
    .await;
    everything_is_there_once(&outside, &catalog).await;
    agent.program.stop().await;
}

async fn everything_is_there_once(outside: &Outside, catalog: &Catalog) {
    let ids: Vec<String> = catalog.operators.keys().map(ToString::to_string).collect();
    assert_eq!(outside.column(r#"select id from ops.operators order by id collate "C""#).await, ids);
    let rules: BTreeSet<String> = (catalog.operators.iter())
        .flat_map(|(id, operator)| {
            operator.rules.iter().map(move |r| format!("{id} {} {} {} {}", r.prefix, r.priority, r.weight, r.active))
        })
        .collect();
    let rows = "select operator_id || ' +' || prefix || ' ' || priority || ' ' || weight || ' ' || active
                from ops.routing_rules";
    let rows: BTreeSet<String> = outside.column(rows).await.into_iter().collect();
    assert_eq!((rows.len(), rows == rules), (30_000, true));
    for (sql, wanted) in [
        ("select generation from ops.sync_state", 1),
        ("select count(*) from ops.sync_runs", 1),
        ("select count(*) from ops.secret_intents", 0),
        ("select count(*) from ops.routing_changes", 0),
        ("select count(*) from ops.outbox", 1_001),
    ] {
        assert_eq!(outside.count(sql).await, wanted, "{sql}");
    }

    assert_eq!(outside.secrets().await, SEALED);
    for id in catalog.operators.keys().take(SEALED) {
        let (secret, version) = outside.secret(id.as_str()).await.unwrap();
        assert_eq!((secret["password"].as_str(), version), (Some(&*password(id)), 1), "{id}");
    }

    let events = outside.events().await;
    let unique: BTreeSet<(&str, &str)> =
        events.iter().map(|event| (event["type"].as_str().unwrap(), event["subject"].as_str().unwrap())).collect();
    assert_eq!((events.len(), unique.len()), (1_001, 1_001));
    let created = events.iter().filter(|event| event["type"] == "operator.config.created.v1");
    assert_eq!(created.map(|event| event["subject"].as_str().unwrap()).collect::<Vec<_>>(), ids);

    let cached: Vec<String> = outside.cache("ops:operator:").await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(cached, ids.iter().map(|id| format!("ops:operator:{id}")).collect::<Vec<_>>());
    // What was projected in parts is what is projected in one go.
    let before = outside.cache("ops:").await;
    outside.forget("ops:").await;
    eventually("the cache is filled anew", async || outside.cached("ops:catalog").await.is_some()).await;
    assert_eq!(outside.cache("ops:").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_killed_in_turn_while_commits_arrive_lose_nothing() {
    let world = World::alone().await;
    let first = world.commit("First", &small(&world));
    let agent = Agent::start(&world.config).await;
    let outside = world.outside().await;
    let converged = async |commit: git2::Oid| {
        let commit = commit.to_string();
        eventually("the commit is applied and shown", async || {
            let applied = sqlx::query_scalar::<_, String>("select applied_commit from ops.sync_state");
            applied.fetch_one(&outside.postgres).await.is_ok_and(|applied| applied == commit)
                && outside.cached("ops:catalog").await.is_some_and(|shown| shown["commit"] == commit)
                && outside.count_if_there(OWED).await == Some(0)
        })
        .await;
    };
    converged(first).await;
    // Each changes host and password of one operator.
    let commit = |number: usize| {
        let sealed = world.seal("one", &format!("s3cret{number:02}"));
        let text = operator("one", "carrier", &format!("host{number}.example"), Some(&sealed));
        world.commit("Next", &[("operators/carrier/one.yaml", Some(text))])
    };
    let mut number = 10;
    for server in ["postgres", "nats", "redis", "openbao", "postgres"] {
        number += 3;
        commit(number - 2);
        let pid = std::fs::read_to_string(world.stack.data_dir().join(format!("run/{server}.pid"))).unwrap();
        signal("KILL", pid.trim());
        commit(number - 1);
        let needed = matches!(server, "postgres" | "openbao");
        eventually("readiness tells", async || agent.ops("/health/ready").await.0 == if needed { 503 } else { 200 })
            .await;
        assert_eq!(agent.ops("/health/live").await.0, 200);
        let last = commit(number);
        eventually("it runs again", async || world.stack.ensure_running().await.unwrap() == [server]).await;
        converged(last).await;
        eventually("readiness tells", async || agent.ops("/health/ready").await.0 == 200).await;
        let host = "select host from ops.operators where id = 'one'";
        assert_eq!(outside.column(host).await, [format!("host{number}.example")], "{server}");
        assert_eq!(outside.password("one").await, Some(format!("s3cret{number:02}")), "{server}");
    }
    // A step that a newer commit made needless has neither a run nor an event; every other has one of each.
    let generations = |events: &[Value]| events.iter().map(|event| event["data"]["generation"].clone()).collect();
    let steps: Vec<Value> =
        (1..=outside.count("select generation from ops.sync_state").await).map(Value::from).collect();
    let applied: Vec<Value> = generations(&outside.events_of("ops.sync.applied.v1").await);
    let updated: Vec<Value> = generations(&outside.events_of("operator.config.updated.v1").await);
    assert_eq!((&*applied, &*updated), (&*steps, &steps[1..]));
    assert_eq!(outside.events_of("operator.config.created.v1").await.len(), 2);
    assert_eq!(outside.events().await.len(), 2 + applied.len() + updated.len());
    assert_eq!(outside.count("select count(*) from ops.secret_intents").await, 0);
    agent.program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_signal_is_shown_logged_and_told() {
    let world = World::new().await;
    world.commit("First", &small(&world));
    let agent = Agent::start(&world.config).await;
    let outside = world.outside().await;
    eventually("the cache is filled", async || outside.cached("ops:catalog").await.is_some()).await;
    for (state, bind_state) in [("HEALTHY", "BOUND"), ("UNHEALTHY", "UNBOUND")] {
        // The first may come before the agent listens.
        eventually(state, async || {
            let at = jiff::Timestamp::now().to_string();
            let signal = json!({
                "operatorId": "one", "connectorId": "c1", "bindState": bind_state, "submitted": 100, "failed": 0,
                "throttled": 0, "p95Millis": 250, "inFlight": 3, "at": at,
            });
            outside.publish("operator.health.signal.v1.one", &signal).await;
            let shown =
                async { while outside.cached("ops:health:one").await.is_none_or(|shown| shown["state"] != state) {} };
            tokio::time::timeout(Duration::from_secs(1), shown).await.is_ok()
        })
        .await;
    }
    assert!((1..=60).contains(&outside.time_to_live("ops:health:one").await));
    let log = "select previous || ' ' || state from ops.operator_health_log order by id";
    eventually("both are logged", async || outside.column(log).await.len() == 2).await;
    assert_eq!(outside.column(log).await, ["UNKNOWN HEALTHY", "HEALTHY UNHEALTHY"]);
    eventually("all is published", async || outside.count(OWED).await == 0).await;
    let told = outside.events_of("operator.health.v1").await;
    let told: Vec<_> = told.iter().map(|event| (&event["subject"], &event["data"]["state"])).collect();
    let one = &json!("one");
    assert_eq!(told, [(one, &json!("HEALTHY")), (one, &json!("UNHEALTHY"))]);
    agent.program.stop().await;
}
