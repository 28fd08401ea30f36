//! `ops.secret_intents`: what is about to happen, or still has to happen, in Vault.

use std::time::Duration;

use bindery_schema::value::OperatorId;
use sqlx::PgConnection;

use super::{Error, parse};

const TABLE: &str = "ops.secret_intents";
/// How long a password that was written ahead waits for its commit to be applied.
const HOLD: Duration = Duration::from_secs(3_600);

/// What an intent is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A password is written before the step's transaction. Left over, the transaction was not committed.
    Write,
    /// A password is deleted after the step's transaction. Left over, it is still to be deleted.
    Delete,
}

/// One password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Whose.
    pub operator: OperatorId,
    /// What is to happen.
    pub action: Action,
    /// Newest version in Vault before; absent with an engine that keeps no versions.
    pub version: Option<u64>,
    /// Whether a commit that is on its way will make it good.
    pub held: bool,
}

/// Notes intents. One that a failed attempt left keeps its version: that is what an undoing has to go back to.
pub async fn record(connection: &mut PgConnection, commit: &str, intents: &[Intent]) -> Result<(), Error> {
    let action = |intent: &Intent| match intent.action {
        Action::Write => "write",
        Action::Delete => "delete",
    };
    sqlx::query(
        "insert into ops.secret_intents (operator_id, action, version, commit)
         select *, $4 from unnest($1::text[], $2::text[], $3::bigint[])
         on conflict (operator_id) do update set commit = excluded.commit, action = excluded.action",
    )
    .bind(intents.iter().map(|intent| intent.operator.as_str()).collect::<Vec<_>>())
    .bind(intents.iter().map(action).collect::<Vec<_>>())
    .bind(intents.iter().map(|intent| intent.version.map(u64::cast_signed)).collect::<Vec<_>>())
    .bind(commit)
    .execute(connection)
    .await?;
    Ok(())
}

/// When a hold runs out, in microseconds since the epoch: tells it from a later one for the same operator.
pub type Hold = i64;

/// Notes that a password is written ahead of its commit. Until the hold runs out the sync leaves it alone.
pub async fn hold(connection: &mut PgConnection, intent: &Intent) -> Result<Hold, Error> {
    let hold = sqlx::query_scalar(
        "insert into ops.secret_intents (operator_id, action, version, commit, held_until)
         values ($1, 'write', $2, '', now() + make_interval(secs => $3))
         on conflict (operator_id) do update set action = 'write', held_until = excluded.held_until
         returning (extract(epoch from held_until) * 1000000)::bigint",
    );
    let hold = hold.bind(intent.operator.as_str()).bind(intent.version.map(u64::cast_signed)).bind(HOLD.as_secs_f64());
    Ok(hold.fetch_one(connection).await?)
}

/// Takes a held intent away; `false` where a step has made it good already, or another writer holds it by now.
pub async fn take(connection: &mut PgConnection, operator: &OperatorId, hold: Hold) -> Result<bool, Error> {
    let delete = "delete from ops.secret_intents
                where operator_id = $1 and (extract(epoch from held_until) * 1000000)::bigint = $2";
    let taken = sqlx::query(delete).bind(operator.as_str()).bind(hold).execute(connection).await?;
    Ok(taken.rows_affected() > 0)
}

/// Every intent there is.
pub async fn open(connection: &mut PgConnection) -> Result<Vec<Intent>, Error> {
    let rows: Vec<(String, String, Option<i64>, bool)> = sqlx::query_as(
        "select operator_id, action, version, coalesce(held_until > now(), false)
         from ops.secret_intents order by operator_id",
    )
    .fetch_all(connection)
    .await?;
    let read = |(operator, action, version, held): (String, String, Option<i64>, bool)| {
        let action = if action == "write" { Action::Write } else { Action::Delete };
        Ok(Intent { operator: parse(TABLE, &operator)?, action, version: version.map(i64::cast_unsigned), held })
    };
    rows.into_iter().map(read).collect()
}

/// Removes intents of one kind that are carried out or undone.
pub async fn clear(connection: &mut PgConnection, action: Action, operators: &[&str]) -> Result<(), Error> {
    sqlx::query("delete from ops.secret_intents where action = $1 and operator_id = any($2)")
        .bind(if action == Action::Write { "write" } else { "delete" })
        .bind(operators)
        .execute(connection)
        .await?;
    Ok(())
}
