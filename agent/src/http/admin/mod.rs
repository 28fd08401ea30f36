//! What people and the console use. Bearer tokens; each route needs a permission.

mod audit;
mod body;
mod call;
mod changesets;
mod contracts;
mod control;
mod drift;
mod idempotency;
mod mnos;
mod operators;
mod reservations;
mod rollback;
mod rules;
mod sync;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use super::bearer::{Guard, Tokens, authorize};
use super::health;
use super::jwks::KeySet;
use super::openapi::endpoint::Access;
use super::openapi::{self, Listener};
use super::permissions::Permission;
use super::rates::Rates;
use super::route::{self, Route};
use super::strict;
use crate::shared::Shared;

const HEALTH: health::Paths =
    ["/v1/admin/operators/{id}/health", "/v1/admin/operators/{id}/health/history", "/v1/admin/health/stream"];

/// The routes.
pub(super) fn routes() -> Vec<Route<Shared>> {
    [
        operators::routes(),
        health::routes("health", HEALTH, Access::Token(Permission::ReadOperators)),
        rules::routes(),
        mnos::routes(),
        contracts::routes(),
        reservations::routes(),
        changesets::routes(),
        sync::routes(),
        drift::routes(),
        control::routes(),
        rollback::routes(),
        audit::routes(),
        openapi::routes(Listener::Admin, Access::Open),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What serves them: a token first, then an address without anything unknown.
pub(super) fn router(shared: &Shared, keys: Arc<KeySet>) -> Router {
    let tokens = Tokens::new(&shared.config.admin, keys);
    let rates = Arc::new(Rates::new(&shared.config.limits));
    let guarded = routes().into_iter().map(|route| {
        route.behind(|endpoint, serve| match endpoint.access {
            Access::Token(permission) => {
                let guard = Guard { tokens: tokens.clone(), permission, rates: rates.clone() };
                serve
                    .route_layer(from_fn_with_state(strict::known(endpoint), strict::check))
                    .route_layer(from_fn_with_state(guard, authorize))
            }
            _ => serve,
        })
    });
    route::router(guarded).with_state(shared.clone())
}
