//! One step without a running agent, and a look at what it would do.
//!
//! The clone and the name as a lease holder lie in a folder of their own, so that an agent with the same data folder
//! neither loses its lease nor finds its clone changed.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bindery_schema::wire::api::SyncStatus;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::look::Look;
use super::reconcile::Reconciler;
use super::step::Outcome;
use crate::config::Config;
use crate::leader::fence::Fence;
use crate::leader::lease;
use crate::outbox::relay;
use crate::shared::Shared;
use crate::store::postgres::{self, outbox};

/// How long the step's events may take to be published. What is left the next agent publishes.
const PUBLISH: Duration = Duration::from_secs(30);
/// Time between two looks at what is left.
const LOOK: Duration = Duration::from_millis(100);

/// What a step would do. Writes to no store.
pub async fn preview(config: Config) -> anyhow::Result<Look> {
    let (_lead, leading) = watch::channel(None);
    let (shared, mut reconciler) = Box::pin(open(config, leading)).await?;
    let look = reconciler.preview().await;
    shared.stores.close().await;
    look.context("the branch cannot be compared with the stores")
}

/// Takes one step with all that belongs to it, its events included.
pub async fn step(config: Config) -> anyhow::Result<(Outcome, SyncStatus)> {
    // A lease is needed to lead, and the lease needs connections.
    let (lead, leading) = watch::channel(None);
    let (shared, mut reconciler) = Box::pin(open(config, leading)).await?;
    let result = lead_one(&shared, &mut reconciler, lead).await;
    let status = shared.status.borrow().clone();
    shared.stores.close().await;
    Ok((result?, status))
}

async fn lead_one(
    shared: &Shared,
    reconciler: &mut Reconciler,
    lead: watch::Sender<Option<Fence>>,
) -> anyhow::Result<Outcome> {
    postgres::migrate(&shared.config.postgres).await.context("the tables cannot be brought up to date")?;
    let (pool, holder) = (shared.stores.postgres.clone(), lease::holder(&shared.config.data_dir)?);
    let Some(fence) = lease::take(&pool, &holder).await? else {
        bail!("another agent leads and applies by itself; `bindery-agent trigger` has it look at once");
    };
    lead.send_replace(Some(fence));
    let stop = CancellationToken::new();
    let lease = tokio::spawn(lease::keep(pool, holder, lead, stop.clone()));
    let outcome = reconciler.step(fence).await.context("the step failed");
    if outcome.is_ok() {
        publish(shared).await;
    }
    stop.cancel();
    lease.await?;
    outcome
}

/// Publishes what is owed, as far as NATS takes it.
async fn publish(shared: &Shared) {
    let stop = CancellationToken::new();
    let relay = tokio::spawn(relay::run(shared.clone(), stop.clone()));
    let all = async {
        while outbox::count(&shared.stores.postgres).await.is_ok_and(|owed| owed > 0) {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(PUBLISH, all).await.is_err() {
        tracing::warn!("events are still owed; the next agent publishes them");
    }
    stop.cancel();
    if let Err(error) = relay.await {
        tracing::warn!(%error, "the relay failed");
    }
}

async fn open(mut config: Config, leading: watch::Receiver<Option<Fence>>) -> anyhow::Result<(Shared, Reconciler)> {
    config.data_dir = config.data_dir.join("once");
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("{} cannot be made", config.data_dir.display()))?;
    let (shared, publisher) = Shared::connect(config, leading).await?;
    Ok((shared.clone(), Reconciler::new(shared, publisher)))
}
