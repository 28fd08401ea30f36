//! Many writers at once, at one agent and at two: what is accepted is one commit each, and none is lost.

use std::collections::BTreeSet;

use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use bindery_tests::api::{Answered, Api, small};
use bindery_tests::world::{World, eventually, until_applied};
use git2::Oid;
use serde_json::{Value, json};

/// What the writer `n` asks for: every second one a rule, the others an operator with a password.
async fn write(api: Api, n: u32) -> Answered {
    if n.is_multiple_of(2) {
        let rule = json!({"prefix": format!("+93{}", 70_000 + n), "narrows": "+9370"});
        return api.post("/operators/first/routing-rules", &rule).await;
    }
    let operator = json!({"id": format!("bind-{n}"), "mno": "carrier", "password": format!("p4ss-{n}"), "spec": {
        "displayName": format!("Bind {n}"), "smpp": {"host": format!("bind-{n}.example"), "port": 2775, "systemId": "bind"},
        "tps": {"outbound": 1}}});
    api.post("/operators", &operator).await
}

/// Commits since another, newest first. Each has one parent, so that the history is a line.
fn since(world: &World, base: Oid) -> Vec<git2::Commit<'_>> {
    let (mut commits, mut commit) = (Vec::new(), world.head());
    while commit.id() != base {
        assert_eq!(commit.parent_count(), 1);
        let parent = commit.parent(0).unwrap();
        commits.push(commit);
        commit = parent;
    }
    commits
}

/// Has writers write at once, in turn at each of the agents, and looks at what is left of it.
async fn all_at_once(world: &World, agents: &[&Agent], base: Oid) {
    let writers = (0..50).map(|n| {
        let agent = agents[n as usize % agents.len()];
        let api = Api::of(world, agent, &format!("writer-{n}"), Role::CarrierAdmin);
        tokio::spawn(async move { (n, write(api, n).await) })
    });
    let mut accepted = BTreeSet::new();
    for writer in writers.collect::<Vec<_>>() {
        let (n, answer) = writer.await.unwrap();
        match answer.status {
            201 | 202 => {
                accepted.insert(format!("writer-{n}"));
            }
            // Refused as a whole: somebody else's turn took too long.
            _ => assert_eq!(answer.problem(), (503, "REPOSITORY_UNAVAILABLE"), "{}", answer.body),
        }
    }
    assert!(accepted.len() >= 45, "only {} of 50 writers were served", accepted.len());
    let commits = since(world, base);
    let authors: BTreeSet<String> = commits.iter().map(|commit| commit.author().name().unwrap().to_owned()).collect();
    assert_eq!((commits.len(), &authors), (accepted.len(), &accepted));

    until_applied(agents[0], world.head().id()).await;
    let outside = world.outside().await;
    let of = |parity: u32| (0..50).filter(move |n| n % 2 == parity).map(|n| (n, format!("writer-{n}")));
    let rules: Vec<String> =
        of(0).filter(|(_, writer)| accepted.contains(writer)).map(|(n, _)| format!("93{}", 70_000 + n)).collect();
    let rows = r#"select prefix from ops.routing_rules where prefix <> '9370' order by prefix collate "C""#;
    assert_eq!(outside.column(rows).await, rules);
    for (n, writer) in of(1) {
        let expected = accepted.contains(&writer).then(|| format!("p4ss-{n}"));
        assert_eq!(outside.password(&format!("bind-{n}")).await, expected, "{n}");
    }
    assert_eq!(outside.count("select count(*) from ops.secret_intents").await, 0);
    equal_to_git(world, agents[0]).await;
}

/// Looks at all four stores in full.
async fn equal_to_git(world: &World, agent: &Agent) {
    let sam = Api::of(world, agent, "sam", Role::Sre);
    eventually("all is published", async || {
        world.outside().await.count("select count(*) from ops.outbox where published_at is null").await == 0
    })
    .await;
    let asked = sam.post("/sync/drift", &json!({"dryRun": true})).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    let look = asked.body["asked"].as_i64().unwrap();
    eventually("the look is over", async || sam.get("/sync/drift").await.body["answered"].as_i64() >= Some(look)).await;
    let report = sam.get("/sync/drift").await.body["last"].take();
    assert_eq!(report["differences"], Value::Array(Vec::new()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_writers_at_one_agent_are_fifty_commits() {
    let world = World::new().await;
    let agent = small(&world).await;
    let base = world.head().id();
    all_at_once(&world, &[&agent], base).await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_five_writers_at_each_of_two_agents_lose_nothing() {
    let world = World::new().await;
    let leader = small(&world).await;
    let mut config = world.config.clone();
    config.data_dir = world.dir.path().join("second");
    let follower = Agent::start(config).await.unwrap();
    let base = world.head().id();
    all_at_once(&world, &[&leader, &follower], base).await;
    follower.shutdown().await;
    leader.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_follower_writes_is_applied_without_waiting_for_a_poll() {
    let mut world = World::new().await;
    let leader = small(&world).await;
    leader.shutdown().await;
    // Longer than the test takes.
    world.config.repository.poll_seconds = 3_600.0;
    let leader = world.agent().await;
    until_applied(&leader, world.head().id()).await;
    let mut config = world.config.clone();
    config.data_dir = world.dir.path().join("second");
    let follower = Agent::start(config).await.unwrap();
    let listens = "select count(*) from pg_stat_activity where datname = current_database() and query like 'LISTEN%'";
    eventually("both listen", async || world.outside().await.count(listens).await == 2).await;
    let answer = write(Api::of(&world, &follower, "ana", Role::CarrierAdmin), 0).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    follower.shutdown().await;
    leader.shutdown().await;
}
