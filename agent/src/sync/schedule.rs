//! When the next step begins: at the poll, when woken, and soon after a failure.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio_util::sync::CancellationToken;

use super::reconcile::Reconciler;
use crate::drift;
use crate::leader::fence::Fence;
use crate::metrics::Outcome;
use crate::shared::Shared;

/// Time between two looks at what the leader has applied, while this agent follows.
const FOLLOW: Duration = Duration::from_secs(1);
/// How long a step under way may go on once the agent is told to stop. One that is cut off resumes at the next start.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Keeps the stores equal to the branch while this agent leads.
pub async fn run(mut reconciler: Reconciler, shared: Shared, cancel: CancellationToken) {
    let mut leading = shared.leading.clone();
    let mut delays = backoff();
    while !cancel.is_cancelled() {
        let fence = *leading.borrow_and_update();
        let Some(fence) = fence else {
            // First the wait: an agent that has just started may be about to lead, and knows nothing yet.
            tokio::select! {
                () = cancel.cancelled() => continue,
                _ = leading.changed() => continue,
                () = tokio::time::sleep(FOLLOW) => {}
            }
            if let Err(error) = reconciler.follow().await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the applied step cannot be read");
            }
            continue;
        };
        let done = step(&mut reconciler, &shared, fence, &cancel).await;
        // After a failed step too: what someone did to a store may be why it failed.
        drift::look(&mut reconciler, &shared, fence, &cancel).await;
        if done {
            delays = backoff();
            tokio::select! {
                () = cancel.cancelled() => {}
                () = shared.trigger.notified() => {}
                () = shared.drift.due() => {}
                () = tokio::time::sleep(shared.config.repository.poll()) => {}
            }
        } else {
            let delay = delays.next().unwrap_or(FOLLOW);
            wait(&mut reconciler, &shared, delay, &cancel).await;
        }
    }
}

/// Takes a step; `false` when it has to be tried again.
async fn step(reconciler: &mut Reconciler, shared: &Shared, fence: Fence, cancel: &CancellationToken) -> bool {
    let begun = Instant::now();
    let cut = async {
        cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let result = tokio::select! {
        result = reconciler.step(fence) => result,
        () = cut => {
            tracing::warn!("the step under way was cut off; it resumes at the next start");
            return true;
        }
    };
    shared.metrics.sync_duration.observe(begun.elapsed().as_secs_f64());
    let outcome = match &result {
        Ok(outcome) => outcome.as_str(),
        Err(_) => "failed",
    };
    shared.metrics.sync_runs.get_or_create(&Outcome { outcome }).inc();
    if let Err(error) = &result {
        tracing::warn!(error = error as &dyn std::error::Error, "the step failed and is tried again");
        reconciler.status().retrying(error.to_string());
    }
    result.is_ok()
}

/// Waits before another attempt, unless the branch moves: the newer commit may be what mends it.
async fn wait(reconciler: &mut Reconciler, shared: &Shared, delay: Duration, cancel: &CancellationToken) {
    let until = tokio::time::Instant::now() + delay;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = shared.trigger.notified() => return,
            () = shared.drift.due() => return,
            () = tokio::time::sleep_until(until) => return,
            () = tokio::time::sleep(shared.config.repository.poll()) => {
                if reconciler.has_moved().await {
                    return;
                }
            }
        }
    }
}

fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .without_max_times()
        .build()
}
