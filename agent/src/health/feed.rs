//! The newest changes of health, read from the log once for all who follow them.
//!
//! The log is the truth: ids become visible in their order (see [`record`](crate::store::postgres::health::record)), so
//! whoever knows an id reads what came after it and misses nothing. A word over Postgres hurries the reading and a timer
//! makes up for a lost one. Every agent reads the log, whoever leads; while nobody follows, none does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bindery_schema::wire::health::HealthChange;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::backoff::Delays;
use crate::http::error::chain;
use crate::shared::Shared;
use crate::store::postgres::{self, health_log};

/// Changes that are kept for followers: whoever is further behind reads the log.
const KEPT: usize = 1_024;
/// Changes read at a time.
const PAGE: i64 = 500;
/// Streams at a time: one for each instance of a few services, and some people.
pub const STREAMS: usize = 64;
/// Looks at the log without a word.
const LOOK: Duration = Duration::from_secs(2);
/// Shortest and longest pause after a failure.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// The newest changes. Nobody waits for anybody: followers take what they have not seen.
#[derive(Debug)]
pub struct Feed {
    recent: Mutex<Option<Recent>>,
    /// Grows with each look that found something.
    grown: watch::Sender<u64>,
    wake: Notify,
    places: Arc<Semaphore>,
    ended: CancellationToken,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            recent: Mutex::default(),
            grown: watch::Sender::default(),
            wake: Notify::new(),
            places: Arc::new(Semaphore::new(STREAMS)),
            ended: CancellationToken::new(),
        }
    }
}

/// All changes after one, up to the newest that was read.
#[derive(Debug)]
struct Recent {
    after: i64,
    changes: VecDeque<Arc<HealthChange>>,
}

impl Recent {
    fn newest(&self) -> i64 {
        self.changes.back().map_or(self.after, |change| change.id)
    }
}

impl Feed {
    /// Has the log looked at: it may have grown.
    pub fn look(&self) {
        self.wake.notify_one();
    }

    /// A place for a stream, as long as it is kept; none while all [`STREAMS`] are taken.
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Cancelled when the agent ends, and streams with it.
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Tells when there is something new. While one of these is kept, the log is followed.
    pub fn follow(&self) -> watch::Receiver<u64> {
        let grown = self.grown.subscribe();
        self.look();
        grown
    }

    /// At most `limit` changes after one; `None` where that lies too far back to be kept here.
    pub fn after(&self, id: i64, limit: usize) -> Option<Vec<Arc<HealthChange>>> {
        let recent = self.lock();
        let recent = recent.as_ref().filter(|recent| recent.after <= id)?;
        let first = recent.changes.partition_point(|change| change.id <= id);
        Some(recent.changes.range(first..).take(limit).cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Recent>> {
        // It is whole after each step, whoever panicked.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest(&self) -> Option<i64> {
        self.lock().as_ref().map(Recent::newest)
    }

    /// Begins after a change.
    fn begin(&self, after: i64) {
        *self.lock() = Some(Recent { after, changes: VecDeque::new() });
        self.grown.send_modify(|grown| *grown += 1);
    }

    fn add(&self, changes: Vec<HealthChange>) {
        if let Some(recent) = &mut *self.lock() {
            recent.changes.extend(changes.into_iter().map(Arc::new));
            while recent.changes.len() > KEPT {
                recent.after = recent.changes.pop_front().map_or(recent.after, |oldest| oldest.id);
            }
        }
        self.grown.send_modify(|grown| *grown += 1);
    }
}

/// Follows the log until cancelled.
pub async fn run(shared: Shared, cancel: CancellationToken) {
    let feed = &shared.feed;
    let mut delays = Delays::new(AGAIN.0, AGAIN.1);
    let follow = async {
        loop {
            if feed.grown.receiver_count() == 0 {
                *feed.lock() = None;
                feed.wake.notified().await;
                continue;
            }
            let wait = match look(&shared).await {
                Ok(()) => {
                    delays.reset();
                    LOOK
                }
                Err(error) => {
                    tracing::debug!(error = chain(&error), "the log of health cannot be read; its streams wait");
                    delays.longer()
                }
            };
            let _ = tokio::time::timeout(wait, feed.wake.notified()).await;
        }
    };
    let _: Option<()> = cancel.run_until_cancelled(follow).await;
    feed.ended.cancel();
}

/// Reads what was added since the last look.
async fn look(shared: &Shared) -> Result<(), postgres::Error> {
    let (pool, feed) = (&shared.stores.postgres, &shared.feed);
    let Some(mut newest) = feed.newest() else {
        feed.begin(health_log::extent(pool).await?.newest);
        return Ok(());
    };
    loop {
        let changes = health_log::after(pool, newest, PAGE).await?;
        let Some(last) = changes.last() else { return Ok(()) };
        newest = last.id;
        feed.add(changes);
    }
}

#[cfg(test)]
mod tests {
    use bindery_schema::wire::health::HealthState;
    use jiff::Timestamp;

    use super::*;

    fn change(id: i64) -> HealthChange {
        HealthChange {
            id,
            operator_id: "a".parse().unwrap(),
            previous: HealthState::Healthy,
            state: HealthState::Unknown,
            reason: "no signal for 60 s".to_owned(),
            connector_id: None,
            at: Timestamp::UNIX_EPOCH.into(),
        }
    }

    fn ids(feed: &Feed, after: i64) -> Option<Vec<i64>> {
        Some(feed.after(after, 3)?.iter().map(|change| change.id).collect())
    }

    #[test]
    fn what_is_kept_is_told_in_order_and_what_is_not_is_the_logs_to_tell() {
        let feed = Feed::default();
        assert_eq!(ids(&feed, 7), None, "nobody has looked yet");
        let mut grown = feed.follow();
        feed.begin(7);
        assert!(grown.has_changed().unwrap());
        assert_eq!((ids(&feed, 6), ids(&feed, 7), ids(&feed, 9)), (None, Some(vec![]), Some(vec![])));
        // A rolled-back transaction left a gap.
        feed.add([8, 11, 12, 13].map(change).to_vec());
        assert_eq!((ids(&feed, 7), ids(&feed, 9)), (Some(vec![8, 11, 12]), Some(vec![11, 12, 13])));
        assert_eq!(ids(&feed, 20), Some(vec![]));
        grown.mark_unchanged();
        feed.add((14..14 + i64::try_from(KEPT).unwrap()).map(change).collect());
        assert!(grown.has_changed().unwrap());
        assert_eq!((ids(&feed, 12), ids(&feed, 13)), (None, Some(vec![14, 15, 16])));
    }
}
