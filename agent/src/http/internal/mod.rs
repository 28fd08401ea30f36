//! What other services of the platform read. Mutual TLS; each group of routes has an allow-list of its own.

mod credentials;
mod health;
mod operators;
mod routing;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};
use tokio::sync::Semaphore;

use super::identity::{Gate, admit};
use super::mtls::Tls;
use crate::shared::Shared;

/// Routing tables that are streamed at a time: each holds a connection to Postgres for as long as its client reads.
const STREAMS: usize = 3;

/// What the handlers have at hand.
#[derive(Clone)]
struct Internal {
    shared: Shared,
    streams: Arc<Semaphore>,
}

/// The routes.
pub(super) fn router(shared: &Shared, tls: Arc<Tls>) -> Router {
    let config = &shared.config.internal;
    let credentials: BTreeSet<String> = config.allow_credentials.iter().cloned().collect();
    let read: BTreeSet<String> = config.allow_read.iter().cloned().chain(credentials.iter().cloned()).collect();
    let refusals = Some(shared.metrics.clone());
    let to_credentials = Gate { tls: tls.clone(), allowed: credentials.into_iter().collect(), refusals };
    let to_the_rest = Gate { tls, allowed: read.into_iter().collect(), refusals: None };

    let credentials = Router::new()
        .route("/v1/internal/operators/{id}/credentials", get(credentials::read))
        .route_layer(middleware::from_fn_with_state(to_credentials, admit));
    let rest = Router::new()
        .route("/v1/internal/operators", get(operators::list))
        .route("/v1/internal/operators/{id}", get(operators::read))
        .route("/v1/internal/operators/{id}/health", get(health::read))
        .route("/v1/internal/routing-table", get(routing::table))
        .route_layer(middleware::from_fn_with_state(to_the_rest, admit));
    let state = Internal { shared: shared.clone(), streams: Arc::new(Semaphore::new(STREAMS)) };
    credentials.merge(rest).with_state(state)
}
