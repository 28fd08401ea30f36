//! `GET /v1/internal/routing-table/changes?since=GENERATION`: what clients need to get from a step to the newest.
//!
//! The answer says of each operator and prefix that changed in between what is true of it now, so it may be applied twice,
//! and a client that missed any number of steps asks once. Where the changes are not known any more, or are more than is
//! worth sending one by one, the answer is 410 and the client reads the table anew.

use axum::Json;
use axum::extract::State;
use bindery_schema::wire::routing::RoutingChanges;
use serde::Deserialize;

use super::super::Internal;
use crate::http::error::{Code, Problem};
use crate::http::params::Params;
use crate::store::postgres::{read, routing, sync_state};

/// Most changes of an answer: beyond them the packed table is smaller and quicker to take in.
const MOST: i64 = 50_000;

#[derive(Debug, Deserialize)]
pub(in super::super) struct Since {
    since: i64,
}

/// The changes after a step.
#[tracing::instrument(name = "routing_table.changes", skip_all)]
pub(in super::super) async fn changes(
    State(internal): State<Internal>,
    Params(Since { since }): Params<Since>,
) -> Result<Json<RoutingChanges>, Problem> {
    let mut snapshot = read::snapshot(&internal.shared.stores.postgres).await?;
    let step = sync_state::read(&mut snapshot).await?;
    let gone = |detail: &str| Problem::new(Code::ChangesGone).detail(detail);
    if since > step.generation {
        return Err(gone("that step was never applied here: read the table anew"));
    }
    if since < routing::changes_from(&mut snapshot).await? {
        return Err(gone("the changes since that step are not kept any more: read the table anew"));
    }
    let changes = routing::changes(&mut snapshot, since, MOST + 1).await?;
    snapshot.commit().await?;
    if changes.len() > usize::try_from(MOST).unwrap_or(usize::MAX) {
        return Err(gone("too much has changed since that step: read the table anew"));
    }
    Ok(Json(RoutingChanges { since, generation: step.generation, commit: step.commit, changes }))
}
