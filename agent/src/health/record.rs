//! Writes changes of state to Postgres in their order, each with its log row and the event it owes.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, info_span};

use crate::http::error::chain;
use crate::leader::fence::Fence;
use crate::metrics::Transition;
use crate::shared::Shared;
use crate::store::postgres::Error;
use crate::store::postgres::health::{self, Change};

/// Changes that may wait while Postgres is away: every operator of a large fleet once. The ingest waits for more room.
pub const MOST_WAITING: usize = 10_000;
/// Changes of one transaction: keeps each below a few hundred milliseconds.
const BATCH: usize = 100;
/// First and longest pause after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long what waits may still be written after the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Writes until the sending side is gone. After `cancel`, what still waits has [`GRACE`] to be written; what is not
/// written then happens again as signals arrive, since the state in Postgres is the old one.
pub async fn run(shared: &Shared, fence: Fence, mut changes: mpsc::Receiver<Change>, cancel: &CancellationToken) {
    let written = async {
        let mut batch = Vec::with_capacity(BATCH);
        while changes.recv_many(&mut batch, BATCH).await > 0 {
            if !write(shared, fence, &batch).instrument(span(&batch)).await {
                return;
            }
            batch.clear();
        }
    };
    let out_of_time = async {
        cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = written => {}
        () = out_of_time => tracing::warn!("changes of health were not written before the end"),
    }
}

/// The span in which a batch is written: a child of the signal that brought its first change about, with links to those
/// of the others.
fn span(batch: &[Change]) -> Span {
    let span = info_span!(parent: None, "health.record", bindery.changes = batch.len());
    if let Some((first, others)) = batch.split_first() {
        first.trace.lead_to(&span);
        for change in others {
            change.trace.link_to(&span);
        }
    }
    span
}

/// Writes a batch however long it takes; `false` where another agent leads.
async fn write(shared: &Shared, fence: Fence, batch: &[Change]) -> bool {
    let mut pause = RETRY.0;
    loop {
        match health::record(&shared.stores.postgres, &shared.config.environment, fence, batch).await {
            Ok(()) => break,
            Err(Error::Fenced) => {
                tracing::warn!("another agent leads: changes of health are left to it");
                return false;
            }
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    changes = batch.len(),
                    "changes of health cannot be written yet"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
    shared.relay.notify_one();
    for change in batch {
        let transition = &change.transition;
        let labels = Transition { from: transition.previous.as_str(), to: transition.state.as_str() };
        shared.metrics.health_transitions.get_or_create(&labels).inc();
        let (operator, reason) = (&change.operator, &transition.reason);
        tracing::info!(%operator, from = labels.from, to = labels.to, ?reason, "the health of an operator changed");
    }
    true
}
