//! A healing, and the way past a cache that is ahead, cut off anywhere: the next look finds what is left of the damage, and
//! what was healed is healed once.

use std::collections::BTreeMap;
use std::time::Duration;

use bindery_agent::config::Drift;
use bindery_agent::failpoint::Point;
use bindery_agent::store::Stores;
use bindery_schema::secret::Secret;
use bindery_schema::wire::drift::DriftPolicy::Heal;
use bindery_tests::documents::{contract, mno, operator, routes};
use bindery_tests::failpoints::Failpoints;
use bindery_tests::program::{Agent, Program};
use bindery_tests::world::{PATIENCE, World, eventually};
use serde_json::{Value, json};

use super::script::{Fate, Stage};
use crate::sync::id;

pub(super) const HEALING: &[Point] =
    &[Point::DriftObserved, Point::DriftApplied, Point::DriftHealed, Point::DriftNoted];
pub(super) const OVERTAKING: &[Point] = &[Point::Lifted, Point::Overtaken];

/// Operators, each with a password and a prefix: of so many, a guardrail lets one go unasked.
const OPERATORS: usize = 8;

/// An agent that looks at the stores all the time, and has applied one commit.
struct Case<'w> {
    stage: Stage<'w>,
    stores: Stores,
    failpoints: Failpoints,
    agent: Program,
}

/// A world whose agent heals all stores.
async fn world() -> World {
    let mut world = World::new().await;
    world.config.drift = Drift { every_seconds: 0.3, postgres: Heal, vault: Heal, redis: Heal, nats: Heal };
    world
}

impl<'w> Case<'w> {
    async fn begin(world: &'w World) -> Self {
        let mut files = vec![
            ("operators/carrier/mno.yaml".to_owned(), Some(mno("carrier"))),
            ("contracts/carrier.yaml".to_owned(), Some(contract("carrier", 500))),
        ];
        for n in 0..OPERATORS {
            let id = format!("op{n}");
            let sealed = world.seal(&id, &format!("s3cret0{n}"));
            let text = operator(&id, "carrier", &format!("{id}.example"), Some(&sealed));
            files.push((format!("operators/carrier/{id}.yaml"), Some(text)));
            files.push((format!("operators/carrier/{id}.routes.yaml"), Some(routes(&id, &[&format!("9376{n}")]))));
        }
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        let commit = world.commit("Operators", &files);
        let (stage, stores) = (Stage::in_world(world).await, world.stores().await);
        let (failpoints, agent) = (Failpoints::of(&world.config), Agent::launch(&world.config));
        eventually("the commit is applied", async || stage.has_settled(commit, Fate::Applied).await).await;
        Self { stage, stores, failpoints, agent }
    }

    /// What the damage is about, as anybody sees it: rows, keys, and whether the passwords are those of git.
    async fn state(&self) -> (Vec<String>, BTreeMap<String, Value>, Vec<bool>) {
        let outside = &self.stage.outside;
        let rows = "select concat_ws(' ', o.id, o.host, r.prefix) from ops.operators o
                    left join ops.routing_rules r on r.operator_id = o.id order by 1";
        let mut keys = BTreeMap::new();
        for (key, text) in outside.cache("ops:").await {
            let mut value: Value = serde_json::from_str(&text).unwrap();
            for of_the_step in ["generation", "appliedAt"] {
                value.as_object_mut().unwrap().remove(of_the_step);
            }
            keys.insert(key, value);
        }
        let mut passwords = Vec::new();
        for n in 0..OPERATORS {
            passwords.push(outside.password(&format!("op{n}")).await.as_deref() == Some(&*format!("s3cret0{n}")));
        }
        (outside.column(rows).await, keys, passwords)
    }

    /// Damages one operator each in Postgres, Vault and Redis that is not damaged yet.
    async fn damage(&self) {
        let (outside, vault, three) = (&self.stage.outside, &self.stores.vault, id("op3"));
        for sql in [
            "update ops.operators set host = 'evil.example' where id = 'op1' and host <> 'evil.example'",
            "delete from ops.routing_rules where prefix = '93762'",
        ] {
            sqlx::query(sql).execute(&outside.postgres).await.unwrap();
        }
        if outside.password("op3").await.as_deref() == Some("s3cret03") {
            let version = vault.version(&three).await.unwrap();
            // The agent may be quicker: then it is damaged the next time.
            let _ = vault.write_credentials(&three, "sys-op3", &Secret::new("byh4nd03"), version).await;
        }
        let shown = outside.cached("ops:operator:op4").await;
        if let Some(mut shown) = shown.filter(|shown| shown["smpp"]["host"] == "op4.example") {
            shown["smpp"]["host"] = json!("evil.example");
            self.show("ops:operator:op4", &shown).await;
        }
    }

    /// Puts a value into Redis by hand.
    async fn show(&self, key: &str, value: &Value) {
        let redis = &self.stores.redis;
        let mut set = redis::cmd("SET");
        set.arg(redis.key(key)).arg(value.to_string());
        set.query_async::<()>(&mut redis.connection()).await.unwrap();
    }

    /// Waits until the agent has ended at each of these places, and starts it as often as it takes. `again` does what
    /// makes it come by.
    async fn killed_at(&mut self, points: &[Point], mut again: impl AsyncFnMut(&Self)) {
        self.failpoints.abort_at(points);
        let begun = tokio::time::Instant::now();
        loop {
            let has_ended = self.agent.has_ended();
            let fired = self.failpoints.fired();
            let all = points.iter().all(|point| fired.contains(point.name()));
            assert!(begun.elapsed() < PATIENCE, "only at {fired:?}:\n{}", self.agent.written());
            if has_ended {
                self.agent = Agent::launch(&self.stage.world.config);
                if all {
                    break;
                }
            } else if !all {
                again(self).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.failpoints.take_fired();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healing_that_is_cut_off_is_taken_up_by_the_next_look() {
    let world = world().await;
    let mut case = Case::begin(&world).await;
    let good = case.state().await;
    assert!(good.0.len() == OPERATORS && good.2.iter().all(|is_gits| *is_gits), "{good:?}");
    for point in HEALING {
        // A start fills the cache whatever is wrong in it, and so may be quicker than a look: then it is spoilt anew.
        case.killed_at(&[*point], async |case| case.damage().await).await;
        eventually("all stores are healed", async || case.state().await == good).await;
        eventually("nothing is owed", async || {
            case.stage.outside.count("select count(*) from ops.secret_intents").await == 0
                && case.stage.outside.count("select count(*) from ops.outbox where published_at is null").await == 0
        })
        .await;
    }
    // What is healed in Postgres is on record in the same transaction: the row and the step, or neither.
    let outside = &case.stage.outside;
    let healings = "select count(*) from ops.audit_log where action = 'drift.heal' and object = 'operator/op1'";
    let generations = "select count(distinct generation) from ops.audit_log where action = 'drift.heal'
                       and object = 'operator/op1' and detail->>'store' = 'postgres'";
    assert!(outside.count(healings).await >= 4);
    assert_eq!(outside.count(healings).await, outside.count(generations).await);
    for (table, text) in outside.tables().await {
        assert!(!text.contains("byh4nd") && !text.contains("s3cret"), "{table}");
    }
    case.agent.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_is_ahead_is_overtaken_once_however_often_that_is_cut_off() {
    let world = world().await;
    let mut case = Case::begin(&world).await;
    let applied = case.stage.outside.cached("ops:catalog").await.unwrap();
    let ahead = applied["generation"].as_i64().unwrap() + 40;
    let shown = json!({"commit": "c0ffee", "generation": ahead, "appliedAt": applied["appliedAt"]});
    let mut is_ahead = false;
    let go_ahead = async |case: &Case<'_>| {
        if !std::mem::replace(&mut is_ahead, true) {
            case.show("ops:catalog", &shown).await;
        }
    };
    case.killed_at(OVERTAKING, go_ahead).await;
    let outside = &case.stage.outside;
    eventually("the cache shows the applied commit", async || {
        outside.cached("ops:catalog").await.is_some_and(|shown| shown["commit"] == applied["commit"])
    })
    .await;
    let now = outside.cached("ops:catalog").await.unwrap();
    assert_eq!((&now["commit"], &now["generation"]), (&applied["commit"], &json!(ahead + 1)));
    assert_eq!(outside.count("select generation from ops.sync_state").await, ahead + 1);
    assert_eq!(outside.count("select count(*) from ops.audit_log where action = 'sync.overtake'").await, 1);
    case.agent.kill();
}
