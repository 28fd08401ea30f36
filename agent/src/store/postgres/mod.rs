//! Postgres: one module a table group, and SQL nowhere else.
//!
//! Functions take a connection, never the pool, wherever what they do may be part of a transaction. Instants travel as
//! microseconds since the epoch, days and amounts as text: both are exact.

pub mod audit;
pub mod carriers;
pub mod control;
pub mod full;
pub mod health;
pub mod health_log;
pub mod idempotency;
pub mod intents;
pub mod leases;
pub mod operators;
pub mod outbox;
pub mod read;
pub mod retention;
pub mod roles;
pub mod routing;
pub mod rules;
pub mod runs;
pub mod sync_state;
pub mod turns;
pub mod wake;

use std::str::FromStr;

use bindery_schema::secret::Secret;
use bindery_schema::value::Instant;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};

use crate::config::{self, SecretSource};
use crate::leader::lease;

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
pub fn pool(config: &config::Postgres) -> Result<PgPool, super::Error> {
    let options = options(config, &config.url, config.password.as_ref())?;
    let pool = PgPoolOptions::new().max_connections(config.max_connections).acquire_timeout(config.acquire());
    Ok(pool.connect_lazy_with(options))
}

/// How to connect as the role of an address, with the password that goes with it where the address has none.
fn options(
    config: &config::Postgres,
    url: &Secret,
    password: Option<&SecretSource>,
) -> Result<PgConnectOptions, super::Error> {
    let url = url.expose();
    let options = PgConnectOptions::from_str(url).map_err(|_| super::Error::Postgres)?;
    let mut options = options.application_name("bindery-agent").options([
        ("statement_timeout", format!("{}ms", config.statement().as_millis()).as_str()),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", format!("{}ms", lease::SILENCE.as_millis()).as_str()),
    ]);
    if let Some(password) = password {
        options = options.password(password.read()?.expose());
    }
    // Read here only to say at the start what is missing.
    config.tls.read()?;
    if let Some(ca) = &config.tls.ca {
        options = options.ssl_root_cert(ca);
        if !url.contains("sslmode=") && !url.contains("ssl-mode=") {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
    }
    if let (Some(cert), Some(key)) = (&config.tls.cert, &config.tls.key) {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    Ok(options)
}

/// Creates or changes the tables to what this version needs, and where a role of its own does that, gives the role the
/// agent runs as its rights.
pub async fn migrate(config: &config::Postgres) -> Result<(), sqlx::migrate::MigrateError> {
    let unusable = |error: super::Error| sqlx::Error::Configuration(Box::new(error));
    let role = options(config, &config.url, config.password.as_ref()).map_err(unusable)?;
    let owner = match &config.migrate_url {
        Some(url) => options(config, url, None).map_err(unusable)?,
        None => role.clone(),
    };
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(config.acquire()).connect_lazy_with(owner);
    sqlx::migrate!("./migrations").run(&pool).await?;
    if config.migrate_url.is_some() {
        roles::grant(&pool, role.get_username()).await?;
    }
    pool.close().await;
    Ok(())
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
