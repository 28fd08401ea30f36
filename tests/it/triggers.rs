//! What hurries a fetch: webhooks and messages, which only have the branch looked at.

use std::time::Duration;

use bindery_agent::config::SecretSource;
use bindery_agent::store::postgres::wake::Words;
use bindery_schema::secret::Secret;
use bindery_tests::documents::operator;
use bindery_tests::listeners::{Served, answer};
use bindery_tests::program::{Agent, get};
use bindery_tests::world::{World, eventually, until_applied};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::sync::small;

const SECRET: &str = "a webhook's secret";

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

async fn post(url: &str, header: (&str, &str), body: String) -> (u16, Value) {
    let request =
        reqwest::Client::new().post(url).header(header.0, header.1).header("content-type", "application/json");
    answer(request.body(body).send().await.unwrap()).await
}

fn push(branch: &str) -> String {
    json!({ "ref": format!("refs/heads/{branch}"), "after": "c0ffee" }).to_string()
}

#[tokio::test]
async fn a_webhook_counts_only_when_it_is_signed() {
    let world = Served::with(|config| config.triggers.webhook_secret = Some(Secret::new(SECRET).into())).await;
    let url = format!("http://{}/v1/hooks/git", world.listeners.admin);
    let triggered = async || tokio::time::timeout(Duration::ZERO, world.shared.trigger.notified()).await.is_ok();

    for header in [("x-hub-signature-256", "sha256=00"), ("x-gitlab-token", "a guess"), ("x-none", "none")] {
        let (status, body) = post(&url, header, push("main")).await;
        assert_eq!((status, &body["code"]), (401, &json!("BAD_SIGNATURE")), "{header:?}");
    }
    let other = push("feature");
    assert_eq!(post(&url, ("x-hub-signature-256", &signature(&other)), other.clone()).await.1["triggered"], false);
    let ping = r#"{"zen":"Design for failure."}"#.to_owned();
    assert_eq!(
        post(&url, ("x-hub-signature-256", &signature(&ping)), ping.clone()).await,
        (202, json!({ "triggered": false, "reason": "not a push" }))
    );
    let form = "payload=%7B%7D".to_owned();
    assert_eq!(post(&url, ("x-hub-signature-256", &signature(&form)), form.clone()).await.0, 415);
    let large = "x".repeat((1 << 20) + 1);
    assert_eq!(post(&url, ("x-hub-signature-256", &signature(&large)), large.clone()).await.0, 413);
    assert!(!triggered().await);

    // However many come, one fetch is owed.
    for _ in 0..20 {
        let body = push("main");
        let answer = post(&url, ("x-hub-signature-256", &signature(&body)), body.clone()).await;
        assert_eq!(answer, (202, json!({ "triggered": true })));
    }
    assert_eq!(post(&url, ("x-gitlab-token", SECRET), push("main")).await.0, 202);
    assert!(triggered().await && !triggered().await);
    let metrics = world.ops("/metrics").await.text().await.unwrap();
    assert!(metrics.contains(r#"bindery_triggers_total{source="webhook"} 21"#), "{metrics}");
}

#[tokio::test]
async fn without_a_secret_there_is_no_webhook() {
    let world = Served::new().await;
    let url = format!("http://{}/v1/hooks/git", world.listeners.admin);
    assert_eq!(post(&url, ("x-gitlab-token", ""), push("main")).await.0, 404);
}

#[tokio::test]
async fn an_agent_that_follows_passes_a_trigger_on() {
    let world = Served::with(|config| {
        config.triggers.webhook_secret = Some(Secret::new(SECRET).into());
    })
    .await;
    let mut words = Words::listen(&world.shared.stores.postgres).await.unwrap();
    world.leading.send(None).unwrap();
    let url = format!("http://{}/v1/hooks/git", world.listeners.admin);
    assert_eq!(post(&url, ("x-gitlab-token", SECRET), push("main")).await.0, 202);
    tokio::time::timeout(bindery_tests::world::PATIENCE, words.next()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_applied_long_before_the_next_poll() {
    let mut world = World::new().await;
    world.config.repository.poll_seconds = 100_000.0;
    let secret = world.dir.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    world.config.triggers.webhook_secret = Some(SecretSource::File(secret));
    world.config.triggers.nats_subject = Some("ops.sync.trigger.v1".to_owned());
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;

    let text = |host: &str| vec![("operators/carrier/two.yaml", Some(operator("two", "carrier", host, None)))];
    let second = world.commit("Second", &text("second.example"));
    let body = push("main");
    let url = format!("http://{}/v1/hooks/git", agent.listeners().admin);
    assert_eq!(post(&url, ("x-hub-signature-256", &signature(&body)), body.clone()).await.0, 202);
    until_applied(&agent, second).await;

    let third = world.commit("Third", &text("third.example"));
    let stores = world.stores().await;
    let (subject, wanted) = (stores.nats.subject("ops.sync.trigger.v1"), third.to_string());
    // The agent may not listen yet: a message that nobody hears is lost.
    eventually("the third commit is applied", async || {
        stores.nats.client().publish(subject.clone(), "now".into()).await.unwrap();
        agent.status().borrow().applied.as_ref().is_some_and(|applied| applied.commit == wanted)
    })
    .await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_fetch_is_a_metric() {
    let world = World::new().await;
    world.commit("First", &small(&world));
    let before = jiff::Timestamp::now().as_second();
    let agent = Agent::start(&world.config).await;
    let number = |metrics: &str, name: &str| {
        metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<i64>().ok())
    };
    eventually("the branch is fetched", async || {
        let (_, metrics) = get(&format!("{}/metrics", agent.ops)).await;
        number(&metrics, "bindery_last_fetch_timestamp_seconds ").is_some_and(|at| at >= before)
            && number(&metrics, r#"bindery_fetches_total{outcome="ok"} "#).is_some_and(|count| count > 0)
    })
    .await;
    agent.program.stop().await;
}
