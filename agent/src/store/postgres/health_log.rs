//! `ops.operator_health_log`: every change of health, in partitions of a month.

use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::HealthChange;
use sqlx::{FromRow, PgConnection, PgPool};

use super::health::Change;
use super::{Error, instant, parse};

const LOG: &str = "ops.operator_health_log";

/// Adds a change.
pub(super) async fn append(connection: &mut PgConnection, change: &Change) -> Result<(), Error> {
    sqlx::query(
        "insert into ops.operator_health_log (operator_id, previous, state, reason, connector_id, at)
         values ($1, $2, $3, $4, $5, $6::timestamptz)",
    )
    .bind(change.operator.as_str())
    .bind(change.transition.previous.as_str())
    .bind(change.transition.state.as_str())
    .bind(&change.transition.reason)
    .bind(&change.transition.connector_id)
    .bind(change.transition.at.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct Raw {
    id: i64,
    operator_id: String,
    previous: String,
    state: String,
    reason: String,
    connector_id: Option<String>,
    at: i64,
}

impl TryFrom<Raw> for HealthChange {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self, Error> {
        Ok(Self {
            id: raw.id,
            operator_id: parse(LOG, &raw.operator_id)?,
            previous: parse(LOG, &raw.previous)?,
            state: parse(LOG, &raw.state)?,
            reason: raw.reason,
            connector_id: raw.connector_id,
            at: instant(raw.at),
        })
    }
}

/// Which changes of an operator a page holds, newest first.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Of this operator.
    pub operator: OperatorId,
    /// Not before this instant, RFC 3339.
    pub since: Option<String>,
    /// Before this instant, RFC 3339.
    pub until: Option<String>,
    /// Older than this row.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

/// Changes of an operator; `None` for one that there never was. Those of a deleted one are told.
pub async fn page(pool: &PgPool, page: &Selection) -> Result<Option<Vec<HealthChange>>, Error> {
    let mut connection = pool.acquire().await?;
    let known: bool = sqlx::query_scalar("select exists (select from ops.operators where id = $1)")
        .bind(page.operator.as_str())
        .fetch_one(&mut *connection)
        .await?;
    if !known {
        return Ok(None);
    }
    let rows: Vec<Raw> = sqlx::query_as(
        "select id, operator_id, previous, state, reason, connector_id,
                (extract(epoch from at) * 1000000)::bigint as at
         from ops.operator_health_log
         where operator_id = $1 and ($2::text is null or at >= $2::timestamptz)
             and ($3::text is null or at < $3::timestamptz) and ($4::bigint is null or id < $4)
         order by id desc limit $5",
    )
    .bind(page.operator.as_str())
    .bind(&page.since)
    .bind(&page.until)
    .bind(page.before)
    .bind(page.limit)
    .fetch_all(&mut *connection)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>().map(Some)
}

/// Changes of all operators after one, oldest first.
pub async fn after(pool: &PgPool, id: i64, limit: i64) -> Result<Vec<HealthChange>, Error> {
    let rows: Vec<Raw> = sqlx::query_as(
        "select id, operator_id, previous, state, reason, connector_id,
                (extract(epoch from at) * 1000000)::bigint as at
         from ops.operator_health_log where id > $1 order by id limit $2",
    )
    .bind(id)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// What of the log is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Up to this id changes were dropped; 0 where none was.
    pub dropped_through: i64,
    /// The newest change; 0 where there never was one.
    pub newest: i64,
}

/// How far the log reaches.
pub async fn extent(pool: &PgPool) -> Result<Extent, Error> {
    let (dropped_through, newest): (i64, i64) = sqlx::query_as(
        "select dropped_through, greatest(dropped_through, (select max(id) from ops.operator_health_log))
         from ops.operator_health_log_kept",
    )
    .fetch_one(pool)
    .await?;
    Ok(Extent { dropped_through, newest })
}

/// Makes the tables of the next months, drops those of months that ended more than some days ago, and answers with their
/// names.
pub async fn keep(pool: &PgPool, days: u16) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar("select ops.keep_health_log($1)").bind(i32::from(days)).fetch_all(pool).await?)
}
