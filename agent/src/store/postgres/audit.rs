//! `ops.audit_log`: who changed what, from what to what. Rows are only ever added.

use serde_json::Value;
use sqlx::PgConnection;

use super::Error;

/// One change of one object.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What happened, such as `operator.update`.
    pub action: String,
    /// To which object, such as `operator/af-roshan-1`.
    pub object: String,
    /// Before and after by field, without secrets.
    pub detail: Value,
}

/// Who brought changes about, and by which step.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// Author of the commit.
    pub author: &'a str,
    /// Committer of the commit.
    pub committer: &'a str,
    /// The commit.
    pub commit: &'a str,
    /// The applied step.
    pub generation: i64,
    /// Hash of the plan that was carried out.
    pub plan_hash: &'a str,
}

/// Adds the rows of a step.
pub async fn append(connection: &mut PgConnection, cause: Cause<'_>, entries: &[Entry]) -> Result<(), Error> {
    sqlx::query(
        "insert into ops.audit_log (action, object, detail, actor, committer, commit, generation, plan_hash)
         select *, $4, $5, $6, $7, $8 from unnest($1::text[], $2::text[], $3::jsonb[])",
    )
    .bind(entries.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.object.as_str()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.detail.clone()).collect::<Vec<_>>())
    .bind(cause.author)
    .bind(cause.committer)
    .bind(cause.commit)
    .bind(cause.generation)
    .bind(cause.plan_hash)
    .execute(connection)
    .await?;
    Ok(())
}
