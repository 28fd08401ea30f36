//! Wires an agent together and takes it apart in order.

use std::time::Duration;

use backon::Retryable as _;
use bindery_schema::wire::api::SyncStatus;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backoff;
use crate::config::Config;
use crate::health::{feed, ingest};
use crate::http;
use crate::leader::lease;
use crate::outbox::relay;
use crate::retention;
use crate::shared::Shared;
use crate::store::postgres;
use crate::sync::reconcile::Reconciler;
use crate::sync::{project, schedule, trigger};

/// Longest wait for the parts to end once they are told to; longer than any of them gives itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running agent. Dropping it ends it as a crash would; [`Agent::shutdown`] is the orderly end.
pub struct Agent {
    shared: Shared,
    /// Everything but the lease, which is given back only when nothing needs it any more.
    parts: JoinSet<&'static str>,
    stop: CancellationToken,
    lease: JoinSet<()>,
    stop_lease: CancellationToken,
    listeners: http::Listeners,
}

impl Agent {
    /// Starts every part. Stores that are down are waited for in the background; only a configuration that cannot be
    /// used is an error.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let holder = lease::holder(&config.data_dir)?;
        let (lead, leading) = watch::channel(None);
        let (shared, publisher) = Box::pin(Shared::connect(config, leading)).await?;
        let stop = CancellationToken::new();
        // Before anything is written: an agent that cannot serve is better not started.
        let listeners = http::serve(shared.clone(), stop.clone()).await?;
        let mut agent = Self {
            shared: shared.clone(),
            parts: JoinSet::new(),
            stop,
            lease: JoinSet::new(),
            stop_lease: CancellationToken::new(),
            listeners,
        };
        let (prepared, stop) = (shared.clone(), agent.stop_lease.clone());
        agent.lease.spawn(async move {
            if prepare(&prepared, &stop).await {
                lease::keep(prepared.stores.postgres, holder, lead, stop).await;
            }
        });
        let reconciler = Reconciler::new(shared, publisher);
        agent.spawn("sync", |shared, stop| schedule::run(reconciler, shared, stop));
        agent.spawn("triggers", trigger::listen);
        agent.spawn("other agents", trigger::hear);
        agent.spawn("relay", relay::run);
        agent.spawn("projection", project::keep);
        agent.spawn("vault token", renew_token);
        agent.spawn("health", ingest::run);
        agent.spawn("health feed", feed::run);
        agent.spawn("retention", retention::run);
        Ok(agent)
    }

    /// Handles to the agent's state.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Where the agent listens.
    pub fn listeners(&self) -> &http::Listeners {
        &self.listeners
    }

    /// What the sync is doing.
    pub fn status(&self) -> watch::Receiver<SyncStatus> {
        self.shared.status.clone()
    }

    /// Starts a part that ends when the token is cancelled.
    pub fn spawn<F>(&mut self, name: &'static str, part: impl FnOnce(Shared, CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let part = part(self.shared.clone(), self.stop.clone());
        self.parts.spawn(async move {
            part.await;
            name
        });
    }

    /// Returns when a part ends by itself, which none should.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.parts.join_next().await {
            Some(Ok(name)) => anyhow::anyhow!("the part `{name}` ended by itself"),
            Some(Err(error)) => anyhow::Error::new(error).context("a part of the agent failed"),
            None => anyhow::anyhow!("the agent has no parts"),
        }
    }

    /// Stops the parts, lets a step under way come to its end, gives the lease back, closes the connections.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(PATIENCE, async { while self.parts.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("a part of the agent did not end in time");
            self.parts.shutdown().await;
        }
        self.listeners.ended().await;
        self.stop_lease.cancel();
        if tokio::time::timeout(PATIENCE, self.lease.join_next()).await.is_err() {
            self.lease.shutdown().await;
        }
        self.shared.stores.close().await;
        tracing::info!("stopped");
    }
}

/// Brings the tables up to date, for as long as it takes; `false` when told to stop before.
async fn prepare(shared: &Shared, stop: &CancellationToken) -> bool {
    let delays = backoff::between(Duration::from_secs(1), Duration::from_secs(5));
    let migrate = (|| postgres::migrate(&shared.config.postgres)).retry(delays).notify(|error, after| {
        tracing::warn!(error = error as &dyn std::error::Error, ?after, "the tables cannot be brought up to date yet");
    });
    let ready = tokio::select! {
        result = migrate => result.is_ok(),
        () = stop.cancelled() => false,
    };
    if ready && postgres::roles::may_change_audit(&shared.stores.postgres).await.unwrap_or(false) {
        tracing::warn!("the agent's role could change the audit trail: give it one of its own (postgres.migrate_url)");
    }
    ready
}

/// Renews Vault's token at half its life.
async fn renew_token(shared: Shared, stop: CancellationToken) {
    const NEVER_EXPIRES: Duration = Duration::from_secs(3600);
    const AGAIN: Duration = Duration::from_secs(10);
    loop {
        let next = match shared.stores.vault.renew_token().await {
            Ok(Some(life)) => (life / 2).max(Duration::from_secs(1)),
            Ok(None) => NEVER_EXPIRES,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the token for Vault could not be renewed");
                AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(next) => {}
        }
    }
}
