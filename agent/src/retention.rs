//! Removes history that has lost its worth, and destroys passwords that were deleted long ago.
//!
//! The leader does it, in small batches, so that nothing waits long for a lock. Rows that are owed or still decide
//! something stay whatever their age: unpublished events, the last run, the password of an operator that came back.
//! The log of health goes by whole months, and the months to come get their tables here. The audit trail is never touched.

use std::time::Duration;

use bindery_schema::value::OperatorId;
use tokio_util::sync::CancellationToken;

use crate::leader::fence::Fence;
use crate::shared::Shared;
use crate::store::postgres::health_log;
use crate::store::postgres::retention::{self, Table};
use crate::sync::secrets;

/// Time between two looks. What is days old can wait an hour longer.
const LOOK: Duration = Duration::from_secs(3_600);
/// Rows removed at a time.
const BATCH: i64 = 1_000;
/// Passwords destroyed while the fence is held.
const SECRETS: i64 = 20;

/// Prunes until cancelled, while this agent leads.
pub async fn run(shared: Shared, cancel: CancellationToken) {
    let mut leading = shared.leading.clone();
    loop {
        let fence = *leading.borrow_and_update();
        if let Some(fence) = fence {
            let prune = async {
                if let Err(error) = prune(&shared, fence).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "old history could not be removed");
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = prune => {}
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = leading.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Removes everything whose time is over.
#[tracing::instrument(name = "retention.prune", skip_all, err(level = "debug"))]
pub async fn prune(shared: &Shared, fence: Fence) -> Result<(), secrets::Error> {
    let kept = &shared.config.retention;
    for table in Table::ALL {
        let days = match table {
            Table::Outbox => kept.outbox_days,
            Table::RoutingChanges => kept.routing_changes_days,
            Table::SyncRuns => kept.sync_runs_days,
            Table::IdempotencyKeys => kept.idempotency_keys_days,
        };
        let mut total = 0;
        loop {
            let pruned = retention::prune(&shared.stores.postgres, table, days, BATCH).await?;
            total += pruned;
            if pruned < BATCH.unsigned_abs() {
                break;
            }
        }
        if total > 0 {
            tracing::info!(table = table.as_str(), rows = total, days, "removed old rows");
        }
    }
    while destroy(shared, fence).await? {}
    let days = kept.health_log_days;
    for table in health_log::keep(&shared.stores.postgres, days).await? {
        tracing::info!(table, days, "dropped an old month of the log of health");
    }
    Ok(())
}

/// Destroys some passwords; `false` when none is left. The fence is held meanwhile, and asked for before each: a step may
/// be about to bring an operator back, and this cannot be undone.
async fn destroy(shared: &Shared, fence: Fence) -> Result<bool, secrets::Error> {
    let mut transaction = shared.stores.postgres.begin().await?;
    fence.hold(&mut transaction).await?;
    let days = shared.config.retention.deleted_secrets_days;
    let overdue = retention::overdue(&mut transaction, days, SECRETS).await?;
    for operator in &overdue {
        fence.hold(&mut transaction).await?;
        shared.stores.vault.destroy(operator).await?;
    }
    let ids: Vec<&str> = overdue.iter().map(OperatorId::as_str).collect();
    retention::forget_deleted(&mut transaction, &ids).await?;
    transaction.commit().await?;
    if !ids.is_empty() {
        tracing::info!(operators = ids.len(), days, "destroyed the passwords of operators deleted long ago");
    }
    Ok(!ids.is_empty())
}
