//! What the APIs read of the applied configuration.

use bindery_schema::operator::{OperatorSpec, Status};
use bindery_schema::value::{Instant, MnoId, OperatorId};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, PgPool, PgTransaction};

use super::{Error, instant, parse};

const OPERATORS: &str = "ops.operators";

/// An operator's row.
#[derive(Debug, Clone)]
pub struct OperatorRow {
    /// The operator.
    pub id: OperatorId,
    /// Its carrier.
    pub mno: MnoId,
    /// As applied, without the sealed password.
    pub spec: OperatorSpec,
    /// Hash of the spec that was applied.
    pub spec_hash: String,
    /// The commit that last changed it.
    pub commit: String,
    /// When it came into being.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// When it was deleted.
    pub deleted_at: Option<Instant>,
}

#[derive(FromRow)]
struct Raw {
    id: String,
    mno_id: String,
    spec: Json<OperatorSpec>,
    spec_hash: String,
    source_commit: String,
    created: i64,
    updated: i64,
    deleted: Option<i64>,
}

impl TryFrom<Raw> for OperatorRow {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self, Error> {
        Ok(Self {
            id: parse(OPERATORS, &raw.id)?,
            mno: parse(OPERATORS, &raw.mno_id)?,
            spec: raw.spec.0.without_sealed(),
            spec_hash: raw.spec_hash,
            commit: raw.source_commit,
            created_at: instant(raw.created),
            updated_at: instant(raw.updated),
            deleted_at: raw.deleted.map(instant),
        })
    }
}

/// Begins a transaction that sees one state of the tables throughout. It holds no lock that a leader waits for, so it may
/// take as long as a slow client does.
pub async fn snapshot(pool: &PgPool) -> Result<PgTransaction<'static>, Error> {
    let mut snapshot = pool.begin_with("begin isolation level repeatable read, read only").await?;
    sqlx::query("set local idle_in_transaction_session_timeout = 0").execute(&mut *snapshot).await?;
    Ok(snapshot)
}

/// An operator, deleted or not.
pub async fn operator(connection: &mut PgConnection, id: &OperatorId) -> Result<Option<OperatorRow>, Error> {
    let found: Option<Raw> = sqlx::query_as(
        "select id, mno_id, spec, spec_hash, source_commit,
                (extract(epoch from created_at) * 1000000)::bigint as created,
                (extract(epoch from updated_at) * 1000000)::bigint as updated,
                (extract(epoch from deleted_at) * 1000000)::bigint as deleted
         from ops.operators where id = $1",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    found.map(TryInto::try_into).transpose()
}

/// Which operators a page holds.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Ids after this one.
    pub after: String,
    /// Of this carrier only.
    pub mno: Option<String>,
    /// Of carriers in this country only: its ISO code.
    pub country: Option<String>,
    /// With this status only.
    pub status: Option<Status>,
    /// With this text in id, name, host or systemId only, in capitals or not.
    pub text: Option<String>,
    /// Deleted ones too.
    pub deleted: bool,
    /// At most so many.
    pub limit: i64,
}

/// Operators by id.
pub async fn operators(connection: &mut PgConnection, page: &Selection) -> Result<Vec<OperatorRow>, Error> {
    let found: Vec<Raw> = sqlx::query_as(
        r#"select id, mno_id, spec, spec_hash, source_commit,
                  (extract(epoch from created_at) * 1000000)::bigint as created,
                  (extract(epoch from updated_at) * 1000000)::bigint as updated,
                  (extract(epoch from deleted_at) * 1000000)::bigint as deleted
           from ops.operators
           where id collate "C" > $1 and ($2::text is null or mno_id = $2) and ($3 or deleted_at is null)
               and ($5::text is null or status = $5)
               and ($6::text is null or mno_id in (select id from ops.mnos where country = $6))
               and ($7::text is null
                    or position(lower($7) in lower(concat_ws(E'\n', id, display_name, host, system_id))) > 0)
           order by id collate "C" limit $4"#,
    )
    .bind(&page.after)
    .bind(&page.mno)
    .bind(page.deleted)
    .bind(page.limit)
    .bind(page.status.map(Status::as_str))
    .bind(&page.country)
    .bind(&page.text)
    .fetch_all(connection)
    .await?;
    found.into_iter().map(TryInto::try_into).collect()
}

/// Id of the first active operator, for an example; none where there is none.
pub async fn any_operator(pool: &PgPool) -> Result<Option<String>, Error> {
    let first = "select id from ops.operators where deleted_at is null and status = 'ACTIVE' order by id limit 1";
    Ok(sqlx::query_scalar(first).fetch_optional(pool).await?)
}

/// Whether an operator exists and is not deleted.
pub async fn exists(pool: &PgPool, id: &OperatorId) -> Result<bool, Error> {
    let query = sqlx::query_scalar("select exists (select from ops.operators where id = $1 and deleted_at is null)");
    Ok(query.bind(id.as_str()).fetch_one(pool).await?)
}

/// Whether Postgres answers.
pub async fn ping(pool: &PgPool) -> Result<(), Error> {
    sqlx::query("select 1").execute(pool).await?;
    Ok(())
}
