//! Health of operators: from Redis, else from the agents, else what was last known, and it tells which.
//!
//! [`Health::get`] asks for one operator, now. [`Health::states`] is what lookups use: the states of all operators of the
//! table as events and regular looks ([`board`]) keep them, read without waiting for anything.

pub(crate) mod board;
mod cache;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::HealthView;

use crate::agent::{Agents, Failure};
use crate::config;
use crate::error::{Error, Outage};
use crate::metrics::Metrics;

use board::Board;
pub use board::States;
use cache::Cache;

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
    redis: Option<Cache>,
    pub(crate) board: Board,
}

impl Health {
    pub(crate) fn new(
        agents: Arc<Agents>,
        metrics: Arc<Metrics>,
        config: Option<&config::Redis>,
    ) -> Result<Self, Error> {
        let redis = config.map(Cache::new).transpose().map_err(Error::Redis)?;
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
