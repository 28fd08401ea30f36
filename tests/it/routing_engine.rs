//! A routing engine beside `bindery trace`: the program of `client/examples/` from an empty process, on this repository's
//! configuration; and a client that follows a branch.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use bindery_client::Client;
use bindery_client::table::{AllHealthy, Table};
use bindery_client::watch::Change;
use bindery_compiler::{Compiler, Options};
use bindery_schema::value::E164Prefix;
use bindery_schema::wire::api::RoutingTable;
use bindery_schema::wire::event::OPERATOR_UPDATED;
use bindery_tests::consumer;
use bindery_tests::dev::Dev;
use bindery_tests::documents::routes;
use bindery_tests::listeners;
use bindery_tests::program::bindery;
use bindery_tests::stack::programs;
use bindery_tests::world::{PATIENCE, World, eventually, until_applied};
use serde_json::Value;

use crate::sync::small;

/// Numbers inside prefixes of the configuration and beside them.
fn numbers(dir: &std::path::Path, count: usize) -> Vec<E164Prefix> {
    let options = Options { now: jiff::Timestamp::now(), environment: None };
    let compiled = Compiler::default().compile_directory(dir, &options).unwrap();
    let catalog = compiled.catalog().unwrap();
    let prefixes: Vec<E164Prefix> =
        catalog.operators.values().flat_map(|operator| operator.rules.iter().map(|rule| rule.prefix)).collect();
    let mut random = fastrand::Rng::with_seed(7);
    let mut numbers = BTreeSet::new();
    while numbers.len() < count {
        let digits = match random.u8(..10) {
            0 => random.u64(1..10_u64.pow(15)).to_string(),
            1 => prefixes[random.usize(..prefixes.len())].digits(),
            _ => format!("{}{:09}", prefixes[random.usize(..prefixes.len())].digits(), random.u64(..1_000_000_000)),
        };
        numbers.extend(E164Prefix::from_digits(&digits[..digits.len().min(13)]));
    }
    numbers.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_from_nothing_routes_ten_thousand_numbers_as_a_trace_says() {
    let dev = Dev::start("routing-engine").await;
    let work = dev.check_out();
    let numbers = numbers(&work.dir, 10_000);
    let text = numbers.iter().fold(String::new(), |mut text, number| {
        writeln!(text, "{number}").unwrap();
        text
    });

    let mut engine = Command::new(programs().join("examples/routing_engine"))
        .envs(&dev.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`cargo build --workspace --all-targets` builds the example");
    let mut input = engine.stdin.take().unwrap();
    let asked = text.clone();
    let writing = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let output = tokio::task::spawn_blocking(|| engine.wait_with_output()).await.unwrap().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();

    let file = dev.data_dir.join("numbers.txt");
    std::fs::write(&file, &text).unwrap();
    let traced = bindery(&["trace", "--file", file.to_str().unwrap(), "--format", "json"], &work.dir, None);
    let traced = String::from_utf8(traced.stdout).unwrap();
    let mut served = 0;
    for (answer, trace) in answers.lines().zip(traced.lines()) {
        let trace: Value = serde_json::from_str(trace).unwrap();
        let routes = trace["routes"].as_array().unwrap();
        let operators: Vec<&str> = routes.iter().map(|route| route["operator"].as_str().unwrap()).collect();
        let expected = match routes.first() {
            Some(first) => format!(
                "{} {} {}",
                trace["number"].as_str().unwrap(),
                first["prefix"].as_str().unwrap(),
                operators.join(",")
            ),
            None => format!("{} - -", trace["number"].as_str().unwrap()),
        };
        assert_eq!(answer, expected);
        served += usize::from(!routes.is_empty());
    }
    assert_eq!((answers.lines().count(), traced.lines().count()), (10_000, 10_000));
    assert!((5_000..10_000).contains(&served), "{served}");
    dev.program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_follows_each_step_and_finds_its_way_back() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let internal = format!("https://localhost:{}", agent.listeners().internal.port());
    let mut config = consumer::config(&world, &internal);
    // Nothing but events makes it look in the first part.
    config.table_every = std::time::Duration::from_secs(3_600);
    let client = Client::start(config).await.unwrap();
    let mut watch = client.watch();
    client.routing().ready().await;
    eventually("events come", async || client.metrics().snapshot().events_connections == 1).await;
    let shown = async || -> RoutingTable {
        let http = listeners::client(&world.stack.pki.ca, Some(&world.stack.pki.smpp_connector));
        http.get(format!("{internal}/v1/internal/routing-table")).send().await.unwrap().json().await.unwrap()
    };
    let same = async || {
        let shown = Table::from_json(&shown().await).unwrap();
        let table = client.routing().table();
        table.generation() == shown.generation() && table.rows().eq(shown.rows())
    };
    let commit = |prefixes: &[&str]| {
        world.commit("Next", &[("operators/carrier/two.routes.yaml", Some(routes("two", prefixes)))])
    };
    eventually("the first table", same).await;
    let before = client.metrics().snapshot();
    for prefixes in [&["9379", "9378"][..], &["9378"], &["9377", "93781"]] {
        until_applied(&agent, commit(prefixes)).await;
        eventually("the next table", same).await;
    }
    let after = client.metrics().snapshot();
    assert_eq!(after.table_snapshots, before.table_snapshots, "no table was read anew");
    assert!(
        after.table_changes > before.table_changes && after.table_resyncs == 0 && after.table_gaps == 0,
        "{after:?}"
    );
    let number = E164Prefix::from_digits("93781234").unwrap();
    let held = client.routing().table().route(number, 1, &AllHealthy).route.map(|route| route.operator.to_string());
    assert_eq!(held.as_deref(), Some("two"));
    let watching = async {
        let (mut steps, mut updates) = (0, 0);
        while updates < 3 || steps < 3 {
            match watch.next().await.unwrap() {
                Change::Applied(_) => steps += 1,
                Change::Operator(kind, config) if kind == OPERATOR_UPDATED => {
                    assert_eq!(
                        (config.operator_id.as_str(), &*config.changed_fields),
                        ("two", &["routes".to_owned()][..])
                    );
                    updates += 1;
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, watching).await.expect("the watcher is told of each step and each change");

    // An event of a later step than the next: one was lost.
    let generation = client.routing().table().generation();
    let stores = world.stores().await;
    sqlx::query("update ops.sync_state set generation = generation + 2").execute(&stores.postgres).await.unwrap();
    until_applied(&agent, commit(&["9376"])).await;
    eventually("the table after the gap", same).await;
    let now = client.metrics().snapshot();
    assert_eq!((now.table_gaps, now.table_resyncs), (2, 0), "{now:?}");
    assert_eq!(client.routing().table().generation(), generation + 3);

    // Changes that are not kept any more.
    let gone = "update ops.sync_state set changes_from = generation + 1";
    sqlx::query(gone).execute(&stores.postgres).await.unwrap();
    until_applied(&agent, commit(&["9375", "93761"])).await;
    eventually("the table that was read anew", same).await;
    assert_eq!(client.metrics().snapshot().table_resyncs, 1);
    client.shutdown().await;
    agent.shutdown().await;
}
