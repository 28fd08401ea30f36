//! What a running client takes over without a restart: certificates that were replaced, and another Redis that the
//! Sentinels name.

use std::fs;
use std::path::Path;

use bindery_agent::dev::KeyPairFiles;
use bindery_client::Client;
use bindery_client::config::{Redis, Sentinel};
use bindery_client::credentials::Freshness;
use bindery_client::error::{CredentialsError, Outage};
use bindery_client::health::Source;
use bindery_schema::wire::health::{HealthState, HealthView};
use bindery_tests::consumer;
use bindery_tests::servers::{Server, strange_authority};
use bindery_tests::world::{World, eventually, until_applied};

use crate::sync::{id, small};

#[tokio::test(flavor = "multi_thread")]
async fn replaced_certificates_are_taken_over_and_half_replaced_ones_are_not() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let pki = &world.stack.pki;
    let mut config = consumer::config(&world, &format!("https://localhost:{}", agent.listeners().internal.port()));
    let file = |name: &str| world.dir.path().join(name);
    (config.tls.ca, config.tls.certificate, config.tls.key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let put = |from: &Path, to: &Path| {
        fs::copy(from, to).unwrap();
    };
    let KeyPairFiles { certificate, key } = &pki.other;
    put(&strange_authority(pki, world.dir.path()), &config.tls.ca);
    put(certificate, &config.tls.certificate);
    put(key, &config.tls.key);
    let tls = config.tls.clone();
    let client = Client::start(config).await.unwrap();
    let one = id("one");
    let get = async || client.credentials().get(&one).await;
    let unavailable = CredentialsError::Unavailable { operator: one.clone(), outage: Outage::Agent };
    assert_eq!(get().await.unwrap_err(), unavailable, "an agent that another authority vouches for");

    put(&pki.ca, &tls.ca);
    eventually("the agent is believed", async || get().await.is_err_and(|no| no == CredentialsError::Forbidden)).await;
    // A key that is not the certificate's.
    put(&pki.smpp_connector.key, &tls.key);
    for _ in 0..3 {
        assert_eq!(get().await.unwrap_err(), CredentialsError::Forbidden);
    }
    put(&pki.smpp_connector.certificate, &tls.certificate);
    eventually("the new certificate is shown", async || {
        get().await.is_ok_and(|served| served.freshness == Freshness::Fresh)
    })
    .await;
    client.shutdown().await;
    agent.shutdown().await;
}

/// Shows a state as an agent does.
async fn show(server: &Server, state: HealthState) -> Result<(), redis::RedisError> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port))?;
    let view = HealthView { state, ..HealthView::unheard() };
    let mut set = redis::cmd("SET");
    set.arg("w:ops:health:one").arg(serde_json::to_string(&view).unwrap());
    set.query_async(&mut client.get_multiplexed_async_connection().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_read_from_the_server_that_the_sentinels_name() {
    let world = World::new().await;
    let dir = world.dir.path();
    let mut master = Server::redis(&dir.join("master"), "").await;
    let settings = format!("replicaof 127.0.0.1 {}\nrepl-diskless-sync-delay 0", master.port);
    let replica = Server::redis(&dir.join("replica"), &settings).await;
    let sentinel = Server::sentinel(&dir.join("sentinel"), "carriers", master.port).await;
    // No agent listens there: whatever is known is from Redis.
    let mut config = consumer::config(&world, "https://localhost:1");
    config.nats = None;
    config.redis = Some(Redis {
        sentinel: Some(Sentinel { service: "carriers".to_owned(), password: None }),
        key_prefix: "w:".to_owned(),
        ..Redis::at(format!("redis://127.0.0.1:1,redis://127.0.0.1:{}", sentinel.port))
    });
    let client = Client::start(config).await.unwrap();
    let one = id("one");
    let shown = async |state: HealthState| {
        let known = client.health().get(&one).await;
        (known.source, known.view.state) == (Source::Redis, state)
    };
    show(&master, HealthState::Degraded).await.unwrap();
    eventually("the master's state", async || shown(HealthState::Degraded).await).await;
    let asked = redis::Client::open(format!("redis://127.0.0.1:{}", sentinel.port)).unwrap();
    eventually("the Sentinel knows the replica, and the replica is in step", async || {
        let mut connection = asked.get_multiplexed_async_connection().await.unwrap();
        let known: Vec<std::collections::HashMap<String, String>> =
            redis::cmd("SENTINEL").arg("REPLICAS").arg("carriers").query_async(&mut connection).await.unwrap();
        known.first().is_some_and(|replica| replica["master-link-status"] == "ok")
    })
    .await;
    master.program.kill();
    eventually("the replica is the master", async || show(&replica, HealthState::Healthy).await.is_ok()).await;
    eventually("the new master's state", async || shown(HealthState::Healthy).await).await;
    client.shutdown().await;
}
