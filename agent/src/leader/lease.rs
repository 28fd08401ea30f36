//! The lease: keeps two agents from doing the same work. Safety is [`super::fence`]'s business, not this one's.

use std::path::Path;
use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info_span;
use uuid::Uuid;

use super::fence::Fence;
use crate::failpoint::{self, Point};
use crate::store::postgres::{Error, leases};

/// Name of the lease of the sync.
const NAME: &str = "sync";
/// How long a lease outlives its last renewal: the time after which another agent takes over.
const TTL: Duration = Duration::from_secs(10);
/// How long a transaction may stay open without a word from its agent. One that was stopped in the middle of a step holds
/// the locks the next leader needs: they are free before its lease can be taken, which is no sooner than this after.
pub(crate) const SILENCE: Duration = Duration::from_secs(TTL.as_secs() / 2);
/// Time between two renewals, and between two attempts of a follower. Three may fail before the lease is gone.
const RENEW: Duration = Duration::from_secs(3);
/// Longest wait for one renewal.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who this agent is to others: a name drawn once and kept beside its clone, so that an agent that was killed takes
/// its own lease over at once when it is back.
pub fn holder(data_dir: &Path) -> std::io::Result<String> {
    let file = data_dir.join("agent-id");
    if let Ok(id) = std::fs::read_to_string(&file)
        && !id.trim().is_empty()
    {
        return Ok(id.trim().to_owned());
    }
    std::fs::create_dir_all(data_dir)?;
    let id = Uuid::now_v7().to_string();
    std::fs::write(&file, &id)?;
    Ok(id)
}

/// Takes the lease if nobody else has it; [`keep`] goes on from there.
pub async fn take(pool: &PgPool, holder: &str) -> Result<Option<Fence>, Error> {
    turn(pool, holder, None).await
}

/// Acquires the lease, renews it, and says in `leading` whether this agent has it. Gives it back at the end.
pub async fn keep(pool: PgPool, holder: String, leading: watch::Sender<Option<Fence>>, cancel: CancellationToken) {
    let mut renewed = tokio::time::Instant::now();
    loop {
        let now = *leading.borrow();
        let turn = tokio::time::timeout(PATIENCE, turn(&pool, &holder, now)).await;
        match turn {
            Ok(Ok(fence)) => {
                renewed = tokio::time::Instant::now();
                change(&leading, fence);
            }
            // Postgres is away. The lease stays as long as no one else can have taken it.
            Ok(Err(_)) | Err(_) if renewed.elapsed() > TTL => change(&leading, None),
            Ok(Err(error)) => tracing::warn!(%error, "the lease could not be renewed"),
            Err(_) => tracing::warn!("the lease could not be renewed in time"),
        }
        tokio::select! {
            () = cancel.cancelled() => break,
            () = tokio::time::sleep(RENEW) => {}
        }
    }
    let fence = *leading.borrow();
    if let Some(fence) = fence {
        let release = async { leases::release(&mut *pool.acquire().await?, NAME, fence.number()).await };
        if !matches!(tokio::time::timeout(PATIENCE, release).await, Ok(Ok(()))) {
            tracing::warn!("the lease could not be given back; it expires by itself");
        }
    }
}

async fn turn(pool: &PgPool, holder: &str, leading: Option<Fence>) -> Result<Option<Fence>, Error> {
    let mut connection = pool.acquire().await?;
    if let Some(fence) = leading
        && leases::renew(&mut connection, NAME, fence.number(), TTL).await?
    {
        failpoint::reach(Point::LeaseRenewed).await;
        end_silent(&mut connection, fence).await;
        return Ok(leading);
    }
    let acquired = leases::acquire(&mut connection, NAME, holder, TTL).await?.map(Fence::new);
    if let Some(fence) = acquired {
        failpoint::reach(Point::LeaseAcquired).await;
        end_silent(&mut connection, fence).await;
    }
    Ok(acquired)
}

/// Frees what a leader before this one holds that was stopped in the middle of a statement. The lease does not depend on it.
async fn end_silent(connection: &mut PgConnection, fence: Fence) {
    match leases::end_silent(connection, fence.number(), SILENCE).await {
        Ok(0) => {}
        Ok(sessions) => tracing::warn!(sessions, "ended sessions of a former leader that had fallen silent"),
        Err(error) => tracing::warn!(%error, "sessions of a former leader could not be looked for"),
    }
}

fn change(leading: &watch::Sender<Option<Fence>>, fence: Option<Fence>) {
    let changed = leading.send_if_modified(|current| {
        let changed = *current != fence;
        *current = fence;
        changed
    });
    if !changed {
        return;
    }
    let _span = info_span!("leader.change", bindery.leads = fence.is_some(), bindery.fence = fence.map(Fence::number))
        .entered();
    if let Some(fence) = fence {
        tracing::info!(fence = fence.number(), "this agent leads");
    } else {
        tracing::info!("this agent no longer leads");
    }
}
