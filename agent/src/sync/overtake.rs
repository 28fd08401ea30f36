//! A cache that shows a step Postgres does not know: Postgres was restored from a backup.
//!
//! Writing the older step over it is what the cache's script refuses, and rightly: from the cache alone an agent cannot
//! tell a restored database from its own being out of date. Postgres can: whoever holds the fence there knows the newest
//! step there is. Under it the number of the applied step is moved past the one the cache shows. So no number is used
//! twice, the cache takes the next filling as the newer one, and clients that remember a number see a larger one.

use bindery_schema::wire::projection::CatalogProjection;
use jiff::Timestamp;
use serde_json::json;

use super::project::{self, Error};
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::shared::Shared;
use crate::store::postgres::{audit, sync_state};

/// Steps by which a cache may be ahead and be believed: a century of steps, one a minute. What is further ahead was
/// never counted, and its key is removed.
const BELIEVED: i64 = 50_000_000;

/// Goes past the cache where it is ahead of Postgres, and fills it anew.
#[tracing::instrument(name = "redis.overtake", skip_all, err(level = "debug"))]
pub async fn overtake(shared: &Shared, fence: Fence, now: Timestamp) -> Result<(), Error> {
    let stores = &shared.stores;
    let mut transaction = stores.postgres.begin().await?;
    fence.hold(&mut transaction).await?;
    // Both are read again: until the lock was taken, a step may have been applied and shown.
    let before = sync_state::read(&mut transaction).await?;
    let Some(applied) = before.applied() else { return Ok(()) };
    let shown = stores.redis.catalog().await?;
    let ahead = |shown: &CatalogProjection| shown.generation >= applied.generation && !project::shows(shown, &applied);
    let Some(shown) = shown.filter(ahead) else { return Ok(()) };
    if shown.generation - applied.generation > BELIEVED {
        stores.redis.forget_catalog(&shown).await?;
    } else {
        let after = sync_state::lift(&mut transaction, shown.generation).await?;
        let entry = audit::Entry {
            action: "sync.overtake".to_owned(),
            object: format!("commit/{}", applied.commit),
            detail: json!({ "before": applied.generation, "after": after.generation, "cache": shown }),
        };
        let (commit, generation) = (Some(applied.commit.as_str()), Some(after.generation));
        let cause = audit::Cause { commit, generation, ..audit::Cause::agent() };
        audit::append(&mut transaction, cause, &[entry]).await?;
        tracing::warn!(
            before = applied.generation,
            after = after.generation,
            "Redis shows a step that Postgres does not know, as after a restore: the numbers go on after it"
        );
    }
    failpoint::reach(Point::Lifted).await;
    transaction.commit().await?;
    failpoint::reach(Point::Overtaken).await;
    // The step's number may be another one now.
    shared.trigger.notify_one();
    project::refill(stores, now).await
}
