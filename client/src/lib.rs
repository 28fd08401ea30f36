//! What services of the platform link to use what bindery applies.
//!
//! - [`credentials`]: what smpp-connector binds with, over mutual TLS, remembered in memory for when agents or Vault are away.
//! - [`health`]: the state of operators from Redis, else from the agents, else as last known, and which of them it was.
//! - [`routing`] and [`table`]: the routing table, read once, followed by events, and looked up without a lock.
//! - [`watch`]: what changes, as it changes.
//! - [`metrics`]: a counter for each fallback.
//!
//! ```no_run
//! use bindery_client::config::{Config, Nats, Redis, Tls};
//! use bindery_client::credentials::Freshness;
//! use bindery_client::{Client, share_key};
//! use bindery_schema::value::E164Prefix;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let tls = Tls { ca: "ca.pem".into(), certificate: "client.pem".into(), key: "client.key".into() };
//! let mut config = Config::new("https://bindery.example:8443", tls);
//! config.nats = Some(Nats::at("tls://nats.example:4222"));
//! config.redis = Some(Redis::at("rediss://redis.example:6379/"));
//! let client = Client::start(config).await?;
//!
//! // A routing engine: wait for the first table once, then decide for each message.
//! client.routing().ready().await;
//! let table = client.routing().table();
//! let number = E164Prefix::from_digits("93791234567").ok_or("no number")?;
//! let decision = table.route(number, share_key(b"message-4711"), &*client.health().states());
//! match decision.route {
//!     Some(route) => println!("to {} by {}", route.operator, route.prefix),
//!     None if decision.skipped.is_empty() => println!("nobody serves the number"),
//!     None => println!("nobody who serves the number takes traffic: {:?}", decision.skipped),
//! }
//!
//! // A connector: credentials, stale rather than none.
//! let served = client.credentials().get(&"af-roshan-1".parse()?).await?;
//! if let Freshness::Stale { age, outage } = served.freshness {
//!     eprintln!("binding with credentials that are {age:?} old: {outage}");
//! }
//! let password = served.credentials.password.expose();
//! # let _ = password;
//! client.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Starting waits for no server: what is away is waited for in the background. Deliberately absent: anything that changes
//! configuration, a copy of secrets or tables on disk, and randomness in a decision.

mod agent;
pub mod config;
pub mod credentials;
pub mod error;
pub mod health;
pub mod metrics;
pub mod routing;
pub mod table;
pub mod watch;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use agent::Agents;
use config::Config;
use credentials::Credentials;
use error::Error;
use health::Health;
use metrics::Metrics;
use routing::Routing;
pub use table::share_key;
use watch::{Events, Listeners, Watch};

/// Everything of bindery that a service uses. One for a process; share it in an [`Arc`].
#[derive(Debug)]
pub struct Client {
    listeners: Arc<Listeners>,
    tasks: JoinSet<()>,
    cancel: DropGuard,
}

impl Client {
    /// Starts the parts that are configured. Needs a Tokio runtime, on which they go on until the client is dropped.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::default());
        let agents = Arc::new(Agents::new(&config).await?);
        let credentials = Arc::new(Credentials::new(agents.clone(), metrics.clone(), config.credentials_fresh));
        let health = Arc::new(Health::new(agents.clone(), metrics.clone(), config.redis.as_ref())?);
        let routing = Arc::new(Routing::new(agents, metrics.clone()));
        let listeners = Arc::new(Listeners::new(routing.clone(), health.clone(), credentials, metrics));
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        if let Some(nats) = &config.nats {
            let events = Events::connect(nats).await?;
            tasks.spawn(events.run(listeners.clone(), cancel.clone()));
        }
        if config.routing {
            tasks.spawn(routing::follow::run(routing.clone(), config.table_every, cancel.clone()));
            tasks.spawn(health::board::run(health, routing, config.health_every, cancel.clone()));
        }
        Ok(Self { listeners, tasks, cancel: cancel.drop_guard() })
    }

    /// The routing table.
    pub fn routing(&self) -> &Routing {
        &self.listeners.routing
    }

    /// Credentials of operators.
    pub fn credentials(&self) -> &Credentials {
        &self.listeners.credentials
    }

    /// Health of operators.
    pub fn health(&self) -> &Health {
        &self.listeners.health
    }

    /// What changes from now on. Tells nothing where NATS is not configured.
    pub fn watch(&self) -> Watch {
        self.listeners.watch()
    }

    /// What was done so far.
    pub fn metrics(&self) -> &Metrics {
        &self.listeners.metrics
    }

    /// Ends what goes on in the background and wipes passwords that no caller holds.
    pub async fn shutdown(mut self) {
        drop(self.cancel);
        while self.tasks.join_next().await.is_some() {}
        self.listeners.credentials.forget_all();
    }
}
