//! `ops.audit_log`: who changed what, from what to what. Rows are only ever added: a trigger refuses everything else,
//! and the role the agent runs as has no right to try.

use bindery_schema::wire::control::AuditEntry;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, PgPool};

use super::{Error, instant};

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

/// How a change came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By a commit on the branch.
    Commit,
    /// By a call of the admin API.
    Api,
    /// By the agent itself.
    Agent,
}

impl Via {
    /// As the column has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Api => "api",
            Self::Agent => "agent",
        }
    }
}

/// Who brought changes about, and by which step.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// Author of the commit, caller of the API, or the agent.
    pub actor: &'a str,
    /// How.
    pub via: Via,
    /// Committer of the commit.
    pub committer: Option<&'a str>,
    /// The commit.
    pub commit: Option<&'a str>,
    /// The applied step.
    pub generation: Option<i64>,
    /// Hash of the plan that was carried out.
    pub plan_hash: Option<&'a str>,
}

impl<'a> Cause<'a> {
    /// A call of the API.
    pub fn api(caller: &'a str) -> Self {
        Self { actor: caller, via: Via::Api, committer: None, commit: None, generation: None, plan_hash: None }
    }

    /// Something the agent does by itself.
    pub fn agent() -> Self {
        Self { via: Via::Agent, ..Self::api("bindery-agent") }
    }
}

/// Adds rows.
pub async fn append(connection: &mut PgConnection, cause: Cause<'_>, entries: &[Entry]) -> Result<(), Error> {
    sqlx::query(
        "insert into ops.audit_log (action, object, detail, actor, via, committer, commit, generation, plan_hash)
         select *, $4, $5, $6, $7, $8, $9 from unnest($1::text[], $2::text[], $3::jsonb[])",
    )
    .bind(entries.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.object.as_str()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.detail.clone()).collect::<Vec<_>>())
    .bind(cause.actor)
    .bind(cause.via.as_str())
    .bind(cause.committer)
    .bind(cause.commit)
    .bind(cause.generation)
    .bind(cause.plan_hash)
    .execute(connection)
    .await?;
    Ok(())
}

/// Which rows a page holds, newest first.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Of this object: `operator/af-roshan-1`, or only the part behind the slash.
    pub object: Option<String>,
    /// Not before this instant, RFC 3339.
    pub since: Option<String>,
    /// Before this instant, RFC 3339.
    pub until: Option<String>,
    /// Older than this row.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

#[derive(FromRow)]
struct Raw {
    id: i64,
    at: i64,
    actor: String,
    committer: Option<String>,
    via: String,
    action: String,
    object: String,
    detail: Value,
    commit: Option<String>,
    generation: Option<i64>,
    plan_hash: Option<String>,
}

/// Rows of the trail.
pub async fn page(pool: &PgPool, page: &Selection) -> Result<Vec<AuditEntry>, Error> {
    let kinds = ["operator", "mno", "commit", "sync", "revision", "plan"];
    let names = page.object.as_ref().map(|object| {
        let full = kinds.iter().map(|kind| format!("{kind}/{object}"));
        full.chain([object.clone()]).collect::<Vec<_>>()
    });
    let rows: Vec<Raw> = sqlx::query_as(
        "select id, (extract(epoch from at) * 1000000)::bigint as at, actor, committer, via, action, object, detail,
                commit, generation, plan_hash
         from ops.audit_log
         where ($1::text[] is null or object = any($1)) and ($2::text is null or at >= $2::timestamptz)
             and ($3::text is null or at < $3::timestamptz) and ($4::bigint is null or id < $4)
         order by id desc limit $5",
    )
    .bind(names)
    .bind(&page.since)
    .bind(&page.until)
    .bind(page.before)
    .bind(page.limit)
    .fetch_all(pool)
    .await?;
    let entry = |raw: Raw| AuditEntry {
        id: raw.id,
        at: instant(raw.at),
        actor: raw.actor,
        committer: raw.committer,
        via: raw.via,
        action: raw.action,
        object: raw.object,
        detail: raw.detail,
        commit: raw.commit,
        generation: raw.generation,
        plan_hash: raw.plan_hash,
    };
    Ok(rows.into_iter().map(entry).collect())
}
