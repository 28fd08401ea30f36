//! What people and the console use. Bearer tokens; each group of routes needs a permission.

mod audit;
mod control;
mod drift;
mod operators;
mod rollback;
mod sync;

use std::sync::Arc;

use axum::routing::{delete, get, post};
use axum::{Router, middleware};

use super::bearer::{Guard, Tokens, authorize};
use super::jwks::KeySet;
use super::permissions::Permission;
use crate::shared::Shared;

/// The routes.
pub(super) fn router(shared: &Shared, keys: Arc<KeySet>) -> Router {
    let tokens = Tokens::new(&shared.config.admin, keys);
    let guarded = |permission: Permission, routes: Router<Shared>| {
        let guard = Guard { tokens: tokens.clone(), permission };
        routes.route_layer(middleware::from_fn_with_state(guard, authorize))
    };
    let sync = Router::new()
        .route("/v1/admin/sync", get(sync::status))
        .route("/v1/admin/sync/drift", get(drift::status))
        .route("/v1/admin/sync/held", get(sync::held))
        .route("/v1/admin/sync/runs", get(sync::runs));
    let trigger = Router::new()
        .route("/v1/admin/sync/trigger", post(sync::trigger))
        .route("/v1/admin/sync/drift", post(drift::ask));
    let pause = Router::new().route("/v1/admin/sync/pause", post(control::pause).delete(control::resume));
    let release = Router::new().route("/v1/admin/sync/held/{hash}/release", post(control::release));
    let rollback = Router::new()
        .route("/v1/admin/sync/rollback", post(rollback::roll_back))
        .route("/v1/admin/sync/refused/{revision}", delete(rollback::allow));
    let operators = Router::new()
        .route("/v1/admin/operators", get(operators::list))
        .route("/v1/admin/operators/{id}", get(operators::read));
    let audit = Router::new().route("/v1/admin/audit", get(audit::list));
    guarded(Permission::ReadSync, sync)
        .merge(guarded(Permission::TriggerSync, trigger))
        .merge(guarded(Permission::PauseSync, pause))
        .merge(guarded(Permission::ReleasePlan, release))
        .merge(guarded(Permission::RollBack, rollback))
        .merge(guarded(Permission::ReadOperators, operators))
        .merge(guarded(Permission::ReadAudit, audit))
        .with_state(shared.clone())
}
