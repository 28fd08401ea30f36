//! `ops.leases`: who leads.

use std::time::Duration;

use sqlx::PgConnection;

use super::Error;

/// Takes a lease that is free, expired or one's own, and returns its new fencing number, which is larger than every
/// number that was given out before or stands in `ops.sync_state`. `None` while someone else holds it.
pub async fn acquire(
    connection: &mut PgConnection,
    name: &str,
    holder: &str,
    ttl: Duration,
) -> Result<Option<i64>, Error> {
    let fence = sqlx::query_scalar(
        "insert into ops.leases (name, holder, fence, expires_at)
         select $1, $2, s.fence + 1, now() + make_interval(secs => $3) from ops.sync_state s
         on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at,
             fence = greatest(leases.fence + 1, excluded.fence)
         where leases.expires_at < now() or leases.holder = excluded.holder
         returning fence",
    )
    .bind(name)
    .bind(holder)
    .bind(ttl.as_secs_f64())
    .fetch_optional(connection)
    .await?;
    Ok(fence)
}

/// Extends a lease; `false` where someone else has taken it.
pub async fn renew(connection: &mut PgConnection, name: &str, fence: i64, ttl: Duration) -> Result<bool, Error> {
    let renewed = sqlx::query(
        "update ops.leases set expires_at = now() + make_interval(secs => $3) where name = $1 and fence = $2",
    )
    .bind(name)
    .bind(fence)
    .bind(ttl.as_secs_f64())
    .execute(connection)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Gives a lease back before it expires.
pub async fn release(connection: &mut PgConnection, name: &str, fence: i64) -> Result<(), Error> {
    sqlx::query("update ops.leases set expires_at = '-infinity' where name = $1 and fence = $2")
        .bind(name)
        .bind(fence)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the sessions of leaders before this one that hold what a step needs and have sent nothing for a while in the
/// middle of a statement, and returns how many. A server that waits for the rest of a COPY heeds neither
/// `statement_timeout` nor `idle_in_transaction_session_timeout`: an agent that is stopped there would keep its locks for
/// as long as its connection stands. What it had not committed is undone; that is all that happens to it.
pub async fn end_silent(connection: &mut PgConnection, fence: i64, silence: Duration) -> Result<i64, Error> {
    let ended = sqlx::query_scalar(
        "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
         where datname = current_database() and usename = current_user
             and substring(application_name from '^bindery-agent fence ([0-9]{1,18})$')::bigint < $1
             and state = 'active' and wait_event = 'ClientRead'
             and state_change < clock_timestamp() - make_interval(secs => $2)",
    )
    .bind(fence)
    .bind(silence.as_secs_f64())
    .fetch_one(connection)
    .await?;
    Ok(ended)
}
