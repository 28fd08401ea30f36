//! Two agents of which one hears the signals: it is killed in the middle of a run of bad ones, and the other goes on.

use bindery_agent::config::Config;
use bindery_schema::wire::health::{HealthState, HealthView};
use bindery_tests::listeners::client;
use bindery_tests::outside::Outside;
use bindery_tests::program::Agent;
use bindery_tests::sse::Events;
use bindery_tests::world::{World, eventually};
use jiff::Timestamp;
use serde_json::json;

use crate::sync::small;

const LOG: &str = "select operator_id || ' ' || previous || ' ' || state from ops.operator_health_log order by id";

/// The configuration of another agent for the same stores.
fn another(config: &Config) -> Config {
    let mut config = config.clone();
    config.data_dir = config.data_dir.with_file_name("second").join("agent");
    config
}

/// A signal of `c1`; which half of its messages failed, where it is bad.
async fn signal(outside: &Outside, operator: &str, is_bad: bool) {
    let signal = json!({
        "operatorId": operator, "connectorId": "c1", "bindState": "BOUND", "submitted": 100,
        "failed": if is_bad { 50 } else { 0 }, "p95Millis": 250, "at": Timestamp::now().to_string(),
    });
    outside.publish(&format!("operator.health.signal.v1.{operator}"), &signal).await;
}

async fn shown(outside: &Outside, operator: &str) -> Option<HealthView> {
    let shown = outside.cached(&format!("ops:health:{operator}")).await?;
    Some(serde_json::from_value(shown).unwrap())
}

/// How many signals in a row an operator's connector has asked for UNHEALTHY.
async fn bad_ones(outside: &Outside, operator: &str) -> u16 {
    shown(outside, operator).await.map_or(0, |view| view.connectors["c1"].runs.unhealthy)
}

/// Whether an agent shows an operator's state, which the leader does once it listens.
async fn leads(agent: &Agent) -> bool {
    agent.ops("/metrics").await.1.contains("bindery_operator_health{operator=\"one\"}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_takes_nothing_with_it() {
    let world = World::new().await;
    world.commit("First", &small(&world));
    let mut leader = Agent::start(&world.config).await;
    let outside = world.outside().await;
    eventually("it leads", async || leads(&leader).await).await;
    let follower = Agent::start(&another(&world.config)).await;
    for operator in ["one", "two"] {
        eventually("it is healthy", async || {
            signal(&outside, operator, false).await;
            shown(&outside, operator).await.is_some_and(|view| view.state == HealthState::Healthy)
        })
        .await;
    }
    let healthy = shown(&outside, "two").await.unwrap();
    let connector = client(&world.stack.pki.ca, Some(&world.stack.pki.smpp_connector));
    let stream = |agent: &Agent| format!("{}/v1/internal/health/stream", agent.internal);
    let mut of_leader = Events::open(&connector, &stream(&leader), Some(0)).await.unwrap();
    let mut of_follower = Events::open(&connector, &stream(&follower), Some(0)).await.unwrap();
    for stream in [&mut of_leader, &mut of_follower] {
        assert_eq!(stream.next().await.unwrap().name, "ready");
        assert_eq!(stream.changes(2).await.len(), 2);
    }

    // Two bad signals of the three it takes; the first in a row may be lost among the good ones that were under way.
    for count in 1..=2 {
        signal(&outside, "one", true).await;
        eventually("the bad signal counts", async || bad_ones(&outside, "one").await == count).await;
    }
    leader.program.kill();
    eventually("the other leads", async || leads(&follower).await).await;
    // The third, to an agent that never heard the first two.
    signal(&outside, "one", true).await;
    eventually("it is unhealthy", async || {
        shown(&outside, "one").await.is_some_and(|view| view.state == HealthState::Unhealthy)
    })
    .await;
    assert_eq!(bad_ones(&outside, "one").await, 3);
    // What is healthy is so since the same moment.
    signal(&outside, "two", false).await;
    eventually("it is heard", async || shown(&outside, "two").await.unwrap().last_signal_at > healthy.last_signal_at)
        .await;
    let view = shown(&outside, "two").await.unwrap();
    assert_eq!((view.state, view.since), (HealthState::Healthy, healthy.since));

    // Each change is there once: in the log, as an event, and on a stream that goes on or is taken up with another agent.
    let expected = ["one UNKNOWN HEALTHY", "two UNKNOWN HEALTHY", "one HEALTHY UNHEALTHY"];
    eventually("the change is logged", async || outside.column(LOG).await.len() == 3).await;
    assert_eq!(outside.column(LOG).await, expected);
    assert_eq!(of_follower.changes(1).await.len(), 1);
    drop(of_leader);
    let mut resumed = Events::open(&connector, &stream(&follower), Some(2)).await.unwrap();
    assert_eq!(resumed.next().await.unwrap().name, "ready");
    let change = resumed.next().await.unwrap();
    assert_eq!((&change.data["operatorId"], &change.data["state"]), (&json!("one"), &json!("UNHEALTHY")));
    let owed = "select count(*) from ops.outbox where published_at is null";
    eventually("all is published", async || outside.count(owed).await == 0).await;
    assert_eq!(outside.events_of("operator.health.v1").await.len(), 3);
    follower.program.stop().await;
}
