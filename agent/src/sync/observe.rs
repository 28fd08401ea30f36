//! Reads what Postgres holds into [`Live`]: hashes of everything, content only where a hash differs.

use bindery_compiler::plan;
use bindery_schema::catalog::Catalog;
use bindery_schema::live::Live;
use jiff::Timestamp;
use sqlx::PgPool;

use crate::store::postgres::{self, Error, sync_state};

/// The stores' state, and the step it belongs to. Read in one snapshot, so that nothing is seen half written.
#[tracing::instrument(name = "sync.observe", skip_all, err(level = "debug"))]
pub async fn observe(pool: &PgPool, catalog: &Catalog, now: Timestamp) -> Result<(Live, sync_state::SyncState), Error> {
    let mut snapshot = postgres::read::snapshot(pool).await?;
    let state = sync_state::read(&mut snapshot).await?;
    let mnos = postgres::carriers::observe(&mut snapshot).await?;
    let operators = postgres::operators::observe(&mut snapshot).await?;
    let mut live = Live { mnos, operators };
    let wanted = plan::to_observe(catalog, &live, now);
    for (id, detail) in postgres::carriers::details(&mut snapshot, &wanted.mnos).await? {
        if let Some(mno) = live.mnos.get_mut(&id) {
            mno.detail = Some(detail);
        }
    }
    for (id, detail) in postgres::operators::details(&mut snapshot, &wanted.operators).await? {
        if let Some(operator) = live.operators.get_mut(&id) {
            operator.detail = Some(Box::new(detail));
        }
    }
    snapshot.commit().await?;
    Ok((live, state))
}
