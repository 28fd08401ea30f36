//! A Vault that is sealed in the middle of a sync.

use bindery_agent::failpoint::Point;
use bindery_tests::documents::{contract, operator};
use bindery_tests::failpoints::Failpoints;
use bindery_tests::program::{Agent, signal};
use bindery_tests::world::{World, eventually};
use git2::Oid;
use serde_json::Value;

use crate::crashes::script::{Fate, Stage};
use crate::sync::small;

/// Operators with a password: more than are written to Vault at a time.
const MANY: usize = 40;

/// Adds them.
fn many(world: &World) -> Oid {
    let mut files = vec![("contracts/carrier.yaml".to_owned(), Some(contract("carrier", 1_000)))];
    for n in 0..MANY {
        let id = format!("op{n:02}");
        let sealed = world.seal(&id, &format!("s3cret{n:02}"));
        let text = operator(&id, "carrier", &format!("{id}.example"), Some(&sealed));
        files.push((format!("operators/carrier/{id}.yaml"), Some(text)));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    world.commit("Many passwords", &files)
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_sealed_half_way_leaves_nothing_applied_in_part_and_unsealed_all() {
    let world = World::alone().await;
    let stage = Stage::in_world(&world).await;
    let (outside, failpoints) = (&stage.outside, Failpoints::of(&world.config));
    let first = world.commit("First", &small(&world));
    let agent = Agent::start(&world.config).await;
    let settled = async |commit| {
        eventually("the commit is applied and shown", async || stage.has_settled(commit, Fate::Applied).await).await;
    };
    settled(first).await;
    let events = outside.events().await.len();
    let cache = outside.cache("ops:").await;

    failpoints.stop_at(Point::PasswordWritten);
    let second = many(&world);
    failpoints.stopped(Point::PasswordWritten, agent.program.id()).await;
    // Some passwords are written ahead, and not all: beside one of the first commit.
    assert!((2..=MANY).contains(&outside.secrets().await));
    world.stack.vault.seal().await.unwrap();
    signal("CONT", &agent.program.id().to_string());

    let ready = async || {
        let (status, text) = agent.ops("/health/ready").await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        (status, answer["components"]["vault"]["detail"].as_str().map(str::to_owned))
    };
    eventually("the step has failed", async || {
        outside.count("select count(*) from ops.sync_runs where outcome = 'failed'").await > 0
    })
    .await;
    eventually("readiness tells", async || ready().await == (503, Some("sealed".to_owned()))).await;
    assert_eq!(agent.ops("/health/live").await.0, 200);
    assert_eq!(outside.column("select applied_commit from ops.sync_state").await, [first.to_string()]);
    assert_eq!(outside.count("select count(*) from ops.operators").await, 2);
    assert_eq!(outside.events().await.len(), events);
    assert_eq!(outside.cache("ops:").await, cache);

    world.stack.vault.unseal().await.unwrap();
    settled(second).await;
    eventually("readiness tells", async || ready().await == (200, None)).await;
    assert_eq!(outside.secrets().await, 1 + MANY);
    for n in 0..MANY {
        assert_eq!(outside.password(&format!("op{n:02}")).await, Some(format!("s3cret{n:02}")));
    }
    // One for each operator, and one for the step.
    assert_eq!(outside.events().await.len(), events + MANY + 1);
    agent.program.stop().await;
}
