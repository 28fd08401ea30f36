//! Repositories behind HTTPS and SSH, that go away, are rewritten, lose their branch or are pushed to in bursts.

use std::collections::BTreeSet;
use std::path::Path;

use bindery_agent::config::{Repository, SecretSource};
use bindery_schema::wire::api::SyncPhase;
use bindery_tests::documents::operator;
use bindery_tests::program::{Agent, git};
use bindery_tests::servers::{Server, Ssh};
use bindery_tests::world::{World, eventually, until, until_applied};
use git2::Oid;
use tokio::io::AsyncReadExt as _;

use crate::sync::{count, small};

/// Waits until the program has applied a commit.
async fn applied(world: &World, commit: Oid) {
    let outside = world.outside().await;
    eventually("the commit is applied", async || {
        let found = sqlx::query_scalar::<_, Option<String>>("select applied_commit from ops.sync_state");
        found.fetch_one(&outside.postgres).await.is_ok_and(|found| found == Some(commit.to_string()))
    })
    .await;
}

fn moved(world: &World, host: &str) -> Oid {
    let text = operator("two", "carrier", host, None);
    world.commit("Move", &[("operators/carrier/two.yaml", Some(text))])
}

/// Waits until the program says why a step failed.
async fn fails_with(agent: &mut Agent, reason: &str) {
    agent.program.line(|line| (line.contains("the step failed") && line.contains(reason)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repository_is_followed_over_https() {
    let mut world = World::new().await;
    let first = world.commit("First", &small(&world));
    let (dir, pki) = (world.dir.path().to_owned(), &world.stack.pki);
    let forge = Server::https_forge(&dir.join("https"), &pki.server, &dir, "deploy", "k3y7pq2x").await;
    let token = dir.join("token");
    std::fs::write(&token, "wrong\n").unwrap();
    let ca = pki.ca.clone();
    world.config.repository = Repository {
        poll_seconds: 0.1,
        user: "deploy".to_owned(),
        password: Some(SecretSource::File(token.clone())),
        ..Repository::at(format!("https://localhost:{}/forge.git", forge.port))
    };

    let mut agent = Agent::start(&world.config).await;
    fails_with(&mut agent, "certificate").await;
    agent.program.stop().await;

    world.config.repository.ca = Some(ca);
    let mut agent = Agent::start(&world.config).await;
    fails_with(&mut agent, "the server refuses the credentials there are").await;
    // The token is replaced without a restart.
    std::fs::write(&token, "k3y7pq2x\n").unwrap();
    applied(&world, first).await;
    let second = moved(&world, "moved.example");
    applied(&world, second).await;
    assert!(!agent.program.written().contains("k3y7pq2x"));
    agent.program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repository_is_followed_over_ssh() {
    let mut world = World::new().await;
    let first = world.commit("First", &small(&world));
    let dir = world.dir.path().to_owned();
    let ssh = Ssh::start(&dir.join("ssh"), "k3y7pq2x").await;
    let (hosts, passphrase) = (dir.join("known_hosts"), dir.join("passphrase"));
    std::fs::write(&hosts, "").unwrap();
    std::fs::write(&passphrase, "wrong").unwrap();
    world.config.repository = Repository {
        poll_seconds: 0.1,
        ssh_key: Some(ssh.key.clone()),
        ssh_passphrase: Some(SecretSource::File(passphrase.clone())),
        known_hosts: Some(hosts.clone()),
        ..Repository::at(format!("ssh://{}@127.0.0.1:{}{}/forge.git", ssh.user, ssh.server.port, dir.display()))
    };

    let mut agent = Agent::start(&world.config).await;
    fails_with(&mut agent, "has no ssh-ed25519 key of 127.0.0.1").await;
    std::fs::write(&hosts, &ssh.known_host).unwrap();
    fails_with(&mut agent, "passphrase").await;
    std::fs::write(&passphrase, "k3y7pq2x\n").unwrap();
    applied(&world, first).await;
    let second = moved(&world, "moved.example");
    applied(&world, second).await;
    // A server that has another key all of a sudden is not talked to.
    std::fs::write(&hosts, format!("@revoked {}", ssh.known_host)).unwrap();
    fails_with(&mut agent, "is revoked").await;
    assert!(!agent.program.written().contains("k3y7pq2x"));
    agent.program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_is_given_up() {
    let mut world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/forge.git", silent.local_addr().unwrap());
    let taken = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut connection, _)) = silent.accept().await {
            let _ = connection.read(&mut [0; 1024]).await;
            kept.push(connection);
        }
    });
    world.config.repository = Repository { timeout_seconds: 0.5, poll_seconds: 0.1, ..Repository::at(url) };
    let mut agent = Agent::start(&world.config).await;
    fails_with(&mut agent, "timed out").await;
    assert_eq!(agent.ops("/health/live").await.0, 200);
    agent.program.stop().await;
    taken.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_branch_or_repository_deletes_nothing_and_is_waited_for() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let outside = world.outside().await;
    let living = "select count(*) from ops.operators where deleted_at is null";

    world.git.find_reference("refs/heads/main").unwrap().delete().unwrap();
    let status = until(&agent, "a lost branch", |status| status.phase == SyncPhase::Retrying).await;
    assert!(status.blocked.unwrap().reason.contains("no branch `main`"));
    assert_eq!(outside.count(living).await, 2);
    world.point_branch_at(first);
    until_applied(&agent, first).await;

    let (forge, aside) = (world.dir.path().join("forge.git"), world.dir.path().join("aside.git"));
    std::fs::rename(&forge, &aside).unwrap();
    until(&agent, "a lost repository", |status| status.phase == SyncPhase::Retrying).await;
    let ready = reqwest::get(format!("http://{}/health/ready", agent.listeners().ops)).await.unwrap();
    assert_eq!(ready.status(), 200);
    assert_eq!(outside.count(living).await, 2);
    std::fs::rename(&aside, &forge).unwrap();
    let second = moved(&world, "moved.example");
    let status = until_applied(&agent, second).await;
    assert_eq!(status.applied.unwrap().generation, 2);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_push_is_on_record() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let second = moved(&world, "moved.example");
    let agent = world.agent().await;
    until_applied(&agent, second).await;
    let outside = world.outside().await;
    let audited = "select detail->>'previous' from ops.audit_log where action = 'sync.forced'";
    assert!(outside.column(audited).await.is_empty());
    world.point_branch_at(first);
    let third = moved(&world, "elsewhere.example");
    until_applied(&agent, third).await;
    // The agent may have seen the branch in between, which then was forced too.
    assert_eq!(outside.column(audited).await, [second.to_string()]);
    let notes = "select detail->>'note' from ops.sync_runs where detail->>'note' is not null";
    assert!(outside.column(notes).await[0].contains("does not descend"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_burst_the_last_wins_and_the_others_are_listed() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let burst: Vec<Oid> = (0..100).map(|number| moved(&world, &format!("host{number}.example"))).collect();
    until_applied(&agent, *burst.last().unwrap()).await;
    let outside = world.outside().await;
    let listed = "select commit from ops.sync_runs
                  union all select jsonb_array_elements_text(skipped) from ops.sync_runs";
    let listed = outside.column(listed).await;
    let wanted: BTreeSet<String> = burst.iter().chain([&first]).map(ToString::to_string).collect();
    assert_eq!((listed.len(), listed.into_iter().collect::<BTreeSet<_>>()), (101, wanted));
    assert_eq!(outside.column("select host from ops.operators where id = 'two'").await, ["host99.example"]);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shallow_repository_is_followed_as_far_as_it_reaches() {
    let mut world = World::new().await;
    world.commit("First", &small(&world));
    moved(&world, "second.example");
    let third = moved(&world, "third.example");
    let dir = world.dir.path().to_owned();
    let full = format!("file://{}/forge.git", dir.display());
    git(&["clone", "--quiet", "--bare", "--depth", "1", &full, "shallow.git"], &dir);
    world.config.repository.url = dir.join("shallow.git").display().to_string();
    let agent = world.agent().await;
    until_applied(&agent, third).await;
    let fourth = moved(&world, "fourth.example");
    let fifth = moved(&world, "fifth.example");
    let push = |force: &[&str]| {
        let arguments = [&["push", "--quiet"], force, &["../shallow.git", "main"]].concat();
        git(&arguments, Path::new(&dir.join("forge.git")));
    };
    push(&[]);
    until_applied(&agent, fifth).await;
    let pool = &agent.shared().stores.postgres;
    let skipped = sqlx::query_scalar::<_, String>(
        "select jsonb_array_elements_text(skipped) from ops.sync_runs where generation = 2",
    );
    assert_eq!(skipped.fetch_all(pool).await.unwrap(), [fourth.to_string()]);
    // Even where the applied commit lies beyond the end of what there is.
    agent.shutdown().await;
    std::fs::remove_dir_all(world.clone_of_agent()).unwrap();
    std::fs::remove_dir_all(dir.join("shallow.git")).unwrap();
    let sixth = moved(&world, "sixth.example");
    git(&["clone", "--quiet", "--bare", "--depth", "1", &full, "shallow.git"], &dir);
    let agent = world.agent().await;
    until_applied(&agent, sixth).await;
    let pool = &agent.shared().stores.postgres;
    assert_eq!(count(pool, "select count(*) from ops.audit_log where action = 'sync.forced'").await, 1);
    agent.shutdown().await;
}
