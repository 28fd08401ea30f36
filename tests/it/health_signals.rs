//! `bindery-agent signal` sends what a connector sends, and `bindery-agent health` shows what came of it.

use std::collections::BTreeSet;
use std::path::Path;

use bindery_agent::dev::free_port;
use bindery_agent::http::permissions::Role;
use bindery_schema::wire::health::{BindState, HealthChange, HealthSignal, HealthState, HealthView};
use bindery_tests::program::{Agent, Program, ask, run};
use bindery_tests::stack::programs;
use bindery_tests::world::{PATIENCE, World, eventually};
use futures::StreamExt as _;

use crate::sync::small;

fn send(world: &World, arguments: &[&str], input: Option<&str>) -> std::process::Output {
    let nats = &world.config.nats;
    let common = ["signal", "--url", nats.url.expose(), "--subject-prefix", &nats.subject_prefix];
    let arguments: Vec<_> = common.iter().chain(arguments).copied().collect();
    run(programs().join("bindery-agent").to_str().unwrap(), &arguments, Path::new("/"), input)
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_of_a_file_are_sent_in_order_and_counted() {
    let world = World::new().await;
    let outside = world.outside().await;
    let subject = format!("{}operator.health.signal.v1.*", world.config.nats.subject_prefix);
    let mut heard = outside.nats.subscribe(subject).await.unwrap();
    outside.nats.flush().await.unwrap();
    let mut next = async || {
        let message = tokio::time::timeout(PATIENCE, heard.next()).await.unwrap().unwrap();
        let signal: HealthSignal = serde_json::from_slice(&message.payload).unwrap();
        assert!(message.subject.ends_with(signal.operator_id.as_str()));
        signal
    };
    assert!(send(&world, &["one", "--bind", "unbound", "--failed", "3"], None).status.success());
    let one = next().await;
    assert_eq!((one.operator_id.as_str(), one.bind_state, one.failed), ("one", BindState::Unbound, 3));

    let line = |failed: usize| {
        format!(
            r#"{{"operatorId":"op-{}","connectorId":"c1","bindState":"BOUND","submitted":200,"failed":{failed}}}"#,
            failed % 3
        )
    };
    let lines: Vec<_> = (0..200).map(line).collect();
    let file = world.dir.path().join("signals.ndjson");
    std::fs::write(&file, lines.join("\n\n")).unwrap();
    let output = send(&world, &["--file", file.to_str().unwrap(), "--rate", "10000"], None);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "sent 200 signals\n");
    let mut times = BTreeSet::new();
    for failed in 0..200 {
        let signal = next().await;
        assert_eq!(signal.failed, failed);
        times.insert((signal.operator_id, signal.at));
    }
    assert_eq!(times.len(), 200, "none passes for a repetition of another");

    // From standard input, up to the line that is none.
    let input = format!("{}\n{}\n{{\"operatorId\":\"op-1\"}}\n{}\n", line(1), line(2), line(3));
    let output = send(&world, &["--file", "-"], Some(&input));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("line 3 is no signal; 2 before it were sent") && text.contains("connectorId"), "{text}");
    assert_eq!([next().await.failed, next().await.failed], [1, 2]);
    for wrong in [&["one", "--file", "-"][..], &["one", "--rate", "5"], &[], &["--file", "/nowhere"]] {
        assert_eq!(send(&world, wrong, Some("")).status.code(), Some(1), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_signals_is_shown_and_followed_past_a_restart() {
    let mut world = World::new().await;
    // At the same address after the restart.
    world.config.admin.listen.set_port(free_port().unwrap());
    world.commit("First", &small(&world));
    let agent = Agent::start(&world.config).await;
    let token = world.token("nina", Role::Noc);
    let outside = world.outside().await;
    let told = "select count(*) from ops.operator_health_log";
    let hears = async |agent: &Agent| agent.ops("/metrics").await.1.contains("bindery_operator_health{");
    eventually("it hears signals", async || hears(&agent).await).await;
    let followed = |arguments: &[&str], dir: &str| {
        let arguments = [&["health", "--url", &agent.admin, "--token", &token], arguments].concat();
        Program::start("bindery-agent", &arguments, &world.dir.path().join(dir))
    };
    let mut all = followed(&["--follow", "--json"], "all");
    let mut two = followed(&["two", "--follow"], "two");
    eventually("both follow", async || agent.ops("/metrics").await.1.contains("bindery_health_streams 2\n")).await;
    for (operator, changes) in [("one", 1), ("two", 2)] {
        eventually("the change is written", async || {
            assert!(send(&world, &[operator, "--bind", "unbound"], None).status.success());
            outside.count(told).await >= changes
        })
        .await;
    }
    let json = |line: &str| serde_json::from_str::<HealthChange>(line).ok();
    assert_eq!(all.line(|line| json(line).filter(|change| change.id == 2)).await.operator_id.as_str(), "two");
    two.line(|line| (line.contains("UNKNOWN   → UNHEALTHY") && line.contains(" two ")).then_some(())).await;
    assert!(!two.written().contains(" one "));

    let ask = |arguments: &[&str]| {
        let output = ask(&[&["health"], arguments].concat(), &agent.admin, &token);
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (_, text, _) = ask(&["one"]);
    assert!(text.starts_with("UNHEALTHY since 20") && text.contains("by-hand: unbound\n  by-hand"), "{text}");
    let (_, text, _) = ask(&["one", "--history"]);
    assert!(text.lines().last().is_some_and(|oldest| oldest.contains("UNKNOWN   → UNHEALTHY")), "{text}");
    let (_, text, _) = ask(&["one", "--json"]);
    assert_eq!(serde_json::from_str::<HealthView>(&text).unwrap().state, HealthState::Unhealthy);
    let (code, _, text) = ask(&["nobody"]);
    assert!(code == Some(1) && text.contains("there is no operator nobody"), "{text}");

    let recorded = outside.count(told).await;
    agent.program.stop().await;
    let agent = Agent::start(&world.config).await;
    eventually("a change is written after the restart", async || {
        assert!(send(&world, &["one"], None).status.success());
        outside.count(told).await > recorded
    })
    .await;
    let last = all.line(|line| json(line).filter(|change| change.state == HealthState::Healthy)).await;
    let ids = all.written().lines().filter_map(json).map(|change| change.id.to_string()).collect::<Vec<_>>();
    let logged = outside.column("select id::text from ops.operator_health_log order by id").await;
    assert!(ids.len() >= 3 && ids.contains(&last.id.to_string()), "{ids:?}");
    assert_eq!(ids, logged[..ids.len()], "each once and none missed, past the restart too");
    agent.program.stop().await;
}
