//! One follower of the changes of health: all of them from a place in the log on, in order, none twice.
//!
//! A task of its own reads ahead by a bounded number of changes. A follower that does not take them is let go and told
//! so; it comes back with the last id it has, and the log has the rest.

use std::sync::Arc;
use std::time::Duration;

use bindery_schema::wire::health::HealthChange;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::feed::Feed;
use crate::http::error::chain;
use crate::shared::Shared;
use crate::store::postgres::{self, health_log};

/// Changes that wait for a follower.
pub const WAITING: usize = 64;
/// Changes taken at a time.
const PAGE: usize = 500;
/// Pause after a failure to read the log.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a follower is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It did not take what waited for it.
    TooSlow,
    /// The agent shuts down.
    ShutsDown,
    /// It has followed for as long as anybody may: who may follow is asked anew.
    TooOld,
}

impl End {
    /// For whoever reads the stream.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooSlow => "changes were not taken in time",
            Self::ShutsDown => "the agent shuts down",
            Self::TooOld => "a stream does not last longer",
        }
    }
}

/// What a follower is told.
#[derive(Debug, Clone)]
pub enum Told {
    /// A change.
    Change(Arc<HealthChange>),
    /// The end.
    End(End),
}

/// How patient the agent is with a follower.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Longest wait until it takes a change.
    pub slow: Duration,
    /// How long it may follow.
    pub whole: Duration,
}

/// A follower's side.
#[derive(Debug)]
pub struct Subscription {
    changes: mpsc::Receiver<Arc<HealthChange>>,
    end: Option<oneshot::Receiver<End>>,
}

impl Subscription {
    /// Follows the changes after `id`, which the log reaches back to.
    pub fn begin(shared: &Shared, id: i64, patience: Patience) -> Self {
        let (sender, changes) = mpsc::channel(WAITING);
        let (ended, end) = oneshot::channel();
        let (shared, agent) = (shared.clone(), shared.feed.ended());
        tokio::spawn(async move {
            let end = tokio::select! {
                () = agent.cancelled() => End::ShutsDown,
                () = tokio::time::sleep(patience.whole) => End::TooOld,
                () = sender.closed() => return,
                end = send(&shared, id, &sender, patience.slow) => end,
            };
            // Whoever has gone need not be told.
            let _ = ended.send(end);
        });
        Self { changes, end: Some(end) }
    }

    /// The next change, or the end; nothing after that.
    pub async fn next(&mut self) -> Option<Told> {
        if let Some(change) = self.changes.recv().await {
            return Some(Told::Change(change));
        }
        self.end.take()?.await.ok().map(Told::End)
    }

    /// Whether nothing comes but what waits.
    pub fn has_ended(&self) -> bool {
        self.changes.is_closed()
    }
}

/// Sends changes until one is not taken.
async fn send(shared: &Shared, mut seen: i64, sender: &mpsc::Sender<Arc<HealthChange>>, slow: Duration) -> End {
    let mut grown = shared.feed.follow();
    loop {
        grown.mark_unchanged();
        let changes = match next(shared, seen).await {
            Ok(changes) => changes,
            Err(error) => {
                tracing::debug!(error = chain(&error), "a follower of health waits for Postgres");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        if changes.is_empty() {
            // The feed outlives every follower.
            let _ = grown.changed().await;
            continue;
        }
        for change in changes {
            seen = change.id;
            if timeout(slow, sender.send(change)).await.is_err() {
                return End::TooSlow;
            }
        }
    }
}

/// The changes after one: those that are kept for all, else those of the log.
async fn next(shared: &Shared, seen: i64) -> Result<Vec<Arc<HealthChange>>, postgres::Error> {
    let feed: &Feed = &shared.feed;
    if let Some(changes) = feed.after(seen, PAGE) {
        return Ok(changes);
    }
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let changes = health_log::after(&shared.stores.postgres, seen, limit).await?;
    Ok(changes.into_iter().map(Arc::new).collect())
}
