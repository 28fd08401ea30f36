//! What people and the console use. Bearer tokens; each group of routes needs a permission.

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

use axum::routing::{delete, get, patch, post};
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
        .route("/v1/admin/operators/{id}", get(operators::read))
        .route("/v1/admin/operators/{id}/routing-rules", get(rules::list))
        .route("/v1/admin/operators/{id}/routing-rules/{rule}", get(rules::read))
        .route("/v1/admin/mnos", get(mnos::list))
        .route("/v1/admin/mnos/{id}", get(mnos::read));
    let operator_writes = Router::new()
        .route("/v1/admin/operators", post(operators::create))
        .route("/v1/admin/operators/{id}", patch(operators::update).delete(operators::delete))
        .route("/v1/admin/operators/{id}/routing-rules", post(rules::create))
        .route("/v1/admin/operators/{id}/routing-rules/{rule}", patch(rules::update).delete(rules::delete));
    let carrier_writes = Router::new()
        .route("/v1/admin/mnos", post(mnos::create))
        .route("/v1/admin/mnos/{id}", patch(mnos::update).delete(mnos::delete))
        .route("/v1/admin/changesets", post(changesets::create));
    let contracts = Router::new()
        .route("/v1/admin/tps-contracts", get(contracts::list))
        .route("/v1/admin/tps-contracts/{id}", get(contracts::read));
    let contract_writes = Router::new()
        .route("/v1/admin/tps-contracts", post(contracts::create))
        .route("/v1/admin/tps-contracts/{id}", patch(contracts::update).delete(contracts::delete))
        .route("/v1/admin/tenants/{id}/reservations", post(reservations::create))
        .route(
            "/v1/admin/tenants/{id}/reservations/{reservation}",
            patch(reservations::update).delete(reservations::delete),
        );
    let reservations = Router::new()
        .route("/v1/admin/tenants/{id}/reservations", get(reservations::list))
        .route("/v1/admin/tenants/{id}/reservations/{reservation}", get(reservations::read));
    let audit = Router::new().route("/v1/admin/audit", get(audit::list));
    guarded(Permission::ReadSync, sync)
        .merge(guarded(Permission::TriggerSync, trigger))
        .merge(guarded(Permission::PauseSync, pause))
        .merge(guarded(Permission::ReleasePlan, release))
        .merge(guarded(Permission::RollBack, rollback))
        .merge(guarded(Permission::ReadOperators, operators))
        .merge(guarded(Permission::ReadAudit, audit))
        .merge(guarded(Permission::WriteOperators, operator_writes))
        .merge(guarded(Permission::WriteCarriers, carrier_writes))
        .merge(guarded(Permission::ReadContracts, contracts))
        .merge(guarded(Permission::WriteContracts, contract_writes))
        .merge(guarded(Permission::ReadReservations, reservations))
        .with_state(shared.clone())
}
