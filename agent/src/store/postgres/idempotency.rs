//! `ops.idempotency_keys`: answers to calls that may be sent again.

use serde_json::Value;
use sqlx::PgConnection;

use super::Error;

/// How long a call may be under way before it counts as lost.
const UNDER_WAY_SECONDS: f64 = 60.0;

/// What is known of a key.
#[derive(Debug)]
pub struct Row {
    /// Digest of the request it came with.
    pub request: String,
    /// Status, headers and body of the answer.
    pub answer: Option<(i32, Value, Value)>,
    /// Whether the call may still be under way.
    pub is_recent: bool,
}

/// Notes a key; `false` where it is known.
pub async fn begin(connection: &mut PgConnection, key: &str, request: &str) -> Result<bool, Error> {
    let insert = "insert into ops.idempotency_keys (key, request) values ($1, $2) on conflict (key) do nothing";
    let noted = sqlx::query(insert).bind(key).bind(request).execute(connection).await?;
    Ok(noted.rows_affected() == 1)
}

/// What is known of a key.
pub async fn read(connection: &mut PgConnection, key: &str) -> Result<Option<Row>, Error> {
    type Raw = (String, Option<i32>, Option<Value>, Option<Value>, bool);
    let row: Option<Raw> = sqlx::query_as(
        "select request, status, headers, body, created_at > now() - make_interval(secs => $2)
         from ops.idempotency_keys where key = $1",
    )
    .bind(key)
    .bind(UNDER_WAY_SECONDS)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(request, status, headers, body, is_recent)| Row {
        request,
        answer: status.map(|status| (status, headers.unwrap_or_default(), body.unwrap_or_default())),
        is_recent,
    }))
}

/// Begins a call anew whose first attempt is lost.
pub async fn renew(connection: &mut PgConnection, key: &str) -> Result<(), Error> {
    sqlx::query("update ops.idempotency_keys set created_at = now() where key = $1")
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps the answer to a key.
pub async fn end(
    connection: &mut PgConnection,
    key: &str,
    status: i32,
    headers: &Value,
    body: &Value,
) -> Result<(), Error> {
    sqlx::query("update ops.idempotency_keys set status = $2, headers = $3, body = $4 where key = $1")
        .bind(key)
        .bind(status)
        .bind(headers)
        .bind(body)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets a key whose call came to nothing.
pub async fn forget(connection: &mut PgConnection, key: &str) -> Result<(), Error> {
    sqlx::query("delete from ops.idempotency_keys where key = $1").bind(key).execute(connection).await?;
    Ok(())
}
