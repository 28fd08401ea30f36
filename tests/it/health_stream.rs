//! History of health and the live stream of changes: all of them, in order, once, for whoever comes back too.

use std::time::Duration;

use bindery_agent::health::feed;
use bindery_agent::health::reducer::Transition;
use bindery_agent::health::subscription::{End, Patience, Subscription, Told, WAITING};
use bindery_agent::leader::fence::Fence;
use bindery_agent::shared::Shared;
use bindery_agent::store::postgres::health::{self, Change};
use bindery_agent::telemetry::Trace;
use bindery_schema::wire::health::{HealthState, HealthView};
use bindery_tests::listeners::{Served, answer};
use bindery_tests::sse::Events;
use bindery_tests::world::eventually;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;

const OPERATOR: &str = "af-roshan-1";
const STREAM: &str = "/v1/internal/health/stream";
const PATIENCE: Patience = Patience { slow: Duration::from_secs(60), whole: Duration::from_secs(600) };

/// Listeners, one operator, and a log that is followed.
async fn served() -> Served {
    let world = Served::new().await;
    world.operator(OPERATOR, "ACTIVE", json!({})).await;
    tokio::spawn(feed::run(world.shared.clone(), world.cancel.clone()));
    world
}

/// Records changes as a leader does; the state goes to and fro. `last` is when the newest of them happened.
async fn record(world: &Served, count: usize, last: Timestamp) {
    let ends = [HealthState::Healthy, HealthState::Degraded];
    let changes: Vec<_> = (0..count)
        .map(|n| {
            let (previous, state) = (ends[(n + 1) % 2], ends[n % 2]);
            let ago = SignedDuration::from_secs(i64::try_from(count - 1 - n).unwrap());
            let (reason, connector_id) = (format!("reason {n}\nof two lines"), Some("c1".to_owned()));
            let transition = Transition { previous, state, reason, connector_id, at: last - ago };
            Change {
                operator: OPERATOR.parse().unwrap(),
                transition,
                view: HealthView::unheard(),
                trace: Trace::default(),
            }
        })
        .collect();
    for batch in changes.chunks(100) {
        health::record(&world.shared.stores.postgres, "test", Fence::new(1), batch).await.unwrap();
    }
}

async fn logged(world: &Served) -> Vec<i64> {
    let sql = "select id from ops.operator_health_log order by id";
    sqlx::query_scalar(sql).fetch_all(&world.shared.stores.postgres).await.unwrap()
}

async fn open(world: &Served, last: Option<i64>) -> Result<Events, (u16, Value)> {
    Events::open(&world.client(Some(&world.reader)), &world.internal_url(STREAM), last).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_streamed_in_order_and_a_client_that_comes_back_misses_none() {
    let world = served().await;
    let mut stream = open(&world, None).await.unwrap();
    let ready = stream.next().await.unwrap();
    assert_eq!((ready.name.as_str(), ready.id, &ready.data), ("ready", Some(0), &json!({ "after": 0 })));
    record(&world, 1, Timestamp::now()).await;
    let change = stream.next().await.unwrap();
    assert_eq!((change.name.as_str(), &change.data["operatorId"]), ("change", &json!(OPERATOR)));
    assert_eq!((&change.data["previous"], &change.data["state"]), (&json!("DEGRADED"), &json!("HEALTHY")));
    assert_eq!(change.data["reason"], "reason 0\nof two lines");
    record(&world, 250, Timestamp::now()).await;
    let seen = [vec![change.id.unwrap()], stream.changes(250).await].concat();
    assert_eq!(seen, logged(&world).await);

    // Many more than wait for anybody or are kept, with a gap that a transaction left which came to nothing.
    drop(stream);
    world
        .sql(
            "begin;
             insert into ops.operator_health_log (operator_id, previous, state, reason, at)
                 select 'af-roshan-1', 'HEALTHY', 'UNKNOWN', 'never', now() from generate_series(1, 40);
             rollback",
        )
        .await;
    record(&world, 2_500, Timestamp::now()).await;
    let mut stream = open(&world, seen.last().copied()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().id, seen.last().copied());
    let missed = stream.changes(2_500).await;
    let all = [seen, missed].concat();
    assert_eq!(all, logged(&world).await);
    record(&world, 1, Timestamp::now()).await;
    let live = stream.changes(1).await;
    assert_eq!(logged(&world).await.last(), live.first());

    // An agent that follows tells the same, from the very beginning too.
    let (_follows, leading) = watch::channel(None);
    let (follower, _publisher) = Box::pin(Shared::connect(world.config.clone(), leading)).await.unwrap();
    tokio::spawn(feed::run(follower.clone(), world.cancel.clone()));
    let mut subscription = Subscription::begin(&follower, 0, PATIENCE);
    let mut told = Vec::new();
    while told.len() < all.len() + 1 {
        let Some(Told::Change(change)) = subscription.next().await else { panic!("it ended after {}", told.len()) };
        told.push(change.id);
    }
    assert_eq!(told, logged(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_go_on_without_a_gap_is_told() {
    let world = served().await;
    record(&world, 3, Timestamp::now()).await;
    world.sql("update ops.operator_health_log_kept set dropped_through = 2").await;
    for (last, status, code) in
        [(1, 410, "CHANGES_GONE"), (4, 410, "CHANGES_GONE"), (i64::MAX, 410, "CHANGES_GONE"), (-1, 400, "BAD_REQUEST")]
    {
        let (found, body) = open(&world, Some(last)).await.unwrap_err();
        assert_eq!((found, &body["code"]), (status, &json!(code)), "{last}");
    }
    let mut stream = open(&world, Some(2)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().name, "ready");
    assert_eq!(stream.changes(1).await, [3]);
    let stranger = world.client(Some(&world.stack.pki.other));
    assert_eq!(Events::open(&stranger, &world.internal_url(STREAM), None).await.unwrap_err().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_takes_nothing_is_let_go_and_goes_on_where_it_was() {
    let world = served().await;
    record(&world, 300, Timestamp::now()).await;
    let hasty = Patience { slow: Duration::from_millis(1), ..PATIENCE };
    let mut slow = Subscription::begin(&world.shared, 0, hasty);
    eventually("it is let go", async || slow.has_ended()).await;
    let mut seen = Vec::new();
    let end = loop {
        match slow.next().await.unwrap() {
            Told::Change(change) => seen.push(change.id),
            Told::End(end) => break end,
        }
    };
    assert_eq!((end, seen.len()), (End::TooSlow, WAITING));
    assert!(slow.next().await.is_none());
    let mut again = Subscription::begin(&world.shared, *seen.last().unwrap(), PATIENCE);
    while seen.len() < 300 {
        let Some(Told::Change(change)) = again.next().await else { panic!("it ended") };
        seen.push(change.id);
    }
    assert_eq!(seen, logged(&world).await);

    // Nobody follows for ever.
    let short = Patience { whole: Duration::ZERO, ..PATIENCE };
    let mut old = Subscription::begin(&world.shared, *seen.last().unwrap(), short);
    assert!(matches!(old.next().await, Some(Told::End(End::TooOld))));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_as_many_as_may_be_and_end_with_the_agent() {
    let mut world = served().await;
    let mut streams = Vec::new();
    let (status, body) = loop {
        match open(&world, None).await {
            Ok(stream) => streams.push(stream),
            Err(refused) => break refused,
        }
        assert!(streams.len() <= 64);
    };
    assert_eq!((streams.len(), status, &body["code"]), (64, 503, &json!("OVERLOADED")));
    let open_streams = async || {
        let text = world.ops("/metrics").await.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("bindery_health_streams ").map(str::to_owned));
        line.unwrap()
    };
    assert_eq!(open_streams().await, "64");
    streams.truncate(1);
    eventually("places are free again", async || open_streams().await == "1").await;
    let mut stream = streams.pop().unwrap();
    assert_eq!(stream.next().await.unwrap().name, "ready");
    world.cancel.cancel();
    let last = stream.next().await.unwrap();
    assert_eq!((last.name.as_str(), &last.data), ("reconnect", &json!({ "reason": "the agent shuts down" })));
    assert_eq!(stream.next().await, None);
    drop(stream);
    // No stream keeps the listeners from ending.
    tokio::time::timeout(bindery_tests::world::PATIENCE, world.listeners.ended()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_comes_newest_first_in_pages() {
    let world = served().await;
    let last: Timestamp = "2026-11-01T00:00:03.5Z".parse().unwrap();
    record(&world, 7, last).await;
    let path = format!("/v1/internal/operators/{OPERATOR}/health/history");
    let (mut seen, mut next) = (Vec::new(), format!("{path}?limit=3"));
    loop {
        let (status, page) = world.internal(&world.reader, &next).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["id"].as_i64().unwrap()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        next = format!("{path}?limit=3&cursor={cursor}");
    }
    let mut all = logged(&world).await;
    all.reverse();
    assert_eq!(seen, all);
    // The period has its beginning and not its end; months are no bounds.
    let (_, page) = world
        .internal(&world.reader, &format!("{path}?since=2026-10-31T23:59:59.5Z&until=2026-11-01T00:00:02.5Z"))
        .await;
    let times: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["at"].as_str().unwrap()).collect();
    assert_eq!(times, ["2026-11-01T00:00:01.500Z", "2026-11-01T00:00:00.500Z", "2026-10-31T23:59:59.500Z"]);
    for bad in ["since=yesterday", "until=1", "limit=0", "cursor=%21"] {
        let (status, body) = world.internal(&world.reader, &format!("{path}?{bad}")).await;
        assert_eq!((status, &body["code"]), (400, &json!("BAD_REQUEST")), "{bad}");
    }
    world.sql("update ops.operators set deleted_at = now()").await;
    assert_eq!(world.internal(&world.reader, &path).await.0, 200, "what was deleted has a history");
    let nobody = "/v1/internal/operators/nobody/health/history";
    assert_eq!(world.internal(&world.reader, nobody).await.0, 404);
    let stranger = world.client(Some(&world.stack.pki.other)).get(world.internal_url(&path));
    assert_eq!(answer(stranger.send().await.unwrap()).await.0, 403);
}
