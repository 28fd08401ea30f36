//! Publishes what the outbox owes, in order.
//!
//! A row is marked only after JetStream acknowledged it, so nothing is lost. Nothing is doubled either: the row's id is
//! the message id, which the stream remembers for [`DUPLICATE_WINDOW`](crate::store::nats::DUPLICATE_WINDOW). A row
//! older than that was perhaps published just before a crash or a long outage; for those the ids at the stream's end
//! are read first.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::backoff::Delays;
use crate::failpoint::{self, Point};
use crate::metrics::Publication;
use crate::shared::Shared;
use crate::store::nats::{self, DUPLICATE_WINDOW};
use crate::store::postgres;
use crate::store::postgres::outbox::{self, Pending};
use crate::telemetry::{Trace, messaging};

/// Rows read at a time.
const BATCH: i64 = 500;
/// Messages published before the first acknowledgement is awaited would be out of order after a failure, so each is
/// awaited; marks are written in groups of this many.
const MARKS: usize = 50;
/// Looks at the outbox without having been woken: a notification may have been lost with the agent that owed it.
const LOOK: Duration = Duration::from_secs(1);
/// How many messages at the stream's end are compared with rows older than the duplicate window.
const TAIL: u64 = 1_000;

/// Why events are still owed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    #[error(transparent)]
    Nats(#[from] nats::Error),
}

/// Publishes until cancelled, while this agent leads.
pub async fn run(shared: Shared, cancel: CancellationToken) {
    let mut delays = Delays::new(Duration::from_millis(100), Duration::from_secs(5));
    let mut ready = false;
    let mut failing = false;
    let mut leading = shared.leading.clone();
    loop {
        let leads = leading.borrow_and_update().is_some();
        let result = if leads {
            turn(&shared, &mut ready, &cancel).await
        } else {
            // What is owed is the leader's to tell; a number from a former term would stay for ever.
            shared.metrics.outbox_pending.set(0);
            Ok(())
        };
        let wait = match result {
            Ok(()) => {
                if failing {
                    tracing::info!("events are published again");
                }
                failing = false;
                delays.reset();
                LOOK
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(error = &error as &dyn std::error::Error, "events cannot be published");
                }
                (failing, ready) = (true, false);
                delays.longer()
            }
        };
        tokio::select! {
            () = cancel.cancelled() => return,
            () = shared.relay.notified(), if !failing => {}
            // What the leader before still owed waits for nobody else.
            Ok(()) = leading.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn turn(shared: &Shared, ready: &mut bool, cancel: &CancellationToken) -> Result<(), Error> {
    let owed = outbox::count(&shared.stores.postgres).await?;
    shared.metrics.outbox_pending.set(owed);
    if !*ready {
        shared.stores.nats.ensure_stream().await?;
        failpoint::reach(Point::StreamReady).await;
        *ready = true;
    }
    while !cancel.is_cancelled() {
        let rows = outbox::pending(&shared.stores.postgres, BATCH).await?;
        if rows.is_empty() {
            break;
        }
        failpoint::reach(Point::OwedRead).await;
        publish(shared, &rows, cancel).await?;
    }
    Ok(())
}

#[tracing::instrument(name = "outbox.relay", skip_all, err(level = "debug"), fields(messaging.batch.message_count = rows.len()))]
async fn publish(shared: &Shared, rows: &[Pending], cancel: &CancellationToken) -> Result<(), Error> {
    let forgotten = rows.iter().any(|row| row.age > DUPLICATE_WINDOW.as_secs_f64());
    let known: HashSet<String> =
        if forgotten { shared.stores.nats.last_message_ids(TAIL).await?.into_iter().collect() } else { HashSet::new() };
    for group in rows.chunks(MARKS) {
        let mut done = Vec::with_capacity(group.len());
        let mut failure = None;
        for row in group {
            if cancel.is_cancelled() {
                break;
            }
            if let Err(error) = publish_one(shared, row, &known).await {
                failure = Some(error);
                break;
            }
            done.push(row.seq);
        }
        outbox::mark_published(&shared.stores.postgres, &done).await?;
        failpoint::reach(Point::Marked).await;
        shared.metrics.outbox_pending.dec_by(i64::try_from(done.len()).unwrap_or_default());
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(())
}

async fn publish_one(shared: &Shared, row: &Pending, known: &HashSet<String>) -> Result<(), Error> {
    let id = row.id.to_string();
    if known.contains(&id) {
        return Ok(());
    }
    let payload = row.payload.to_string().into_bytes();
    failpoint::reach(Point::BeforePublish).await;
    let nats = &shared.stores.nats;
    let span = messaging::publish(&row.event_type, &nats.subject(&row.event_type), &id, &row.trace);
    let here = Trace::of(&span);
    // An agent that makes no spans passes on what it was given.
    let trace = if here.parent().is_some() { &here } else { &row.trace };
    let result = nats.publish(&row.event_type, &id, trace, payload).instrument(span.clone()).await;
    let outcome = if result.is_ok() { "ok" } else { "error" };
    if result.is_err() {
        span.record("otel.status_code", "ERROR");
    }
    shared.metrics.events_published.get_or_create(&Publication { event: row.event_type.clone(), outcome }).inc();
    result?;
    failpoint::reach(Point::Published).await;
    Ok(())
}
