//! `bindery-agent signal`: what it sends is what a connector sends.

use std::collections::BTreeSet;
use std::path::Path;

use bindery_schema::wire::health::{BindState, HealthSignal};
use bindery_tests::program::run;
use bindery_tests::stack::programs;
use bindery_tests::world::{PATIENCE, World};
use futures::StreamExt as _;

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
        times.insert(signal.at);
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
