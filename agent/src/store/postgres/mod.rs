//! Postgres: one module a table group, and SQL nowhere else.
//!
//! Functions take a connection, never the pool, wherever what they do may be part of a transaction. Instants travel as
//! microseconds since the epoch, days and amounts as text: both are exact.

pub mod audit;
pub mod carriers;
pub mod full;
pub mod health;
pub mod intents;
pub mod leases;
pub mod operators;
pub mod outbox;
pub mod read;
pub mod rules;
pub mod runs;
pub mod sync_state;

use std::str::FromStr;
use std::time::Duration;

use bindery_schema::value::Instant;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config;

/// Longest wait for a free connection, a new one included.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Why Postgres did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server did not answer or refused.
    #[error("Postgres does not carry out what it is asked")]
    Failed(#[from] sqlx::Error),
    /// Another agent leads by now: see [`crate::leader::fence`].
    #[error("another agent leads by now")]
    Fenced,
    /// A row holds what this program never wrote.
    #[error("{table} holds a row that cannot be read: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Which value of which row.
        reason: String,
    },
}

/// A pool that opens connections when they are needed.
pub fn pool(config: &config::Postgres) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(config.url.expose())?
        .application_name("bindery-agent")
        // A statement that takes longer hangs on a lock or a lost server; the largest merge stays far below.
        .options([("statement_timeout", "120s"), ("lock_timeout", "10s")]);
    Ok(PgPoolOptions::new().max_connections(config.max_connections).acquire_timeout(ACQUIRE).connect_lazy_with(options))
}

/// Creates or changes the tables to what this version needs.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    sqlx::migrate!("./migrations").run(pool).await
}

/// Reads text of a column as a value.
fn parse<T: FromStr>(table: &'static str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Corrupt { table, reason: format!("`{text}`") })
}

/// Reads a column of microseconds since the epoch.
fn instant(micros: i64) -> Instant {
    Timestamp::from_microsecond(micros).unwrap_or_default().into()
}

/// A value as `jsonb`.
fn json_of(value: impl Serialize) -> serde_json::Value {
    // Plain data of the vocabulary: serialising it into memory does not fail.
    serde_json::to_value(value).unwrap_or_default()
}
