//! Shows states in Redis: `ops:health:{operatorId}`, gone after a minute without a signal.
//!
//! Only the newest state of an operator waits to be written, so what waits never exceeds the number of operators,
//! however long Redis is away.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::HealthView;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::http::error::chain;
use crate::store::Redis;

/// How long a state is shown after the last signal, in seconds.
pub const LIFE_SECONDS: u64 = 60;
/// Keys of one round trip.
const BATCH: usize = 500;
/// Pause after a failure; the connection itself comes back by its own.
const RETRY: Duration = Duration::from_millis(250);
/// Longest wait of a reader for the cache: it has another source.
const READ: Duration = Duration::from_millis(500);

fn key(redis: &Redis, operator: &OperatorId) -> String {
    redis.key(&format!("ops:health:{operator}"))
}

/// States that wait to be shown.
#[derive(Debug, Default)]
pub struct Waiting {
    views: Mutex<BTreeMap<OperatorId, HealthView>>,
    wake: Notify,
}

impl Waiting {
    /// Has a state shown, instead of an older one that still waits.
    pub fn show(&self, operator: OperatorId, view: HealthView) {
        self.lock().insert(operator, view);
        self.wake.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<OperatorId, HealthView>> {
        // A map is whole after each insertion, whoever panicked.
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> BTreeMap<OperatorId, HealthView> {
        let mut views = self.lock();
        match views.keys().nth(BATCH).cloned() {
            None => std::mem::take(&mut *views),
            Some(first_to_stay) => {
                let stay = views.split_off(&first_to_stay);
                std::mem::replace(&mut *views, stay)
            }
        }
    }

    /// Puts back what could not be written, unless something newer waits.
    fn give_back(&self, failed: BTreeMap<OperatorId, HealthView>) {
        let mut views = self.lock();
        for (operator, view) in failed {
            views.entry(operator).or_insert(view);
        }
    }
}

/// Shows what waits until cancelled, and what waits then once more.
pub async fn run(redis: &Redis, waiting: &Waiting, cancel: &CancellationToken) {
    let mut failing = false;
    while cancel.run_until_cancelled(waiting.wake.notified()).await.is_some() {
        while !flush(redis, waiting, &mut failing).await {
            if cancel.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
                break;
            }
        }
    }
    flush(redis, waiting, &mut failing).await;
}

/// Writes all that waits; `false` where Redis does not take it.
async fn flush(redis: &Redis, waiting: &Waiting, failing: &mut bool) -> bool {
    loop {
        let batch = waiting.take();
        if batch.is_empty() {
            return true;
        }
        let mut pipeline = redis::pipe();
        for (operator, view) in &batch {
            // Plain values: their JSON cannot fail.
            let text = serde_json::to_string(view).unwrap_or_default();
            pipeline.set_ex(key(redis, operator), text, LIFE_SECONDS).ignore();
        }
        if let Err(error) = pipeline.query_async::<()>(&mut redis.connection()).await {
            waiting.give_back(batch);
            if !std::mem::replace(failing, true) {
                tracing::warn!(error = chain(&error), "Redis does not take health states; they are kept and logged");
            }
            return false;
        }
        *failing = false;
    }
}

/// The state shown for an operator; nothing where it expired or Redis is away.
pub async fn read(redis: &Redis, operator: &OperatorId) -> Option<HealthView> {
    let mut connection = redis.connection();
    let mut command = redis::cmd("GET");
    let command = command.arg(key(redis, operator));
    let text: Option<String> = tokio::time::timeout(READ, command.query_async(&mut connection)).await.ok()?.ok()?;
    serde_json::from_str(&text?).ok()
}

/// The states shown for operators, or `None` where Redis is away, which is not the same as nothing shown.
pub async fn read_all(redis: &Redis, operators: &[OperatorId]) -> Option<BTreeMap<OperatorId, HealthView>> {
    let mut views = BTreeMap::new();
    for batch in operators.chunks(BATCH) {
        let mut command = redis::cmd("MGET");
        for operator in batch {
            command.arg(key(redis, operator));
        }
        let texts: Vec<Option<String>> = command.query_async(&mut redis.connection()).await.ok()?;
        let found = batch.iter().zip(texts).filter_map(|(operator, text)| {
            let view = serde_json::from_str(&text?).ok()?;
            Some((operator.clone(), view))
        });
        views.extend(found);
    }
    Some(views)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_state_waits_and_batches_are_bounded() {
        let waiting = Waiting::default();
        let id = |n: usize| format!("op-{n:04}").parse::<OperatorId>().unwrap();
        let view = |reason: &str| HealthView { reason: reason.to_owned(), ..HealthView::unheard() };
        for n in 0..=BATCH {
            waiting.show(id(n), view("old"));
        }
        let batch = waiting.take();
        assert_eq!((batch.len(), waiting.lock().len()), (BATCH, 1));
        waiting.show(id(0), view("new"));
        waiting.give_back(batch);
        let mut again = waiting.take();
        again.extend(waiting.take());
        assert_eq!(
            (again.len(), again[&id(0)].reason.as_str(), again[&id(1)].reason.as_str()),
            (BATCH + 1, "new", "old")
        );
        assert!(waiting.take().is_empty());
    }
}
