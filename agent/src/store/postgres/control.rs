//! `ops.held_plan`, `ops.sync_pause` and `ops.refused_trees`: what people tell the sync.

use bindery_schema::plan::Plan;
use bindery_schema::value::Instant;
use bindery_schema::wire::control::{HeldPlan, Pause, Refused};
use serde_json::Value;
use sqlx::PgConnection;

use super::{Error, instant, json_of};

/// A plan that was released over the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Its hash.
    pub plan_hash: String,
    /// Who released it.
    pub by: String,
}

/// All of it, as the sync needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// The pause in force.
    pub pause: Option<Pause>,
    /// A pause that has ended and whose row is still there.
    pub ended: Option<Pause>,
    /// Whether a held plan is on record.
    pub holds: bool,
    /// The release of that plan.
    pub released: Option<Released>,
    /// Revisions that were rolled back, each with a tree of it.
    pub refused: Vec<(String, Refused)>,
}

impl Control {
    /// The revisions that were rolled back, each once.
    pub fn revisions(&self) -> Vec<Refused> {
        let mut revisions: Vec<Refused> = self.refused.iter().map(|(_, refused)| refused.clone()).collect();
        revisions.dedup();
        revisions
    }
}

/// Reads everything that was said.
pub async fn read(connection: &mut PgConnection) -> Result<Control, Error> {
    let pause: Option<(String, String, i64, i64, bool)> = sqlx::query_as(
        "select reason, paused_by, (extract(epoch from since) * 1000000)::bigint,
                (extract(epoch from until) * 1000000)::bigint, until > now()
         from ops.sync_pause",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let (mut running, mut ended) = (None, None);
    if let Some((reason, by, since, until, runs)) = pause {
        let pause = Pause { reason, by, since: instant(since), until: instant(until) };
        *if runs { &mut running } else { &mut ended } = Some(pause);
    }
    let held: Option<(String, Option<String>)> =
        sqlx::query_as("select plan_hash, released_by from ops.held_plan").fetch_optional(&mut *connection).await?;
    let holds = held.is_some();
    let released = held.and_then(|(plan_hash, by)| Some(Released { plan_hash, by: by? }));
    let rows: Vec<(String, String, Option<String>, String, i64)> = sqlx::query_as(
        "select tree, revision, reason, refused_by, (extract(epoch from refused_at) * 1000000)::bigint
         from ops.refused_trees order by refused_at, revision, tree",
    )
    .fetch_all(connection)
    .await?;
    let refused = |(tree, revision, reason, by, since)| (tree, Refused { revision, reason, by, since: instant(since) });
    Ok(Control { pause: running, ended, holds, released, refused: rows.into_iter().map(refused).collect() })
}

/// Puts a held plan on record in the place of any other, and says since when it is held. One that is on record already
/// keeps its time.
pub async fn hold(
    connection: &mut PgConnection,
    commit: &str,
    plan: &Plan,
    (json, summary): (&Value, &str),
) -> Result<Held, Error> {
    let hash = plan.hash.to_string();
    let known: Option<i64> = sqlx::query_scalar(
        "select (extract(epoch from held_at) * 1000000)::bigint from ops.held_plan where commit = $1 and plan_hash = $2",
    )
    .bind(commit)
    .bind(&hash)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(since) = known {
        return Ok(Held { since: instant(since), known: true });
    }
    let since: i64 = sqlx::query_scalar(
        "insert into ops.held_plan (commit, plan_hash, holds, counts, plan, summary) values ($1, $2, $3, $4, $5, $6)
         on conflict (singleton) do update set commit = excluded.commit, plan_hash = excluded.plan_hash,
             holds = excluded.holds, counts = excluded.counts, plan = excluded.plan, summary = excluded.summary,
             held_at = now(), released_by = null, released_at = null
         returning (extract(epoch from held_at) * 1000000)::bigint",
    )
    .bind(commit)
    .bind(hash)
    .bind(json_of(&plan.holds))
    .bind(json_of(plan.counts()))
    .bind(json)
    .bind(summary)
    .fetch_one(connection)
    .await?;
    Ok(Held { since: instant(since), known: false })
}

/// A held plan's place on record.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Since when it is held.
    pub since: Instant,
    /// Whether it was on record before.
    pub known: bool,
}

/// The held plan in full.
pub async fn held(connection: &mut PgConnection) -> Result<Option<HeldPlan>, Error> {
    type Row = (String, String, i64, Value, Value, Value, String, Option<String>);
    let row: Option<Row> = sqlx::query_as(
        "select commit, plan_hash, (extract(epoch from held_at) * 1000000)::bigint, holds, counts, plan, summary,
                released_by
         from ops.held_plan",
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(commit, plan_hash, since, holds, counts, plan, summary, released_by)| HeldPlan {
        commit,
        plan_hash,
        since: instant(since),
        holds,
        counts,
        plan,
        summary,
        released_by,
    }))
}

/// Releases the held plan by its hash. `Err` names the hash that is held instead, if any.
pub async fn release(connection: &mut PgConnection, hash: &str, by: &str) -> Result<Result<(), Option<String>>, Error> {
    let held: Option<String> =
        sqlx::query_scalar("select plan_hash from ops.held_plan for update").fetch_optional(&mut *connection).await?;
    if held.as_deref() != Some(hash) {
        return Ok(Err(held));
    }
    sqlx::query("update ops.held_plan set released_by = $1, released_at = now()").bind(by).execute(connection).await?;
    Ok(Ok(()))
}

/// Forgets the held plan: it was applied, or the branch says something else by now.
pub async fn forget_held(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("delete from ops.held_plan").execute(connection).await?;
    Ok(())
}

/// Pauses for some seconds from now, in the place of any pause before.
pub async fn pause(connection: &mut PgConnection, reason: &str, by: &str, seconds: u32) -> Result<Pause, Error> {
    let (since, until): (i64, i64) = sqlx::query_as(
        "insert into ops.sync_pause (reason, paused_by, until) values ($1, $2, now() + make_interval(secs => $3))
         on conflict (singleton) do update set reason = excluded.reason, paused_by = excluded.paused_by,
             since = now(), until = excluded.until
         returning (extract(epoch from since) * 1000000)::bigint, (extract(epoch from until) * 1000000)::bigint",
    )
    .bind(reason)
    .bind(by)
    .bind(f64::from(seconds))
    .fetch_one(connection)
    .await?;
    Ok(Pause { reason: reason.to_owned(), by: by.to_owned(), since: instant(since), until: instant(until) })
}

/// Ends a pause, or with `expired` only one whose time is over; `false` where there is none.
pub async fn resume(connection: &mut PgConnection, expired: bool) -> Result<bool, Error> {
    let ended = sqlx::query("delete from ops.sync_pause where not $1 or until <= now()")
        .bind(expired)
        .execute(connection)
        .await?;
    Ok(ended.rows_affected() == 1)
}

/// Refuses trees because a revision was rolled back.
pub async fn refuse(
    connection: &mut PgConnection,
    revision: &str,
    trees: &[String],
    reason: Option<&str>,
    by: &str,
) -> Result<(), Error> {
    sqlx::query(
        "insert into ops.refused_trees (tree, revision, reason, refused_by) select t, $2, $3, $4 from unnest($1::text[]) t
         on conflict (tree) do update set revision = excluded.revision, reason = excluded.reason,
             refused_by = excluded.refused_by, refused_at = now()",
    )
    .bind(trees)
    .bind(revision)
    .bind(reason)
    .bind(by)
    .execute(connection)
    .await?;
    Ok(())
}

/// Allows a revision again that was rolled back; `false` where it was not refused.
pub async fn allow(connection: &mut PgConnection, revision: &str) -> Result<bool, Error> {
    let allowed =
        sqlx::query("delete from ops.refused_trees where revision = $1").bind(revision).execute(connection).await?;
    Ok(allowed.rows_affected() > 0)
}
