//! The four stores, and the one with documents that is only looked into. Each module owns the form its store is written in;
//! nothing outside knows SQL, paths or keys.

pub mod breaker;
pub mod documents;
pub mod nats;
pub mod postgres;
pub mod redis;
pub mod vault;

use std::sync::Arc;

use sqlx::PgPool;

use crate::config::{self, Config};
use crate::metrics::Metrics;
pub use nats::Nats;
pub use redis::Redis;
pub use vault::Vault;

/// Why the stores cannot be used at all. An outage is none of these: it is waited for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured address of Postgres cannot be used.
    #[error("the configured address of Postgres cannot be used")]
    Postgres,
    /// A file of the configuration cannot be used.
    #[error(transparent)]
    File(#[from] config::ReadError),
    /// See [`vault::Error`].
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// See [`redis::Error`].
    #[error(transparent)]
    Redis(#[from] redis::Error),
    /// See [`nats::Error`].
    #[error(transparent)]
    Nats(#[from] nats::Error),
}

/// Connections to the four stores. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stores {
    /// Configuration as applied, runtime facts, the outbox.
    pub postgres: PgPool,
    /// Passwords.
    pub vault: Vault,
    /// The cache.
    pub redis: Redis,
    /// Events and signals.
    pub nats: Nats,
}

impl Stores {
    /// Sets up the four connections. None is awaited: a store that is down is used once it is up.
    pub async fn connect(config: &Config, metrics: &Arc<Metrics>) -> Result<Self, Error> {
        Ok(Self {
            postgres: postgres::pool(&config.postgres)?,
            vault: Vault::new(&config.vault, metrics.clone())?,
            redis: Redis::new(&config.redis)?,
            nats: Nats::connect(&config.nats).await?,
        })
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.nats.close().await;
        self.postgres.close().await;
    }
}
