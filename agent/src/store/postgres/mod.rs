//! Postgres: one module a table group, and SQL nowhere else.

pub mod health;
pub mod read;

use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config;

/// Longest wait for a free connection, a new one included.
const ACQUIRE: Duration = Duration::from_secs(5);

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
