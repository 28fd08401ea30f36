//! Vault, Postgres and the repository lost at each step of a create: either the operator is there with all its effects,
//! or nothing of it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use bindery_agent::config::{Repository, SecretSource};
use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use bindery_tests::api::{Answered, Api, OPERATORS, PASSWORD, premium, small};
use bindery_tests::program::signal;
use bindery_tests::servers::Server;
use bindery_tests::world::{World, eventually};
use git2::Oid;
use tokio::task::JoinHandle;

/// A forge whose hook has each push wait until it is decided on.
struct Forge {
    server: Server,
    dir: PathBuf,
}

impl Forge {
    /// In front of the world's repository.
    async fn of(world: &mut World) -> Self {
        let (dir, pki) = (world.dir.path().to_owned(), &world.stack.pki);
        let server = Server::https_forge(&dir.join("https"), &pki.server, &dir, "deploy", "k3y7").await;
        let token = dir.join("token");
        fs::write(&token, "k3y7").unwrap();
        world.config.repository = Repository {
            poll_seconds: 0.1,
            user: "deploy".to_owned(),
            password: Some(SecretSource::File(token)),
            ca: Some(pki.ca.clone()),
            ..Repository::at(format!("https://localhost:{}/forge.git", server.port))
        };
        let hooks = world.git.path().join("hooks");
        fs::create_dir_all(&hooks).unwrap();
        let at = dir.display();
        let hook = format!(
            "#!/bin/sh\ntouch {at}/waiting\nwhile [ ! -e {at}/verdict ]; do sleep 0.02; done\n\
             verdict=$(cat {at}/verdict)\nrm {at}/verdict {at}/waiting\nexit $verdict\n"
        );
        fs::write(hooks.join("pre-receive"), hook).unwrap();
        fs::set_permissions(hooks.join("pre-receive"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { server, dir }
    }

    /// Waits until a push does.
    async fn is_asked(&self) {
        eventually("a push waits", async || self.dir.join("waiting").exists()).await;
    }

    /// Lets the push through, or not, and waits until the hook has heard it.
    async fn decides(&self, lets_through: bool) {
        let draft = self.dir.join("draft");
        fs::write(&draft, if lets_through { "0" } else { "1" }).unwrap();
        fs::rename(draft, self.dir.join("verdict")).unwrap();
        eventually("the hook has ended", async || !self.dir.join("waiting").exists()).await;
    }
}

fn create(ana: &Api) -> JoinHandle<Answered> {
    let ana = ana.clone();
    tokio::spawn(async move { ana.post(OPERATORS, &premium("smpp.premium.example")).await })
}

/// Nothing of the operator is anywhere.
async fn nothing_is_left(world: &World, before: Oid) {
    assert_eq!(world.head().id(), before);
    let outside = world.outside().await;
    eventually("the password is gone", async || outside.password("carrier-premium").await.is_none()).await;
    assert_eq!(outside.column("select id from ops.operators").await, ["first"]);
    eventually("no intent is left", async || outside.count("select count(*) from ops.secret_intents").await == 0).await;
    assert!(world.told("operator.config.created.v1").await.iter().all(|data| data["operatorId"] != "carrier-premium"));
}

/// The operator is everywhere.
async fn all_is_there(world: &World, before: Oid) {
    let commit = world.head();
    assert_eq!(commit.parent_id(0).unwrap(), before);
    let outside = world.outside().await;
    let row = "select count(*) from ops.operators where id = 'carrier-premium'";
    eventually("the row", async || outside.count(row).await == 1).await;
    eventually("the password", async || outside.password("carrier-premium").await.as_deref() == Some(PASSWORD)).await;
    eventually("no intent is left", async || outside.count("select count(*) from ops.secret_intents").await == 0).await;
    eventually("the event", async || {
        world.told("operator.config.created.v1").await.iter().any(|data| data["operatorId"] == "carrier-premium")
    })
    .await;
    eventually("the projection", async || outside.cached("ops:operator:carrier-premium").await.is_some()).await;
}

async fn begin(world: &World) -> (Agent, Api, Oid) {
    let agent = small(world).await;
    let ana = Api::of(world, &agent, "ana", Role::CarrierAdmin);
    (agent, ana, world.head().id())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_away_or_refuses_leaves_nothing() {
    let mut world = World::new().await;
    let forge = Forge::of(&mut world).await;
    let (agent, ana, before) = begin(&world).await;
    let away = world.dir.path().join("away.git");
    fs::rename(world.git.path(), &away).unwrap();
    let answer = create(&ana).await.unwrap();
    fs::rename(&away, world.git.path()).unwrap();
    assert_eq!(answer.problem(), (503, "REPOSITORY_UNAVAILABLE"), "{}", answer.body);
    nothing_is_left(&world, before).await;

    let answer = create(&ana);
    forge.is_asked().await;
    assert_eq!(
        world.outside().await.password("carrier-premium").await.as_deref(),
        Some(PASSWORD),
        "it is written ahead"
    );
    forge.decides(false).await;
    let answer = answer.await.unwrap();
    assert_eq!(answer.problem(), (503, "REPOSITORY_UNAVAILABLE"), "{}", answer.body);
    nothing_is_left(&world, before).await;

    let answer = create(&ana);
    forge.is_asked().await;
    forge.decides(true).await;
    assert_eq!(answer.await.unwrap().status, 201);
    all_is_there(&world, before).await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_lost_while_it_takes_the_commit_ends_in_all_or_nothing() {
    for takes_it in [false, true] {
        let mut world = World::new().await;
        let forge = Forge::of(&mut world).await;
        let (agent, ana, before) = begin(&world).await;
        let answer = create(&ana);
        forge.is_asked().await;
        // The server is gone; what it had begun is not.
        signal("KILL", &forge.server.program.id().to_string());
        let answer = answer.await.unwrap();
        assert_eq!(answer.problem(), (503, "REPOSITORY_UNAVAILABLE"), "{}", answer.body);
        assert!(answer.body["detail"].as_str().unwrap().contains("may still come"), "{}", answer.body);
        forge.decides(takes_it).await;
        if takes_it {
            eventually("the commit", async || world.head().id() != before).await;
        }
        let pki = &world.stack.pki;
        let _back = Server::https_forge_at(
            forge.server.port,
            &forge.dir.join("https"),
            &pki.server,
            world.dir.path(),
            "deploy",
            "k3y7",
        )
        .await;
        if takes_it {
            all_is_there(&world, before).await;
        } else {
            nothing_is_left(&world, before).await;
        }
        agent.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_lost_before_a_create_leaves_nothing_and_during_the_push_delays_it() {
    let mut world = World::alone().await;
    let forge = Forge::of(&mut world).await;
    let (agent, ana, before) = begin(&world).await;
    world.stack.postgres.kill().await;
    let answer = create(&ana).await.unwrap();
    world.stack.postgres.restart().await.unwrap();
    assert_eq!(answer.problem(), (503, "STORE_UNAVAILABLE"), "{}", answer.body);
    nothing_is_left(&world, before).await;

    let answer = create(&ana);
    forge.is_asked().await;
    world.stack.postgres.kill().await;
    forge.decides(true).await;
    world.stack.postgres.restart().await.unwrap();
    let answer = answer.await.unwrap();
    assert!(matches!(answer.status, 201 | 202), "{}", answer.body);
    assert_eq!(answer.body["commit"], world.head().id().to_string());
    all_is_there(&world, before).await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_lost_during_the_push_delays_a_create_and_a_refused_one_is_taken_back() {
    let mut world = World::alone().await;
    let forge = Forge::of(&mut world).await;
    let (agent, ana, before) = begin(&world).await;
    let answer = create(&ana);
    forge.is_asked().await;
    world.stack.vault.seal().await.unwrap();
    forge.decides(false).await;
    let answer = answer.await.unwrap();
    assert_eq!(answer.problem(), (503, "REPOSITORY_UNAVAILABLE"), "{}", answer.body);
    world.stack.vault.unseal().await.unwrap();
    nothing_is_left(&world, before).await;

    let answer = create(&ana);
    forge.is_asked().await;
    world.stack.vault.kill().await;
    forge.decides(true).await;
    world.stack.vault.restart().await.unwrap();
    let answer = answer.await.unwrap();
    assert!(matches!(answer.status, 201 | 202), "{}", answer.body);
    all_is_there(&world, before).await;
    agent.shutdown().await;
}
