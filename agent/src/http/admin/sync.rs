//! `/v1/admin/sync`: what the sync is doing, and a push to do it now.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bindery_schema::wire::api::SyncStatus;

use crate::http::bearer::Caller;
use crate::shared::Shared;
use crate::sync::trigger;

/// Applied and wanted commit, and why one is not applied.
pub(super) async fn status(State(shared): State<Shared>) -> Json<SyncStatus> {
    Json(shared.status.borrow().clone())
}

/// Has the branch fetched at once instead of at the next poll.
pub(super) async fn trigger(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> (StatusCode, Json<SyncStatus>) {
    tracing::info!(subject = ?caller.subject, roles = ?caller.roles, "a sync was asked for");
    trigger::pull(&shared, "admin").await;
    (StatusCode::ACCEPTED, status(State(shared)).await)
}
