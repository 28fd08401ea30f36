//! A Vault that is sealed in the middle of a sync.

use bindery_agent::failpoint::Point;
use bindery_tests::documents::operator;
use bindery_tests::failpoints::Failpoints;
use bindery_tests::program::{Agent, signal};
use bindery_tests::world::{World, eventually};
use serde_json::Value;

use crate::crashes::script::{Fate, Stage};
use crate::sync::small;

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
    let text = |id: &str, password: &str| {
        (
            format!("operators/carrier/{id}.yaml"),
            operator(id, "carrier", "moved.example", Some(&world.seal(id, password))),
        )
    };
    let files = [text("one", "r0tated1"), text("two", "s3cret02")];
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.clone()))).collect();
    let second = world.commit("Two passwords", &files);
    failpoints.stopped(Point::PasswordWritten, agent.program.id()).await;
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
    assert_eq!(outside.column("select host from ops.operators order by id").await, ["one.example", "two.example"]);
    assert_eq!(outside.events().await.len(), events);
    assert_eq!(outside.cache("ops:").await, cache);

    world.stack.vault.unseal().await.unwrap();
    settled(second).await;
    eventually("readiness tells", async || ready().await == (200, None)).await;
    assert_eq!(outside.password("one").await.as_deref(), Some("r0tated1"));
    assert_eq!(outside.password("two").await.as_deref(), Some("s3cret02"));
    // Two operators and the step.
    assert_eq!(outside.events().await.len(), events + 3);
    agent.program.stop().await;
}
