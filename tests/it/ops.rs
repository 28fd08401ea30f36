use serde_json::json;

use bindery_tests::listeners::{Served, answer};

#[tokio::test]
async fn probes_and_metrics() {
    let mut world = Served::new().await;
    assert_eq!(answer(world.ops("/health/live").await).await, (200, json!({ "status": "UP" })));
    // Ready it may be before; NATS is connected in its own time.
    let is_up = async || answer(world.ops("/health/ready").await).await.1["status"] == "UP";
    bindery_tests::world::eventually("every part is up", is_up).await;
    let (_, ready) = answer(world.ops("/health/ready").await).await;
    for part in ["postgres", "vault", "nats", "redis", "sync"] {
        assert_eq!(ready["components"][part]["status"], "UP", "{ready}");
    }
    let metrics = world.ops("/metrics").await;
    assert_eq!(metrics.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = metrics.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"));
    assert!(
        text.contains(r#"bindery_http_requests_total{listener="ops",route="/health/live",status="200"} 1"#),
        "{text}"
    );
    let lost = world.ops("/nowhere/at/all").await;
    assert_eq!((lost.status().as_u16(), answer(lost).await.1["code"].clone()), (404, json!("NOT_FOUND")));
    assert!(world.ops("/metrics").await.text().await.unwrap().contains(r#"route="unmatched",status="404""#));

    world.cancel.cancel();
    world.listeners.ended().await;
    assert!(reqwest::get(format!("http://{}/health/live", world.listeners.ops)).await.is_err());
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_a_metric() {
    let world = Served::alone().await;
    let up = async |world: &Served, store: &str, up: u8| {
        let line = format!("bindery_store_up{{store=\"{store}\"}} {up}\n");
        world.ops("/metrics").await.text().await.unwrap().contains(&line)
    };
    for store in ["postgres", "vault", "nats", "redis"] {
        bindery_tests::world::eventually(store, async || up(&world, store, 1).await).await;
    }
    world.stack.vault.kill().await;
    bindery_tests::world::eventually("Vault is down", async || up(&world, "vault", 0).await).await;
    assert!(up(&world, "postgres", 1).await);
}

#[tokio::test]
async fn what_is_owed_is_told_by_the_agent_that_leads() {
    let world = Served::new().await;
    let shows = async |owed: u8| {
        let line = format!("bindery_outbox_pending {owed}\n");
        world.ops("/metrics").await.text().await.unwrap().contains(&line)
    };
    // As a term that ended left it.
    world.shared.metrics.outbox_pending.set(5);
    assert!(shows(5).await);
    world.leading.send_replace(None);
    let relay = tokio::spawn(bindery_agent::outbox::relay::run(world.shared.clone(), world.cancel.clone()));
    bindery_tests::world::eventually("nothing is owed by a follower", async || shows(0).await).await;
    world.cancel.cancel();
    relay.await.unwrap();
}
