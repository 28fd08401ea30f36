//! `/v1/admin/sync`: what the sync is doing and did, what a guardrail holds, and a push to do it now.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bindery_schema::wire::api::{Page, SyncStatus};
use bindery_schema::wire::control::{HeldPlan, SyncRun};

use crate::http::bearer::Caller;
use crate::http::error::{Code, Problem};
use crate::http::page::{PageQuery, numbered};
use crate::http::params::Params;
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;
use crate::store::postgres::{control, runs};
use crate::sync::trigger;

const TAG: &str = "sync";

pub(super) fn routes() -> Vec<Route<Shared>> {
    vec![
        Route::get("/v1/admin/sync", status)
            .named(TAG, "getSync", "Applied and wanted commit, and why one is not applied")
            .needs(Permission::ReadSync)
            .answers::<SyncStatus>(200, "What the sync is doing."),
        Route::get("/v1/admin/sync/held", held)
            .named(TAG, "getHeldPlan", "The plan that a guardrail holds, in full")
            .needs(Permission::ReadSync)
            .answers::<HeldPlan>(200, "The plan.")
            .fails(&[Code::NothingHeld]),
        Route::get("/v1/admin/sync/runs", runs)
            .named(TAG, "listRuns", "What became of commits, newest first")
            .needs(Permission::ReadSync)
            .lists::<SyncRun>(),
        Route::post("/v1/admin/sync/trigger", trigger)
            .named(TAG, "triggerSync", "Have the branch fetched now")
            .needs(Permission::TriggerSync)
            .answers::<SyncStatus>(202, "It will be fetched."),
    ]
}

/// Applied and wanted commit, and why one is not applied.
pub(super) async fn status(State(shared): State<Shared>) -> Json<SyncStatus> {
    Json(shared.status.borrow().clone())
}

/// The plan a guardrail holds, in full.
pub(super) async fn held(State(shared): State<Shared>) -> Result<Json<HeldPlan>, Problem> {
    let held = control::held(&mut *shared.stores.postgres.acquire().await?).await?;
    held.map(Json).ok_or_else(|| Problem::new(Code::NothingHeld))
}

/// What became of commits, newest first.
pub(super) async fn runs(
    State(shared): State<Shared>,
    Params(page): Params<PageQuery>,
) -> Result<Json<Page<SyncRun>>, Problem> {
    let limit = page.limit()?;
    let runs = runs::page(&shared.stores.postgres, page.before()?, i64::from(limit) + 1).await?;
    Ok(Json(numbered(runs, limit, |run| run.id)))
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
