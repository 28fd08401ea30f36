//! When the next step begins: at the poll, when woken, and soon after a failure.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::Span;
use tracing::field::Empty;

use super::reconcile::Reconciler;
use super::step::Error;
use crate::backoff::Delays;
use crate::drift;
use crate::http::error::chain;
use crate::leader::fence::Fence;
use crate::metrics::Outcome;
use crate::shared::Shared;

/// Time between two looks at what the leader has applied, while this agent follows.
const FOLLOW: Duration = Duration::from_secs(1);
/// How long a step under way may go on once the agent is told to stop. One that is cut off resumes at the next start.
const GRACE: Duration = Duration::from_secs(10);

/// Shortest and longest wait after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// How a step ended, as far as the next one is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// There is nothing to do until the branch moves.
    Done,
    /// It has to be tried again.
    Failed,
    /// It has to be tried again, and so has the repository.
    Unreachable,
}

/// What a wait ends for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// Another attempt.
    ToStep,
    /// A full look at the stores that is due.
    ToLook,
}

/// Keeps the stores equal to the branch while this agent leads.
pub async fn run(mut reconciler: Reconciler, shared: Shared, cancel: CancellationToken) {
    let mut leading = shared.leading.clone();
    let mut delays = Delays::new(RETRY.0, RETRY.1);
    let mut fetched = None;
    while !cancel.is_cancelled() {
        let fence = *leading.borrow_and_update();
        let Some(fence) = fence else {
            // First the wait: an agent that has just started may be about to lead, and knows nothing yet.
            tokio::select! {
                () = cancel.cancelled() => continue,
                _ = leading.changed() => continue,
                () = tokio::time::sleep(FOLLOW) => {}
            }
            // A follower fetches too: it shows how far the branch is, and need not begin with that when it takes over.
            let due = fetched.is_none_or(|at: Instant| at.elapsed() >= shared.config.repository.poll());
            if due {
                fetched = Some(Instant::now());
            }
            tokio::select! {
                () = cancel.cancelled() => {}
                // A fetch that hangs goes on by itself and must not keep this agent from leading.
                _ = leading.changed() => {}
                followed = reconciler.follow(due) => if let Err(error) = followed {
                    tracing::debug!(error = &error as &dyn std::error::Error, "what the leader did cannot be read");
                },
            }
            continue;
        };
        let end = step(&mut reconciler, &shared, fence, &cancel).await;
        // After a failed step too: what someone did to a store may be why it failed.
        drift::look(&mut reconciler, &shared, fence, &cancel).await;
        if end == End::Done {
            delays.reset();
            tokio::select! {
                () = cancel.cancelled() => {}
                () = shared.trigger.notified() => {}
                () = shared.drift.due() => {}
                () = tokio::time::sleep(shared.config.repository.poll()) => {}
            }
        } else {
            let until = Instant::now() + delays.longer();
            // A look needs no repository, and what it heals may be what the step failed at.
            while wait(&mut reconciler, &shared, end, until, &cancel).await == Woken::ToLook {
                drift::look(&mut reconciler, &shared, fence, &cancel).await;
            }
        }
    }
}

/// Takes a step.
#[tracing::instrument(
    name = "sync.step",
    skip_all,
    fields(bindery.fence = fence.number(), bindery.commit = Empty, bindery.outcome = Empty, otel.status_code = Empty)
)]
async fn step(reconciler: &mut Reconciler, shared: &Shared, fence: Fence, cancel: &CancellationToken) -> End {
    shared.woken.take().link_to(&Span::current());
    let (begun, at) = (Instant::now(), jiff::Timestamp::now());
    let cut = async {
        cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let result = tokio::select! {
        result = reconciler.step(fence) => result,
        () = cut => {
            tracing::warn!("the step under way was cut off; it resumes at the next start");
            return End::Done;
        }
    };
    shared.metrics.sync_duration.observe(begun.elapsed().as_secs_f64());
    let outcome = match &result {
        Ok(outcome) => outcome.as_str(),
        Err(_) => "failed",
    };
    shared.metrics.sync_runs.get_or_create(&Outcome { outcome }).inc();
    Span::current().record("bindery.outcome", outcome);
    let Err(error) = &result else { return End::Done };
    Span::current().record("otel.status_code", "ERROR");
    tracing::warn!(error = chain(error), "the step failed and is tried again");
    // What the server said is what the person who set the credentials has to know.
    let unreachable = matches!(error, Error::Fetch(_));
    let reason = if unreachable { chain(error) } else { error.to_string() };
    reconciler.status().retrying(reason.clone());
    if let Err(error) = reconciler.failed(fence, at, &reason).await {
        // Most often Postgres is what failed in the first place.
        tracing::debug!(error = &error as &dyn std::error::Error, "the failure could not be recorded");
    }
    if unreachable { End::Unreachable } else { End::Failed }
}

/// Waits before another attempt, unless the branch moves: the newer commit may be what mends it. A repository that is
/// away is not asked meanwhile, and a trigger cannot have it asked sooner: a flood of them is no reason to hammer it.
async fn wait(
    reconciler: &mut Reconciler,
    shared: &Shared,
    end: End,
    until: Instant,
    cancel: &CancellationToken,
) -> Woken {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Woken::ToStep,
            () = shared.trigger.notified(), if end == End::Failed => return Woken::ToStep,
            () = shared.drift.due() => return Woken::ToLook,
            () = tokio::time::sleep_until(until.into()) => return Woken::ToStep,
            () = tokio::time::sleep(shared.config.repository.poll()), if end == End::Failed => {
                if reconciler.has_moved().await {
                    return Woken::ToStep;
                }
            }
        }
    }
}
