use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bindery_agent::health::ingest;
use bindery_schema::wire::health::{HealthState, HealthView};
use jiff::Timestamp;
use redis::AsyncCommands as _;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use bindery_tests::listeners::Served;
use bindery_tests::world::eventually;

const OPERATOR: &str = "af-roshan-1";

struct Ingest {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Ingest {
    async fn start(world: &Served) -> Self {
        eventually("NATS is connected", async || world.shared.stores.nats.is_connected()).await;
        let cancel = CancellationToken::new();
        let task = tokio::spawn(ingest::run(world.shared.clone(), cancel.clone()));
        Self { cancel, task }
    }

    async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.unwrap().unwrap();
    }
}

async fn send(world: &Served, operator: &str, payload: impl Into<Vec<u8>>) {
    let nats = &world.shared.stores.nats;
    let subject = nats.subject(&format!("operator.health.signal.v1.{operator}"));
    nats.client().publish(subject, payload.into().into()).await.unwrap();
    nats.client().flush().await.unwrap();
}

/// A moment of its own for every signal: two in one millisecond would be one and its duplicate.
fn moment() -> Timestamp {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = Timestamp::now().as_millisecond();
    let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1))).unwrap();
    Timestamp::from_millisecond(now.max(before + 1)).unwrap()
}

async fn signal(world: &Served, bind_state: &str, failed: u32) {
    let signal = json!({
        "operatorId": OPERATOR, "connectorId": "c1", "bindState": bind_state, "submitted": 100, "failed": failed,
        "throttled": 0, "p95Millis": 250, "inFlight": 3, "at": moment().to_string(),
    });
    send(world, OPERATOR, signal.to_string()).await;
}

async fn shown(world: &Served) -> Option<HealthView> {
    let redis = &world.shared.stores.redis;
    let text: Option<String> = redis.connection().get(redis.key(&format!("ops:health:{OPERATOR}"))).await.unwrap();
    text.map(|text| serde_json::from_str(&text).unwrap())
}

/// Repeats a signal until the state is shown: the first ones may come before the subscription.
async fn reach(world: &Served, state: HealthState, bind_state: &str, failed: u32) {
    eventually("the state is shown", async || {
        signal(world, bind_state, failed).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        shown(world).await.is_some_and(|view| view.state == state)
    })
    .await;
}

#[tokio::test]
async fn a_change_reaches_redis_the_log_and_the_outbox_once() {
    let world = Served::new().await;
    world.operator(OPERATOR, "ACTIVE", json!({ "silenceSeconds": 2, "confirm": 2, "recover": 2 })).await;
    let ingest = Ingest::start(&world).await;
    reach(&world, HealthState::Healthy, "BOUND", 0).await;

    signal(&world, "UNBOUND", 0).await;
    eventually("UNHEALTHY is shown", async || shown(&world).await.unwrap().state == HealthState::Unhealthy).await;
    let redis = &world.shared.stores.redis;
    let ttl: i64 = redis.connection().ttl(redis.key(&format!("ops:health:{OPERATOR}"))).await.unwrap();
    assert!((55..=60).contains(&ttl), "{ttl}");

    // Heartbeats change nothing, junk does no harm, and neither owes an event.
    for _ in 0..5 {
        signal(&world, "UNBOUND", 0).await;
    }
    for junk in ["", "{}", "\u{0}", r#"{"operatorId":"af-roshan-2"}"#] {
        send(&world, OPERATOR, junk).await;
    }
    let late =
        json!({ "operatorId": OPERATOR, "connectorId": "c1", "bindState": "BOUND", "at": "2020-01-01T00:00:00Z" });
    send(&world, OPERATOR, late.to_string()).await;
    let unknown = late.to_string().replace(OPERATOR, "nobody");
    send(&world, "nobody", unknown).await;
    reach(&world, HealthState::Healthy, "BOUND", 0).await;
    // Silence.
    eventually("UNKNOWN is shown", async || shown(&world).await.unwrap().state == HealthState::Unknown).await;

    let log = "select count(*) from ops.operator_health_log";
    eventually("the log has all four changes", async || world.count(log).await == 4).await;
    ingest.stop().await;
    let steps: Vec<(String, String, Option<String>)> =
        sqlx::query_as("select previous, state, connector_id from ops.operator_health_log order by id")
            .fetch_all(&world.shared.stores.postgres)
            .await
            .unwrap();
    let steps: Vec<_> = steps.iter().map(|(from, to, by)| (from.as_str(), to.as_str(), by.as_deref())).collect();
    let c1 = Some("c1");
    assert_eq!(
        steps,
        [
            ("UNKNOWN", "HEALTHY", c1),
            ("HEALTHY", "UNHEALTHY", c1),
            ("UNHEALTHY", "HEALTHY", c1),
            ("HEALTHY", "UNKNOWN", None),
        ]
    );
    let events: Vec<(String, Value)> = sqlx::query_as("select subject, payload from ops.outbox order by seq")
        .fetch_all(&world.shared.stores.postgres)
        .await
        .unwrap();
    assert_eq!(events.len(), 4);
    let (subject, event) = &events[1];
    assert_eq!(
        (subject.as_str(), &event["type"], &event["source"]),
        ("operator.health.v1", &json!(subject), &json!("bindery/test"))
    );
    assert_eq!((&event["subject"], &event["data"]["state"]), (&json!(OPERATOR), &json!("UNHEALTHY")));
    assert_eq!((&event["data"]["connectorId"], &event["data"]["generation"]), (&json!("c1"), &json!(7)));
    let metrics = world.ops("/metrics").await.text().await.unwrap();
    for line in [
        r#"health_signals_total{outcome="invalid"} 4"#,
        r#"health_signals_total{outcome="stale"} 1"#,
        r#"health_signals_total{outcome="unknown_operator"} 1"#,
        r#"health_transitions_total{from="HEALTHY",to="UNHEALTHY"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn the_state_is_a_metric_of_the_agent_that_leads() {
    let world = Served::new().await;
    for operator in [OPERATOR, "af-roshan-2"] {
        world.operator(operator, "ACTIVE", json!({})).await;
    }
    let shows = async |wanted: &[&str]| {
        let text = world.ops("/metrics").await.text().await.unwrap();
        let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("bindery_operator_health{")).collect();
        lines.len() == wanted.len() && wanted.iter().all(|line| lines.contains(line))
    };
    let (first, second) = (r#"operator="af-roshan-1"} "#, r#"operator="af-roshan-2"} 0"#);
    assert!(shows(&[]).await, "nobody leads yet");
    let ingest = Ingest::start(&world).await;
    reach(&world, HealthState::Unhealthy, "UNBOUND", 0).await;
    eventually("it is unhealthy", async || shows(&[&format!("{first}1"), second]).await).await;
    // What is deleted is shown no longer, from the next step on.
    world.sql("update ops.operators set deleted_at = now() where id = 'af-roshan-1'").await;
    world.status.send_modify(|status| status.applied.as_mut().unwrap().generation += 1);
    eventually("it is gone", async || shows(&[second]).await).await;
    ingest.stop().await;
    assert!(shows(&[]).await, "the next leader shows them");
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_a_cache_miss_is_answered() {
    let world = Served::new().await;
    world.operator(OPERATOR, "ACTIVE", json!({})).await;
    let path = format!("/v1/internal/operators/{OPERATOR}/health");
    let before = world.internal(&world.reader, &path).await;
    assert_eq!((before.0, &before.1["state"]), (200, &json!("UNKNOWN")), "{}", before.1);
    assert_eq!(world.internal(&world.reader, "/v1/internal/operators/nobody/health").await.0, 404);

    let ingest = Ingest::start(&world).await;
    reach(&world, HealthState::Unhealthy, "UNBOUND", 0).await;
    signal(&world, "BOUND", 0).await;
    signal(&world, "BOUND", 0).await;
    eventually("two of three signals count", async || shown(&world).await.unwrap().connectors["c1"].runs.healthy == 2)
        .await;
    ingest.stop().await;
    let ingest = Ingest::start(&world).await;
    eventually("a signal is heard again", async || {
        signal(&world, "BOUND", 0).await;
        let heard = async { while shown(&world).await.unwrap().connectors["c1"].runs.healthy == 2 {} };
        tokio::time::timeout(Duration::from_secs(1), heard).await.is_ok()
    })
    .await;
    // The third in a row, though the ingest that heard the first two is gone.
    let view = shown(&world).await.unwrap();
    assert_eq!((view.state, view.connectors["c1"].runs.healthy), (HealthState::Healthy, 3));
    let log = "select count(*) from ops.operator_health_log";
    eventually("the log has both changes", async || world.count(log).await == 2).await;

    // The key is gone: the API answers from Postgres.
    let redis = &world.shared.stores.redis;
    let _: () = redis.connection().del(redis.key(&format!("ops:health:{OPERATOR}"))).await.unwrap();
    let (status, body) = world.internal(&world.reader, &path).await;
    assert_eq!((status, &body["state"]), (200, &json!("HEALTHY")), "{body}");

    // Another agent takes the lead: this one hears no more, and comes back when it leads again.
    world.leading.send(None).unwrap();
    eventually("the subscription is gone", async || {
        signal(&world, "UNBOUND", 0).await;
        shown(&world).await.is_none()
    })
    .await;
    world.leading.send(Some(bindery_agent::leader::fence::Fence::new(2))).unwrap();
    reach(&world, HealthState::Unhealthy, "UNBOUND", 0).await;
    ingest.stop().await;
}

#[tokio::test]
async fn a_stale_leader_records_nothing() {
    let world = Served::new().await;
    world.operator(OPERATOR, "ACTIVE", json!({})).await;
    world.sql("insert into ops.leases (name, holder, fence, expires_at) values ('sync', 'another', 9, now() + interval '1 h')").await;
    let ingest = Ingest::start(&world).await;
    reach(&world, HealthState::Healthy, "BOUND", 0).await;
    ingest.stop().await;
    assert_eq!(world.count("select count(*) from ops.operator_health_log").await, 0);
    assert_eq!(world.count("select count(*) from ops.outbox").await, 0);
}

#[tokio::test]
async fn outages_of_redis_and_postgres_lose_no_change() {
    let world = Served::alone().await;
    world.operator(OPERATOR, "ACTIVE", json!({})).await;
    let ingest = Ingest::start(&world).await;
    reach(&world, HealthState::Healthy, "BOUND", 0).await;
    let log = "select count(*) from ops.operator_health_log";
    eventually("the first change is logged", async || world.count(log).await == 1).await;

    world.stack.redis.kill().await;
    signal(&world, "UNBOUND", 0).await;
    eventually("the second change is logged without Redis", async || world.count(log).await == 2).await;
    world.stack.redis.start().await.unwrap();
    eventually("Redis shows it once it is back", async || {
        let redis = &world.shared.stores.redis;
        let key = redis.key(&format!("ops:health:{OPERATOR}"));
        let text: Option<String> = redis.connection().get(key).await.unwrap_or_default();
        text.is_some_and(|text| text.contains(r#""state":"UNHEALTHY""#))
    })
    .await;

    world.stack.postgres.kill().await;
    for _ in 0..3 {
        signal(&world, "BOUND", 0).await;
    }
    eventually("Redis shows it without Postgres", async || shown(&world).await.unwrap().state == HealthState::Healthy)
        .await;
    world.stack.postgres.start().await.unwrap();
    eventually("the third change is logged", async || {
        let count = sqlx::query_scalar::<_, i64>(log).fetch_one(&world.shared.stores.postgres).await;
        count.is_ok_and(|count| count == 3)
    })
    .await;
    ingest.stop().await;
    assert_eq!(world.count("select count(*) from ops.outbox").await, 3);
}
