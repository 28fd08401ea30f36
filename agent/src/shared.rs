//! What every part of a running agent has at hand.

use std::sync::Arc;

use bindery_schema::wire::api::SyncStatus;
use tokio::sync::{Notify, watch};

use crate::config::Config;
use crate::drift::requests::Requests;
use crate::health::feed::Feed;
use crate::leader::fence::Fence;
use crate::metrics::Metrics;
use crate::store::Stores;
use crate::sync::remote;
use crate::sync::status::Publisher;
use crate::sync::trigger::Woken;
use crate::write::Writer;

/// Handles to the configuration, the stores and the state of the sync. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared {
    /// What the agent was told.
    pub config: Arc<Config>,
    /// The four stores.
    pub stores: Stores,
    /// The metric families.
    pub metrics: Arc<Metrics>,
    /// What the sync is doing.
    pub status: watch::Receiver<SyncStatus>,
    /// Wakes the sync: a fetch at once instead of at the next poll.
    pub trigger: Arc<Notify>,
    /// Who did so last.
    pub woken: Arc<Woken>,
    /// Wakes the relay: an event was written to the outbox.
    pub relay: Arc<Notify>,
    /// Makes changes of the configuration.
    pub writer: Writer,
    /// Full looks at the stores: asked for here, reported here.
    pub drift: Arc<Requests>,
    /// Changes of health as they are written, whoever leads.
    pub feed: Arc<Feed>,
    /// The fencing number of this agent while it leads; `None` while it follows.
    pub leading: watch::Receiver<Option<Fence>>,
}

impl Shared {
    /// Handles for an agent that has just started, and the one writer of its status. Stores that are down are used once
    /// they are up; only a configuration that cannot be used is an error.
    pub async fn connect(config: Config, leading: watch::Receiver<Option<Fence>>) -> anyhow::Result<(Self, Publisher)> {
        // Only the first call in a process counts, and another provider that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        remote::prepare(&config.repository)?;
        let metrics = Arc::new(Metrics::default());
        let stores = Stores::connect(&config, &metrics).await?;
        let (publisher, status) = Publisher::new(metrics.clone());
        let shared = Self {
            drift: Arc::new(Requests::new(config.drift.every())),
            writer: Writer::default(),
            config: Arc::new(config),
            stores,
            metrics,
            status,
            trigger: Arc::new(Notify::new()),
            woken: Arc::default(),
            relay: Arc::new(Notify::new()),
            feed: Arc::default(),
            leading,
        };
        Ok((shared, publisher))
    }
}
