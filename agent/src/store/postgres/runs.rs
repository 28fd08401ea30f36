//! `ops.sync_runs`: what became of each commit.

use bindery_schema::value::Instant;
use serde_json::Value;
use sqlx::PgConnection;

use super::{Error, instant};

/// A run to be recorded.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// The commit.
    pub commit: &'a str,
    /// The commit that was applied before.
    pub previous: Option<&'a str>,
    /// `applied`, `rejected` or `held`.
    pub outcome: &'static str,
    /// The applied step.
    pub generation: Option<i64>,
    /// When it began.
    pub started_at: Instant,
    /// Counts, findings or guardrails.
    pub detail: Value,
    /// Commits in between that this one made needless.
    pub skipped: &'a [String],
}

/// Records a run.
pub async fn record(connection: &mut PgConnection, run: &Run<'_>) -> Result<(), Error> {
    sqlx::query(
        "insert into ops.sync_runs (commit, previous_commit, outcome, generation, started_at, detail, skipped)
         values ($1, $2, $3, $4, $5::timestamptz, $6, $7)",
    )
    .bind(run.commit)
    .bind(run.previous)
    .bind(run.outcome)
    .bind(run.generation)
    .bind(run.started_at.to_string())
    .bind(&run.detail)
    .bind(serde_json::json!(run.skipped))
    .execute(connection)
    .await?;
    Ok(())
}

/// The run recorded last.
#[derive(Debug, Clone)]
pub struct Last {
    /// The commit.
    pub commit: String,
    /// How it ended.
    pub outcome: String,
    /// When.
    pub finished_at: Instant,
    /// Counts, findings or guardrails.
    pub detail: Value,
}

/// The run recorded last; `None` before the first.
pub async fn last(connection: &mut PgConnection) -> Result<Option<Last>, Error> {
    let row: Option<(String, String, i64, Value)> = sqlx::query_as(
        "select commit, outcome, (extract(epoch from finished_at) * 1000000)::bigint, detail
         from ops.sync_runs order by id desc limit 1",
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(commit, outcome, at, detail)| Last { commit, outcome, finished_at: instant(at), detail }))
}
