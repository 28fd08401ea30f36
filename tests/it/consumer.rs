//! A service that links the client, while what it depends on is killed and comes back: Redis, the agent, Vault, Postgres
//! and NATS in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bindery_agent::dev::free_port;
use bindery_client::Client;
use bindery_client::credentials::Freshness;
use bindery_client::error::{CredentialsError, Outage};
use bindery_client::health::Source;
use bindery_client::metrics::Snapshot;
use bindery_schema::value::{E164Prefix, OperatorId};
use bindery_schema::wire::health::HealthState;
use bindery_tests::consumer::config;
use bindery_tests::documents::{operator, routes};
use bindery_tests::outside::Outside;
use bindery_tests::program::{Agent, signal};
use bindery_tests::world::{World, eventually};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::sync::small;

fn id(id: &str) -> OperatorId {
    id.parse().unwrap()
}

fn number(digits: &str) -> E164Prefix {
    E164Prefix::from_digits(digits).unwrap()
}

/// The service itself: routes, and asks for credentials and health of what it routes to, over and over.
struct Service {
    client: Arc<Client>,
    ends: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Service {
    fn start(client: Client) -> Self {
        let client = Arc::new(client);
        let (ends, rounds) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (caller, end, count) = (client.clone(), ends.clone(), rounds.clone());
        let task = tokio::spawn(async move {
            let one = id("one");
            while !end.load(Ordering::Relaxed) {
                let round = count.fetch_add(1, Ordering::Relaxed);
                {
                    let table = caller.routing().table();
                    let decision = table.route(number("93701234567"), round, &*caller.health().states());
                    assert_eq!(decision.route.map(|route| route.operator), Some(&one), "a lookup failed: {decision:?}");
                }
                let served = caller.credentials().get(&one).await;
                assert!(served.is_ok(), "credentials failed: {served:?}");
                let known = caller.health().get(&one).await;
                assert_ne!(known.source, Source::Nobody, "a state was forgotten");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        Self { client, ends, rounds, task }
    }

    /// What was counted, once the service went on from now for a few rounds.
    async fn after_some_rounds(&self) -> Snapshot {
        let enough = self.rounds.load(Ordering::Relaxed) + 3;
        eventually("the service goes on", async || {
            assert!(!self.task.is_finished(), "the service ended");
            self.rounds.load(Ordering::Relaxed) >= enough
        })
        .await;
        self.client.metrics().snapshot()
    }

    /// Waits until a count is greater than it is now.
    async fn counts(&self, what: &str, of: impl Fn(&Snapshot) -> u64) {
        let before = of(&self.client.metrics().snapshot());
        eventually(what, async || of(&self.after_some_rounds().await) > before).await;
    }

    async fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        Arc::into_inner(self.client).unwrap().shutdown().await;
    }
}

fn kill(world: &World, server: &str) {
    let pid = std::fs::read_to_string(world.stack.data_dir().join(format!("run/{server}.pid"))).unwrap();
    signal("KILL", pid.trim());
}

async fn comes_back(world: &World, server: &'static str) {
    eventually("the server runs again", async || world.stack.ensure_running().await.unwrap() == [server]).await;
}

async fn reports(outside: &Outside, operator: &str, bind_state: &str) {
    let at = jiff::Timestamp::now().to_string();
    let signal = json!({
        "operatorId": operator, "connectorId": "c1", "bindState": bind_state, "submitted": 100, "failed": 0,
        "throttled": 0, "p95Millis": 250, "inFlight": 3, "at": at,
    });
    outside.publish(&format!("operator.health.signal.v1.{operator}"), &signal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_once_known_is_served_whatever_is_killed() {
    let mut world = World::alone().await;
    world.config.internal.listen.set_port(free_port().unwrap());
    // `two` stands behind `one` for one of its prefixes.
    let mut files = small(&world);
    let shared = "{prefix: \"+9379\"}, {prefix: \"+9370\", priority: 200}";
    let two = routes("two", &["9379"]).replace("{prefix: \"+9379\"}", shared);
    files.retain(|(path, _)| *path != "operators/carrier/two.routes.yaml");
    files.push(("operators/carrier/two.routes.yaml", Some(two)));
    world.commit("First", &files);
    let mut agent = Agent::start(&world.config).await;
    let outside = world.outside().await;
    let client = Client::start(config(&world, &agent.internal)).await.unwrap();
    eventually("the table has rows", async || client.routing().table().route_count() == 4).await;
    let one = id("one");
    eventually("the password is there", async || client.credentials().get(&one).await.is_ok()).await;
    eventually("Redis shows a state", async || {
        reports(&outside, "one", "BOUND").await;
        client.health().get(&one).await.source == Source::Redis
    })
    .await;
    let service = Service::start(client);
    let client = service.client.clone();
    service.counts("all comes from its first source", |now| now.credentials_read.min(now.health_redis)).await;
    let calm = service.after_some_rounds().await;
    assert_eq!(
        calm.credentials_stale_agent + calm.credentials_stale_vault + calm.credentials_stale_store,
        0,
        "{calm:?}"
    );

    // Redis: the agent tells.
    kill(&world, "redis");
    service.counts("the agent tells the state", |now| now.health_agent).await;
    eventually("the source is told", async || client.health().get(&one).await.source == Source::Agent).await;

    // The agent as well: memory tells.
    agent.program.kill();
    service.counts("the last known state is told", |now| now.health_last_known).await;
    service.counts("remembered credentials are handed out", |now| now.credentials_stale_agent).await;
    let known = client.health().get(&one).await;
    assert!(matches!(known.source, Source::LastKnown { .. }) && known.view.state == HealthState::Healthy, "{known:?}");
    let served = client.credentials().get(&one).await.unwrap();
    assert!(matches!(served.freshness, Freshness::Stale { outage: Outage::Agent, .. }), "{served:?}");
    assert_eq!(served.credentials.password.expose(), "s3cret01");
    assert!(!format!("{served:?}").contains("s3cret01"));
    let never = client.credentials().get(&id("two")).await.unwrap_err();
    assert_eq!(never, CredentialsError::Unavailable { operator: id("two"), outage: Outage::Agent });
    service.counts("the table is looked for in vain", |now| now.table_failures).await;
    comes_back(&world, "redis").await;
    let mut agent = Agent::start(&world.config).await;
    service.counts("credentials are read again", |now| now.credentials_read).await;
    eventually("Redis tells again", async || {
        reports(&outside, "one", "BOUND").await;
        client.health().get(&one).await.source == Source::Redis
    })
    .await;

    // Vault, and Postgres.
    for (server, outage) in [("openbao", Outage::Vault), ("postgres", Outage::Store)] {
        kill(&world, server);
        let stale = |now: &Snapshot| match outage {
            Outage::Vault => now.credentials_stale_vault,
            _ => now.credentials_stale_store,
        };
        service.counts("remembered credentials are handed out", stale).await;
        comes_back(&world, server).await;
        service.counts("credentials are read again", |now| now.credentials_read).await;
    }

    // NATS: the table is followed all the same, and its events are heard again afterwards.
    let connections = client.metrics().snapshot().events_connections;
    kill(&world, "nats");
    let password = world.seal("one", "s3cret02");
    let text = operator("one", "carrier", "one.example", Some(&password));
    let more = routes("one", &["9370", "9371", "9372"]);
    world.commit(
        "Next",
        &[("operators/carrier/one.yaml", Some(text)), ("operators/carrier/one.routes.yaml", Some(more))],
    );
    eventually("the next table", async || client.routing().table().route_count() == 5).await;
    eventually("the next password", async || {
        client.credentials().get(&one).await.unwrap().credentials.password.expose() == "s3cret02"
    })
    .await;
    comes_back(&world, "nats").await;
    eventually("events come again", async || client.metrics().snapshot().events_connections > connections).await;
    drop(client);
    service.end().await;
    agent.program.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_operator_gets_nothing_until_it_is_well() {
    let world = World::new().await;
    let mut files = small(&world);
    files.retain(|(path, _)| *path != "operators/carrier/two.routes.yaml");
    files.push(("operators/carrier/two.routes.yaml", Some(routes("two", &["937"]))));
    world.commit("First", &files);
    let agent = Agent::start(&world.config).await;
    let outside = world.outside().await;
    let client = Client::start(config(&world, &agent.internal)).await.unwrap();
    let goes_to = |digits: &str| {
        let table = client.routing().table();
        let decision = table.route(number(digits), 7, &*client.health().states());
        decision.route.map(|route| route.operator.to_string())
    };
    eventually("it goes to the longest prefix", async || goes_to("93701").as_deref() == Some("one")).await;
    eventually("it goes to the broader prefix", async || {
        reports(&outside, "one", "UNBOUND").await;
        goes_to("93701").as_deref() == Some("two")
    })
    .await;
    eventually("it goes to nobody", async || {
        reports(&outside, "two", "UNBOUND").await;
        goes_to("93701").is_none()
    })
    .await;
    eventually("it goes to the longest prefix again", async || {
        reports(&outside, "one", "BOUND").await;
        goes_to("93701").as_deref() == Some("one")
    })
    .await;
    client.shutdown().await;
    agent.program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_obeyed_and_what_was_remembered_is_wiped() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    bindery_tests::world::until_applied(&agent, first).await;
    world.let_go(&agent).await;
    let internal = format!("https://localhost:{}", agent.listeners().internal.port());
    let client = Client::start(config(&world, &internal)).await.unwrap();
    let (one, two) = (id("one"), id("two"));
    assert_eq!(client.credentials().get(&one).await.unwrap().freshness, Freshness::Fresh);
    assert_eq!(client.credentials().get(&two).await.unwrap_err(), CredentialsError::NotSet(two));
    let gone = [("operators/carrier/one.yaml", None), ("operators/carrier/one.routes.yaml", None)];
    bindery_tests::world::until_applied(&agent, world.commit("Delete", &gone)).await;
    assert_eq!(client.credentials().get(&one).await.unwrap_err(), CredentialsError::NoOperator(one.clone()));
    // Nothing is remembered that an outage could bring back.
    agent.shutdown().await;
    let unavailable = CredentialsError::Unavailable { operator: one.clone(), outage: Outage::Agent };
    assert_eq!(client.credentials().get(&one).await.unwrap_err(), unavailable);
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_not_read_credentials_is_told_what_to_do() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    bindery_tests::world::until_applied(&agent, first).await;
    let mut config = config(&world, &format!("https://localhost:{}", agent.listeners().internal.port()));
    let other = world.stack.pki.other.clone();
    (config.tls.certificate, config.tls.key) = (other.certificate, other.key);
    let client = Client::start(config).await.unwrap();
    let error = client.credentials().get(&id("one")).await.unwrap_err();
    assert_eq!(error, CredentialsError::Forbidden);
    assert!(error.to_string().contains("internal.allow_credentials"));
    client.shutdown().await;
    agent.shutdown().await;
}
