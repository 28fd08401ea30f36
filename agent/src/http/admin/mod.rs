//! What people and the console use. Bearer tokens; each group of routes needs a permission.

mod drift;
mod operators;
mod sync;

use std::sync::Arc;

use axum::routing::{get, post};
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
    let sync =
        Router::new().route("/v1/admin/sync", get(sync::status)).route("/v1/admin/sync/drift", get(drift::status));
    let trigger = Router::new()
        .route("/v1/admin/sync/trigger", post(sync::trigger))
        .route("/v1/admin/sync/drift", post(drift::ask));
    let operators = Router::new()
        .route("/v1/admin/operators", get(operators::list))
        .route("/v1/admin/operators/{id}", get(operators::read));
    guarded(Permission::ReadSync, sync)
        .merge(guarded(Permission::TriggerSync, trigger))
        .merge(guarded(Permission::ReadOperators, operators))
        .with_state(shared.clone())
}
