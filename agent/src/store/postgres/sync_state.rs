//! `ops.sync_state`: the step the stores are equal to, and the fence before it.

use bindery_schema::value::Instant;
use bindery_schema::wire::api::AppliedCommit;
use sqlx::PgConnection;

use super::{Error, instant};

/// The one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncState {
    /// The applied commit; absent before the first step.
    pub commit: Option<String>,
    /// Number of applied steps.
    pub generation: i64,
    /// When the last was applied.
    pub applied_at: Option<Instant>,
}

impl SyncState {
    /// The applied step, where there is one.
    pub fn applied(&self) -> Option<AppliedCommit> {
        Some(AppliedCommit { commit: self.commit.clone()?, generation: self.generation, at: self.applied_at? })
    }
}

/// Reads the row.
pub async fn read(connection: &mut PgConnection) -> Result<SyncState, Error> {
    let (commit, generation, at): (Option<String>, i64, Option<i64>) = sqlx::query_as(
        "select applied_commit, generation, (extract(epoch from applied_at) * 1000000)::bigint from ops.sync_state",
    )
    .fetch_one(connection)
    .await?;
    Ok(SyncState { commit, generation, applied_at: at.map(instant) })
}

/// Takes the row's lock and refuses when a newer leader has been here. Held until the transaction ends; for as long the
/// session is known by the fence, so that [`super::leases::end_silent`] finds it.
pub async fn hold(connection: &mut PgConnection, fence: i64) -> Result<(), Error> {
    let held = sqlx::query(
        "update ops.sync_state set fence = $1 where fence <= $1
         returning set_config('application_name', 'bindery-agent fence ' || $1, true)",
    )
    .bind(fence)
    .fetch_optional(connection)
    .await?;
    held.map(|_| ()).ok_or(Error::Fenced)
}

/// Makes a commit the applied one, a step after `previous`, and returns the new step. Refuses when a newer leader has
/// been here, or anyone has applied a step since `previous` was read. The session is then known as by [`hold`].
pub async fn advance(
    connection: &mut PgConnection,
    commit: &str,
    fence: i64,
    previous: i64,
) -> Result<AppliedCommit, Error> {
    let row: Option<(i64, i64, String)> = sqlx::query_as(
        "update ops.sync_state set applied_commit = $1, generation = generation + 1, fence = $2, applied_at = now()
         where fence <= $2 and generation = $3
         returning generation, (extract(epoch from applied_at) * 1000000)::bigint,
             set_config('application_name', 'bindery-agent fence ' || $2, true)",
    )
    .bind(commit)
    .bind(fence)
    .bind(previous)
    .fetch_optional(connection)
    .await?;
    let (generation, at, _) = row.ok_or(Error::Fenced)?;
    Ok(AppliedCommit { commit: commit.to_owned(), generation, at: instant(at) })
}

/// Moves the number of the applied step past one that was given out before, as after Postgres was restored from a
/// backup. The same fence as every step. What clients know of steps in between is of no use: they read the table anew.
pub async fn lift(connection: &mut PgConnection, past: i64) -> Result<SyncState, Error> {
    sqlx::query("update ops.sync_state set generation = $1 + 1, changes_from = $1 + 1 where generation <= $1")
        .bind(past)
        .execute(&mut *connection)
        .await?;
    read(connection).await
}
