//! Damage done by hand to each of the four stores: found by a full look, told or healed by policy, and never invented.

mod stores;

use bindery_agent::config::Drift;
use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use bindery_schema::secret::Secret;
use bindery_schema::wire::api::SyncPhase;
use bindery_schema::wire::drift::{Difference, DriftOutcome, DriftPolicy, DriftReport, DriftRequest, Store};
use bindery_tests::dev::Dev;
use bindery_tests::documents::operator;
use bindery_tests::outside::Outside;
use bindery_tests::world::{PATIENCE, World, eventually, until, until_applied};
use git2::Oid;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::control::say;
use crate::sync::{all_published, count, id, redis_text, small};

const LOOK: DriftRequest = DriftRequest { dry_run: true, allow: None };
const HEAL: DriftRequest = DriftRequest { dry_run: false, allow: None };

fn policy(policy: DriftPolicy) -> Drift {
    Drift { every_seconds: 0.0, postgres: policy, vault: policy, redis: policy, nats: policy }
}

/// Waits until a commit is in all four stores and the agent leaves them alone: the stream is made when the first event is
/// published, and the cache is filled once more in an agent's first second, later only where `ops:catalog` is wrong.
async fn until_settled(agent: &Agent, commit: Oid) {
    until_applied(agent, commit).await;
    let stores = &agent.shared().stores;
    eventually("all is published", || all_published(&stores.postgres)).await;
    let mut forget = redis::cmd("DEL");
    forget.arg(stores.redis.key("ops:catalog")).query_async::<()>(&mut stores.redis.connection()).await.unwrap();
    eventually("the cache is filled", async || stores.redis.catalog().await.unwrap().is_some()).await;
}

/// A world whose agent has applied [`small`], with an amount that has a trailing zero.
async fn world(policy_of_all: DriftPolicy) -> (World, Agent, Oid) {
    let mut world = World::new().await;
    world.config.drift = policy(policy_of_all);
    let mut files = small(&world);
    let rules = "apiVersion: bindery/v1\nkind: Routes\nmetadata: {operator: two}\nspec:\n  rules:\n    \
                 - {prefix: \"+9379\", cost: {amount: \"0.10\", currency: EUR}}\n";
    files[5].1 = Some(rules.to_owned());
    let first = world.commit("First", &files);
    let agent = world.agent().await;
    until_settled(&agent, first).await;
    (world, agent, first)
}

async fn look(agent: &Agent, request: &DriftRequest) -> DriftReport {
    let drift = &agent.shared().drift;
    let run = drift.ask(request, "ana".to_owned());
    let mut status = drift.status();
    let done = status.wait_for(|status| status.answered >= run);
    let status = tokio::time::timeout(PATIENCE, done).await.unwrap().unwrap().clone();
    assert_eq!(status.failed, None);
    status.last.unwrap()
}

/// `direction object field`, in order.
fn told(report: &DriftReport) -> Vec<String> {
    let line = |difference: &Difference| {
        let field = difference.field.as_deref().unwrap_or("-");
        format!("{} {} {field}", difference.direction.as_str(), difference.object)
    };
    let mut lines: Vec<String> = report.differences.iter().map(line).collect();
    lines.sort();
    lines
}

/// By hand: as the owner of the tables, who may do what the agent's role may not.
async fn execute(outside: &Outside, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&outside.postgres).await.unwrap();
}

/// An operator that git does not know.
const STRANGER: &str =
    "insert into ops.operators select 'stranger', mno_id, display_name, status, 'stranger.example', port,
     system_id, bind_mode, tps_outbound, tps_inbound, spec, spec_hash, routes_hash, null, source_path, source_commit
     from ops.operators where id = 'two'";

/// What a hand may do to the tables, and what has to be found.
const DAMAGES: &[(&str, &[&str])] = &[
    ("update ops.operators set host = 'evil.example' where id = 'one'", &["differs operator/one host"]),
    (
        "update ops.operators set spec = jsonb_set(spec, '{tps,outbound}', '99') where id = 'two'",
        &["differs operator/two spec.tps.outbound"],
    ),
    (
        "update ops.operators set spec = '{}' where id = 'two'",
        &[
            "differs operator/two spec.displayName",
            "differs operator/two spec.health.confirm",
            "differs operator/two spec.health.degradedErrorRate",
            "differs operator/two spec.health.degradedP95Millis",
            "differs operator/two spec.health.recover",
            "differs operator/two spec.health.silenceSeconds",
            "differs operator/two spec.health.unhealthyErrorRate",
            "differs operator/two spec.health.unhealthyP95Millis",
            "differs operator/two spec.smpp.addrNpi",
            "differs operator/two spec.smpp.addrTon",
            "differs operator/two spec.smpp.bindMode",
            "differs operator/two spec.smpp.enquireLinkSeconds",
            "differs operator/two spec.smpp.host",
            "differs operator/two spec.smpp.interfaceVersion",
            "differs operator/two spec.smpp.port",
            "differs operator/two spec.smpp.systemId",
            "differs operator/two spec.smpp.tls",
            "differs operator/two spec.smpp.windowSize",
            "differs operator/two spec.status",
            "differs operator/two spec.tps.inbound",
            "differs operator/two spec.tps.outbound",
        ],
    ),
    (
        "update ops.operators set spec_hash = 'x', routes_hash = 'y', source_path = 'z' where id = 'one'",
        &["differs operator/one routes_hash", "differs operator/one source_path", "differs operator/one spec_hash"],
    ),
    ("update ops.operators set deleted_at = now() where id = 'two'", &["differs operator/two deleted_at"]),
    ("update ops.mnos set name = 'Other'", &["differs mno/carrier name"]),
    ("update ops.routing_rules set priority = 7 where prefix = '9370'", &["differs rule/one/9370 priority"]),
    (
        "update ops.routing_rules set priority = 100000, cost = -1 where prefix = '9379'",
        &["differs rule/two/9379 cost", "differs rule/two/9379 priority"],
    ),
    ("insert into ops.routing_rules values ('one', '888', 1, 1, null, null, true)", &["unknown rule/one/888 -"]),
    ("delete from ops.routing_rules where prefix = '9371'", &["missing rule/one/9371 -"]),
    (
        "update ops.tps_contracts set contracted_tps = 5, ended = true",
        &["differs contract/carrier/OUTBOUND/OUT contracted_tps", "differs contract/carrier/OUTBOUND/OUT ended"],
    ),
    (
        "insert into ops.tps_contracts values ('carrier', 'INBOUND', 'IN', 5, '2026-01-01', null, 's3://x', '[]', false)",
        &["unknown contract/carrier/INBOUND/IN -"],
    ),
    ("truncate ops.tps_contracts", &["missing contract/carrier/OUTBOUND/OUT -"]),
    ("truncate routing.tenant_preferences", &["missing reservation/carrier/bank/OUTBOUND/2026-01-01 -"]),
    ("truncate ops.routing_rules", &["missing rule/one/9370 -", "missing rule/one/9371 -", "missing rule/two/9379 -"]),
    (
        "truncate ops.operators cascade",
        &[
            "missing operator/one -",
            "missing operator/two -",
            "missing rule/one/9370 -",
            "missing rule/one/9371 -",
            "missing rule/two/9379 -",
        ],
    ),
    (
        "truncate ops.mnos cascade",
        &[
            "missing contract/carrier/OUTBOUND/OUT -",
            "missing mno/carrier -",
            "missing operator/one -",
            "missing operator/two -",
            "missing reservation/carrier/bank/OUTBOUND/2026-01-01 -",
            "missing rule/one/9370 -",
            "missing rule/one/9371 -",
            "missing rule/two/9379 -",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hand_does_to_the_tables_is_found_and_healed() {
    let (world, agent, first) = world(DriftPolicy::Heal).await;
    let pool = &agent.shared().stores.postgres;
    let mut generation = 1;
    for (sql, expected) in DAMAGES {
        execute(&world.outside().await, sql).await;
        let found = look(&agent, &LOOK).await;
        assert_eq!(told(&found), *expected, "{sql}");
        assert_eq!(found.stores[&Store::Postgres].outcome, DriftOutcome::Reported, "{sql}");

        let healed = look(&agent, &HEAL).await;
        assert_eq!(told(&healed), *expected, "{sql}");
        assert_eq!(healed.stores[&Store::Postgres].outcome, DriftOutcome::Healed, "{sql}: {healed:?}");
        let after = look(&agent, &LOOK).await;
        assert_eq!((after.count(), after.is_complete()), (0, true), "{sql}: {after:?}");

        generation += 1;
        assert_eq!(after.generation, generation, "{sql}");
        let rows = "select count(*) from ops.audit_log where action = 'drift.heal' and actor = 'ana'
                    and generation = (select generation from ops.sync_state)";
        assert!(count(pool, rows).await > 0, "{sql}");
    }
    // What was there stands in the audit trail.
    let before: Value = sqlx::query_scalar(
        "select detail->'differences'->0 from ops.audit_log where action = 'drift.heal' order by id limit 1",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!((&before["stored"], &before["wanted"]), (&json!("evil.example"), &json!("one.example")));
    // Healing is a step like any other, and nothing is left to apply.
    eventually("all is published", || all_published(pool)).await;
    let events = world.events().await;
    let applied = events.iter().filter(|event| event["type"] == "ops.sync.applied.v1").count();
    assert_eq!(i64::try_from(applied).unwrap(), generation);
    until_applied(&agent, first).await;
    agent.shutdown().await;
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    assert_eq!(look(&agent, &LOOK).await.generation, generation);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_in_another_way_is_no_drift() {
    let (world, agent, _) = world(DriftPolicy::Heal).await;
    for sql in [
        "update ops.operators set spec = spec #- '{smpp,tls}' where id = 'one'",
        "update ops.routing_rules set cost = 0.100000 where prefix = '9379'",
        "update ops.operators set updated_at = now(), created_at = now()",
        "alter table ops.operators add column noted text default 'by hand'",
    ] {
        execute(&world.outside().await, sql).await;
        let found = look(&agent, &HEAL).await;
        assert_eq!((found.count(), found.generation), (0, 1), "{sql}: {found:?}");
    }
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_policy_says_report_nothing_is_touched() {
    let (world, agent, _) = world(DriftPolicy::Report).await;
    execute(&world.outside().await, "update ops.routing_rules set weight = 1 where prefix = '9370'").await;
    for _ in 0..2 {
        let found = look(&agent, &HEAL).await;
        assert_eq!(told(&found), ["differs rule/one/9370 weight"]);
        let difference = &found.differences[0];
        assert_eq!((&difference.stored, &difference.wanted), (&json!(1), &json!(100)));
        assert_eq!((found.stores[&Store::Postgres].outcome, found.generation), (DriftOutcome::Reported, 1));
    }
    let metrics = agent.shared().metrics.encode().unwrap();
    let line = r#"bindery_drift_differences{store="postgres",direction="differs"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.contains(r#"bindery_drift_observed_timestamp_seconds{store="vault"}"#), "{metrics}");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healing_that_deletes_too_much_is_held_until_it_is_allowed() {
    let (world, agent, _) = world(DriftPolicy::Heal).await;
    execute(&world.outside().await, STRANGER).await;
    execute(&world.outside().await, "insert into ops.routing_rules values ('stranger', '77', 1, 1, null, null, true)")
        .await;
    let expected = ["unknown operator/stranger -", "unknown rule/stranger/77 -"];
    let held = look(&agent, &HEAL).await;
    assert_eq!((told(&held), held.holds.len()), (expected.map(str::to_owned).to_vec(), 1), "{held:?}");
    assert_eq!(held.stores[&Store::Postgres].outcome, DriftOutcome::Held);
    let wrong = DriftRequest { allow: Some("0".repeat(64)), dry_run: false };
    assert_eq!(look(&agent, &wrong).await.stores[&Store::Postgres].outcome, DriftOutcome::Held);
    let rows = "select count(*) from ops.operators where deleted_at is null";
    assert_eq!(count(&agent.shared().stores.postgres, rows).await, 3);

    let allow = DriftRequest { allow: held.plan_hash.clone(), dry_run: false };
    assert_eq!(look(&agent, &allow).await.stores[&Store::Postgres].outcome, DriftOutcome::Healed);
    assert_eq!(count(&agent.shared().stores.postgres, rows).await, 2);
    // Its tombstone is history.
    assert_eq!(look(&agent, &HEAL).await.count(), 0);
    let hash = held.plan_hash.unwrap();
    for row in ["sync.release", "sync.heal", "operator.delete", "drift.heal"] {
        let rows: Vec<(String, String, Option<String>)> =
            sqlx::query_as("select actor, via, plan_hash from ops.audit_log where action = $1")
                .bind(row)
                .fetch_all(&agent.shared().stores.postgres)
                .await
                .unwrap();
        assert_eq!(rows, [("ana".to_owned(), "api".to_owned(), Some(hash.clone()))], "{row}");
    }
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_stays_as_it_is_where_only_postgres_is_healed() {
    let mut world = World::new().await;
    world.config.drift = Drift { vault: DriftPolicy::Report, ..policy(DriftPolicy::Heal) };
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_settled(&agent, first).await;
    let outside = world.outside().await;
    damage_vault(&agent, false).await;
    execute(&outside, STRANGER).await;
    execute(&outside, "delete from ops.routing_rules where operator_id = 'one'").await;
    execute(&outside, "delete from ops.operators where id = 'one'").await;
    let held = look(&agent, &HEAL).await;
    let allow = DriftRequest { allow: held.plan_hash.clone(), dry_run: false };
    let healed = look(&agent, &allow).await;
    assert_eq!(healed.stores[&Store::Postgres].outcome, DriftOutcome::Healed, "{held:?} {healed:?}");
    let living = "select id from ops.operators where deleted_at is null order by id";
    assert_eq!(outside.column(living).await, ["one", "two"]);
    // A row that is made and one that is deleted take no password with them.
    let expected = ["differs operator/one password", "differs operator/one systemId", "unknown operator/stranger -"];
    let found = look(&agent, &HEAL).await;
    assert_eq!(
        (told(&found), found.stores[&Store::Vault].outcome),
        (expected.map(str::to_owned).to_vec(), DriftOutcome::Reported)
    );
    let vault = &agent.shared().stores.vault;
    for (operator, password) in [("one", "byh4nd01"), ("stranger", "byh4nd02")] {
        assert_eq!(vault.read_credentials(&id(operator)).await.unwrap().unwrap().password.expose(), password);
    }
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_paused_or_held_a_look_only_tells() {
    let (world, agent, first) = world(DriftPolicy::Heal).await;
    let outside = world.outside().await;
    let moved = "update ops.operators set host = 'evil.example' where id = 'one'";
    execute(&outside, moved).await;
    let redis = &agent.shared().stores.redis;
    redis::cmd("SET")
        .arg(redis.key("ops:operator:two"))
        .arg("no JSON")
        .query_async::<()>(&mut redis.connection())
        .await
        .unwrap();
    delete_password(&agent).await;
    let told_only = async |reason: &str| {
        for _ in 0..2 {
            let found = look(&agent, &HEAL).await;
            for store in [Store::Postgres, Store::Vault, Store::Redis] {
                let found = &found.stores[&store];
                assert_eq!(found.outcome, DriftOutcome::Reported, "{store}: {found:?}");
                assert!(found.reason.as_ref().unwrap().contains(reason), "{found:?}");
            }
            assert_eq!((found.stores[&Store::Nats].outcome, found.generation), (DriftOutcome::None, 1));
        }
        let healed = "select count(*) from ops.audit_log where action in ('drift.heal', 'sync.heal')";
        assert_eq!(outside.count(healed).await, 0);
        assert_eq!(outside.column("select host from ops.operators where id = 'one'").await, ["evil.example"]);
    };
    let noc = world.token("nora", Role::Noc);
    let pause = json!({ "reason": "INC-4711", "seconds": 3_600 });
    assert_eq!(say(&agent, &noc, (Method::POST, "/sync/pause"), Some(pause)).await.0, 200);
    told_only("paused until").await;
    assert_eq!(say(&agent, &noc, (Method::DELETE, "/sync/pause"), None).await.0, 204);

    let files = ["operators/carrier/two.yaml", "operators/carrier/two.routes.yaml"].map(|path| (path, None));
    world.commit("One of two goes", &files);
    until(&agent, "the held plan", |status| status.phase == SyncPhase::Held).await;
    told_only("a plan is held").await;

    world.point_branch_at(first);
    until_applied(&agent, first).await;
    let healed = look(&agent, &HEAL).await;
    assert!(healed.count() > 0, "{healed:?}");
    for store in [Store::Postgres, Store::Vault, Store::Redis] {
        assert_eq!(healed.stores[&store].outcome, DriftOutcome::Healed, "{store}: {healed:?}");
    }
    assert_eq!(look(&agent, &HEAL).await.count(), 0);
    agent.shutdown().await;
}

/// Deletes one's password.
async fn delete_password(agent: &Agent) {
    let vault = &agent.shared().stores.vault;
    let version = vault.version(&id("one")).await.unwrap();
    vault.delete_version(&id("one"), version).await.unwrap();
}

/// Deletes one's password, or changes it, and puts a secret of nobody into Vault.
async fn damage_vault(agent: &Agent, deleted: bool) {
    let vault = &agent.shared().stores.vault;
    if deleted {
        delete_password(agent).await;
    } else {
        let version = vault.version(&id("one")).await.unwrap();
        vault.write_credentials(&id("one"), "sys-hand", &Secret::new("byh4nd01"), version).await.unwrap();
    }
    let version = vault.version(&id("stranger")).await.unwrap();
    vault.write_credentials(&id("stranger"), "sys", &Secret::new("byh4nd02"), version).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timer_looks_by_itself() {
    let mut world = World::new().await;
    world.config.drift = Drift { every_seconds: 0.2, ..policy(DriftPolicy::Heal) };
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_settled(&agent, first).await;
    execute(&world.outside().await, "truncate ops.routing_rules").await;
    let rules = "select count(*) from ops.routing_rules";
    eventually("the rules are back", async || count(&agent.shared().stores.postgres, rules).await == 3).await;
    let actor = "select count(*) from ops.audit_log where action = 'drift.heal' and actor = 'bindery-agent'
                 and via = 'agent' and object like 'operator/%'";
    assert_eq!(count(&agent.shared().stores.postgres, actor).await, 2);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_by_its_exit_code_what_it_found() {
    let dev = Dev::start("dev-drift").await;
    // The stream is made when the first event is published.
    dev.until_published().await;
    assert_eq!(dev.ask(&["drift"]).0, 0);
    sqlx::query("update ops.operators set tps_outbound = 1 where id = 'ke-safaricom-1'")
        .execute(&dev.outside.postgres)
        .await
        .unwrap();
    let (code, text) = dev.ask(&["drift", "--dry-run"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("postgres operator/ke-safaricom-1 tps_outbound: the store says 1, git says 290"), "{text}");
    let (code, text) = dev.ask(&["drift", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["stores"]["postgres"]["outcome"]), (2, &json!("healed")), "{text}");
    let (code, text) = dev.ask(&["drift"]);
    assert_eq!(code, 0, "{text}");
    let rows = "select count(*) from ops.audit_log where action = 'drift.heal' and object = 'operator/ke-safaricom-1'";
    assert_eq!(dev.outside.count(rows).await, 1);
    dev.program.stop().await;
}
