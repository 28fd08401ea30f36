//! Rows that are kept for a while only, and passwords that are deleted in Vault but not yet destroyed.

use bindery_schema::value::OperatorId;
use sqlx::{PgConnection, PgPool};

use super::{Error, parse};

/// A table with rows that lose their worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Events that were published.
    Outbox,
    /// What changed in routing.
    RoutingChanges,
    /// What became of commits; the last one is kept.
    SyncRuns,
    /// Answers to calls that may be sent again.
    IdempotencyKeys,
}

impl Table {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Outbox, Self::RoutingChanges, Self::SyncRuns, Self::IdempotencyKeys];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outbox => "ops.outbox",
            Self::RoutingChanges => "ops.routing_changes",
            Self::SyncRuns => "ops.sync_runs",
            Self::IdempotencyKeys => "ops.idempotency_keys",
        }
    }

    fn statement(self) -> &'static str {
        match self {
            Self::Outbox => {
                "delete from ops.outbox where seq in (select seq from ops.outbox
                 where published_at < now() - make_interval(days => $1) order by seq limit $2)"
            }
            Self::RoutingChanges => {
                // Who knows an older step than the newest that lost a change has to read the table anew.
                "with gone as (
                     delete from ops.routing_changes where ctid = any(array(select ctid from ops.routing_changes
                     where at < now() - make_interval(days => $1) limit $2)) returning generation),
                 told as (
                     update ops.sync_state set changes_from = greatest(changes_from, (select max(generation) from gone))
                     where exists (select from gone))
                 select generation from gone"
            }
            Self::SyncRuns => {
                "delete from ops.sync_runs where id in (select id from ops.sync_runs
                 where finished_at < now() - make_interval(days => $1)
                     and id < (select max(id) from ops.sync_runs where outcome <> 'failed')
                 order by id limit $2)"
            }
            Self::IdempotencyKeys => {
                "delete from ops.idempotency_keys where key in (select key from ops.idempotency_keys
                 where created_at < now() - make_interval(days => $1) order by created_at limit $2)"
            }
        }
    }
}

/// Removes at most `limit` rows older than some days, and says how many went.
pub async fn prune(pool: &PgPool, table: Table, days: u16, limit: i64) -> Result<u64, Error> {
    let pruned = sqlx::query(table.statement()).bind(i32::from(days)).bind(limit).execute(pool).await?;
    Ok(pruned.rows_affected())
}

/// Notes that operators' passwords are deleted from now on.
pub async fn note_deleted(connection: &mut PgConnection, operators: &[&str]) -> Result<(), Error> {
    sqlx::query(
        "insert into ops.deleted_secrets (operator_id) select * from unnest($1::text[])
         on conflict (operator_id) do update set deleted_at = now()",
    )
    .bind(operators)
    .execute(connection)
    .await?;
    Ok(())
}

/// Operators whose password was deleted more than some days ago and that did not come back, nor are about to.
pub async fn overdue(connection: &mut PgConnection, days: u16, limit: i64) -> Result<Vec<OperatorId>, Error> {
    let ids: Vec<String> = sqlx::query_scalar(
        "select operator_id from ops.deleted_secrets d where deleted_at < now() - make_interval(days => $1)
             and not exists (select from ops.operators o where o.id = d.operator_id and o.deleted_at is null)
             and not exists (select from ops.secret_intents i where i.operator_id = d.operator_id)
         order by deleted_at limit $2",
    )
    .bind(i32::from(days))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    ids.iter().map(|id| parse("ops.deleted_secrets", id)).collect()
}

/// Forgets passwords that are destroyed.
pub async fn forget_deleted(connection: &mut PgConnection, operators: &[&str]) -> Result<(), Error> {
    sqlx::query("delete from ops.deleted_secrets where operator_id = any($1)")
        .bind(operators)
        .execute(connection)
        .await?;
    Ok(())
}
