//! Health of operators: from Redis, else from the agents, else what was last known, and it tells which.
//!
//! [`Health::get`] asks for one operator, now. [`Health::states`] is what lookups use: the states of all operators of the
//! table as events and regular looks ([`board`]) keep them, read without waiting for anything.

pub(crate) mod board;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::HealthView;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::agent::{Agents, Failure};
use crate::config;
use crate::error::{Error, Outage};
use crate::metrics::Metrics;

use board::Board;
pub use board::States;

/// Longest wait for Redis: there is another source.
const REDIS: Duration = Duration::from_millis(500);

/// An operator's health with where it is from.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The state and what it rests on.
    pub view: HealthView,
    /// Who said so.
    pub source: Source,
}

/// Where a state is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Redis, at most a minute old.
    Redis,
    /// An agent: Redis is away or has no state of the operator.
    Agent,
    /// Memory: neither Redis nor an agent answers.
    LastKnown {
        /// How long ago it was read.
        age: Duration,
    },
    /// Nobody answers, and it was never known.
    Nobody,
}

/// Health of operators.
#[derive(Debug)]
pub struct Health {
    agents: Arc<Agents>,
    metrics: Arc<Metrics>,
    redis: Option<Redis>,
    pub(crate) board: Board,
}

impl Health {
    pub(crate) fn new(
        agents: Arc<Agents>,
        metrics: Arc<Metrics>,
        config: Option<&config::Redis>,
    ) -> Result<Self, Error> {
        let redis = config.map(Redis::new).transpose().map_err(Error::Redis)?;
        Ok(Self { agents, metrics, redis, board: Board::default() })
    }

    /// An operator's health.
    pub async fn get(&self, operator: &OperatorId) -> Known {
        if let Some(view) = self.ask_redis(operator).await {
            self.metrics.health_redis.add_one();
            self.board.remember(operator, &view, Instant::now());
            return Known { view, source: Source::Redis };
        }
        if let Ok(view) = self.ask_agent(operator).await {
            self.metrics.health_agent.add_one();
            self.board.remember(operator, &view, Instant::now());
            return Known { view, source: Source::Agent };
        }
        if let Some((view, at)) = self.board.remembered(operator) {
            self.metrics.health_last_known.add_one();
            return Known { view, source: Source::LastKnown { age: at.elapsed() } };
        }
        self.metrics.health_never_known.add_one();
        Known { view: HealthView::unheard(), source: Source::Nobody }
    }

    /// The states of all operators that were ever heard of, for lookups.
    pub fn states(&self) -> Arc<States> {
        self.board.states()
    }

    async fn ask_redis(&self, operator: &OperatorId) -> Option<HealthView> {
        let redis = self.redis.as_ref()?;
        redis.read(std::slice::from_ref(operator)).await?.pop().flatten()
    }

    async fn ask_agent(&self, operator: &OperatorId) -> Result<HealthView, Failure> {
        let response = self.agents.get(&format!("/v1/internal/operators/{operator}/health")).await?;
        response.json().await.map_err(|_| Failure::Outage(Outage::Agent))
    }
}

/// The cache.
struct Redis {
    connection: ConnectionManager,
    prefix: String,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Redis {
    /// A connection that is opened when it is first needed, and again when it is lost.
    fn new(config: &config::Redis) -> Result<Self, redis::RedisError> {
        let settings = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(REDIS))
            .set_response_timeout(Some(REDIS));
        let client = redis::Client::open(config.url.expose())?;
        let connection = ConnectionManager::new_lazy_with_config(client, settings)?;
        Ok(Self { connection, prefix: config.key_prefix.clone() })
    }

    /// The states shown for operators; nothing where Redis is away, which is not the same as none shown.
    async fn read(&self, operators: &[OperatorId]) -> Option<Vec<Option<HealthView>>> {
        let mut command = redis::cmd("MGET");
        for operator in operators {
            command.arg(format!("{}ops:health:{operator}", self.prefix));
        }
        let mut connection = self.connection.clone();
        let read = command.query_async::<Vec<Option<String>>>(&mut connection);
        let texts = tokio::time::timeout(2 * REDIS, read).await.ok()?.ok()?;
        Some(texts.into_iter().map(|text| serde_json::from_str(&text?).ok()).collect())
    }
}
