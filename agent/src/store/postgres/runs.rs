//! `ops.sync_runs`: what became of each commit.

use bindery_schema::value::Instant;
use bindery_schema::wire::control::SyncRun;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, PgPool};

use super::{Error, instant};

/// A run to be recorded.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// The commit.
    pub commit: &'a str,
    /// The commit that was applied before.
    pub previous: Option<&'a str>,
    /// `applied`, `rejected`, `held` or `failed`.
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
        "insert into ops.sync_runs (commit, previous_commit, outcome, generation, started_at, finished_at, detail,
             skipped)
         values ($1, $2, $3, $4, $5::timestamptz, clock_timestamp(), $6, $7)",
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
    /// Counts, findings, guardrails or a reason.
    pub detail: Value,
}

/// The run recorded last; `None` before the first. A failed attempt decides nothing and is left out unless `failed`.
pub async fn last(connection: &mut PgConnection, failed: bool) -> Result<Option<Last>, Error> {
    let row: Option<(String, String, i64, Value)> = sqlx::query_as(
        "select commit, outcome, (extract(epoch from finished_at) * 1000000)::bigint, detail
         from ops.sync_runs where $1 or outcome <> 'failed' order by id desc limit 1",
    )
    .bind(failed)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(commit, outcome, at, detail)| Last { commit, outcome, finished_at: instant(at), detail }))
}

#[derive(FromRow)]
struct Raw {
    id: i64,
    commit: String,
    previous_commit: Option<String>,
    outcome: String,
    generation: Option<i64>,
    started: i64,
    finished: i64,
    detail: Value,
    skipped: Value,
}

/// Runs before `before`, newest first.
pub async fn page(pool: &PgPool, before: Option<i64>, limit: i64) -> Result<Vec<SyncRun>, Error> {
    let rows: Vec<Raw> = sqlx::query_as(
        "select id, commit, previous_commit, outcome, generation, detail, skipped,
                (extract(epoch from started_at) * 1000000)::bigint as started,
                (extract(epoch from finished_at) * 1000000)::bigint as finished
         from ops.sync_runs where $1::bigint is null or id < $1 order by id desc limit $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let run = |raw: Raw| SyncRun {
        id: raw.id,
        commit: raw.commit,
        previous_commit: raw.previous_commit,
        outcome: raw.outcome,
        generation: raw.generation,
        started_at: instant(raw.started),
        finished_at: instant(raw.finished),
        millis: (raw.finished - raw.started).max(0) / 1_000,
        detail: raw.detail,
        skipped: raw.skipped,
    };
    Ok(rows.into_iter().map(run).collect())
}
