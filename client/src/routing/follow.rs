//! Keeps the table up to date.
//!
//! An event only says that there is a step; what changed is asked of the agents, from the step of the table in use to the
//! newest. An event that is lost costs time and nothing else: the next one, or the timer, has the same question asked. Where
//! the answer does not go onto the table, the table is read anew. While no agent answers, the last table stays in use.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use bindery_schema::wire::routing::RoutingChanges;
use tokio_util::sync::CancellationToken;

use super::{Routing, bootstrap};
use crate::agent::Failure;

/// Shortest and longest wait after a failure, with jitter: engines that lost one agent do not come back at once.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Follows until cancelled; `every` is the longest time between two looks.
pub(crate) async fn run(routing: Arc<Routing>, every: Duration, cancel: CancellationToken) {
    cancel.run_until_cancelled(follow(&routing, every)).await;
}

async fn follow(routing: &Routing, every: Duration) {
    let mut told = routing.told.subscribe();
    let mut retries = retries();
    loop {
        let newest = *told.borrow_and_update();
        let pause = if look(routing, newest).await {
            retries = self::retries();
            every
        } else {
            routing.metrics.table_failures.add_one();
            retries.next().unwrap_or(RETRY.1)
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = routing.wake.notified() => {}
            changed = told.changed() => if changed.is_err() { return },
        }
    }
}

fn retries() -> ExponentialBackoff {
    ExponentialBuilder::new().with_min_delay(RETRY.0).with_max_delay(RETRY.1).without_max_times().with_jitter().build()
}

/// Brings the table to the newest step; `false` where that has to be tried again soon.
async fn look(routing: &Routing, newest: i64) -> bool {
    let known = *routing.generation.borrow();
    // Nobody keeps the changes of the first step: they are the table.
    let Some(known) = known.filter(|known| *known > 0) else { return anew(routing).await };
    let changes = match changes(routing, known).await {
        Ok(changes) => changes,
        Err(Failure::Refused(code)) if code == "CHANGES_GONE" => return resync(routing).await,
        Err(_) => return false,
    };
    if changes.generation == known {
        // An agent that does not know of the step yet is asked again.
        return newest <= known;
    }
    let table = routing.table.load_full();
    match tokio::task::spawn_blocking(move || table.changed(&changes)).await {
        Ok(Ok(table)) => {
            routing.metrics.table_changes.add_one();
            routing.replace(table);
            true
        }
        _ => resync(routing).await,
    }
}

async fn changes(routing: &Routing, since: i64) -> Result<RoutingChanges, Failure> {
    let response = routing.agents.get(&format!("/v1/internal/routing-table/changes?since={since}")).await?;
    response.json().await.map_err(|_| Failure::Outage(crate::error::Outage::Agent))
}

async fn resync(routing: &Routing) -> bool {
    routing.metrics.table_resyncs.add_one();
    anew(routing).await
}

async fn anew(routing: &Routing) -> bool {
    match bootstrap::bootstrap(routing).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the routing table cannot be read; tried again");
            false
        }
    }
}
