//! What other services of the platform read. Mutual TLS; each group of routes has an allow-list of its own.

mod credentials;
mod operators;
mod routing;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use bindery_schema::wire::api::{OperatorCredentials, OperatorView, RoutingTable};
use bindery_schema::wire::routing::{COMPACT, LINES, RoutingChanges};
use tokio::sync::Semaphore;

use super::error::Code;
use super::health;
use super::identity::{Gate, admit};
use super::mtls::Tls;
use super::openapi::endpoint::{Access, Answer, JSON, of};
use super::openapi::parameters::{IF_NONE_MATCH, OF_MNO, OPERATOR, SINCE_STEP, bytes, text};
use super::openapi::{self, Listener};
use super::route::{self, Route};
use crate::shared::Shared;

/// Routing tables that are streamed as JSON at a time: each holds a connection to Postgres for as long as its client reads.
const STREAMS: usize = 3;

/// What the handlers have at hand.
#[derive(Clone)]
pub(super) struct Internal {
    shared: Shared,
    streams: Arc<Semaphore>,
    packed: routing::Packed,
}

impl FromRef<Internal> for Shared {
    fn from_ref(internal: &Internal) -> Self {
        internal.shared.clone()
    }
}

/// Clients that may read passwords.
const CREDENTIALS: Access = Access::Certificate("internal.allow_credentials");
/// Clients that may read all else; those above may too.
const READ: Access = Access::Certificate("internal.allow_read");
const TAG: &str = "platform";
const HEALTH: health::Paths =
    ["/v1/internal/operators/{id}/health", "/v1/internal/operators/{id}/health/history", "/v1/internal/health/stream"];
const TABLE: &str = "The table, in the form that `Accept` asks for; the entity tag follows the step.";

/// The routes.
pub(super) fn routes() -> Vec<Route<Internal>> {
    let table = |status, description, content| Answer { status, description, content, headers: vec!["ETag"] };
    let mut routes = vec![
        Route::get("/v1/internal/operators", operators::list)
            .named(TAG, "listOperators", "Operators by id, without passwords")
            .open_to(READ)
            .takes(&[OF_MNO])
            .lists::<OperatorView>(),
        Route::get("/v1/internal/operators/{id}", operators::read)
            .named(TAG, "getOperator", "One operator, without its password")
            .open_to(READ)
            .takes(&[OPERATOR])
            .answers::<OperatorView>(200, "The operator.")
            .fails(&[Code::OperatorNotFound]),
        Route::get("/v1/internal/operators/{id}/credentials", credentials::read)
            .named(TAG, "getCredentials", "What to bind with: the only answer with a password")
            .open_to(CREDENTIALS)
            .takes(&[OPERATOR])
            .answers::<OperatorCredentials>(200, "The operator with its password.")
            .fails(&[Code::OperatorNotFound, Code::CredentialsNotSet, Code::VaultUnavailable]),
        Route::get("/v1/internal/routing-table", routing::table)
            .named(TAG, "getRoutingTable", "Who serves which destinations, as one step left it")
            .open_to(READ)
            .takes(&[IF_NONE_MATCH])
            .answers_with(table(200, TABLE, Some((JSON, vec![of::<RoutingTable>()]))))
            .answers_with(table(200, TABLE, Some((LINES, vec![text]))))
            .answers_with(table(200, TABLE, Some((COMPACT, vec![bytes]))))
            .answers_with(table(304, "The client has this step's table.", None))
            .fails(&[Code::NotAcceptable]),
        Route::get("/v1/internal/routing-table/changes", routing::changes)
            .named(TAG, "getRoutingChanges", "What changed since a step")
            .open_to(READ)
            .takes(&[SINCE_STEP])
            .answers::<RoutingChanges>(200, "What is now true of each operator and prefix that changed.")
            .fails(&[Code::ChangesGone]),
    ];
    routes.extend(health::routes(TAG, HEALTH, READ));
    routes.extend(openapi::routes(Listener::Internal, READ));
    routes
}

/// What serves them.
pub(super) fn router(shared: &Shared, tls: Arc<Tls>) -> Router {
    let config = &shared.config.internal;
    let credentials: BTreeSet<String> = config.allow_credentials.iter().cloned().collect();
    let read: BTreeSet<String> = config.allow_read.iter().cloned().chain(credentials.iter().cloned()).collect();
    let refusals = Some(shared.metrics.clone());
    let to_credentials = Gate { tls: tls.clone(), allowed: credentials.into_iter().collect(), refusals };
    let to_the_rest = Gate { tls, allowed: read.into_iter().collect(), refusals: None };
    let guarded = routes().into_iter().map(|route| {
        route.behind(|endpoint, serve| {
            let gate = if endpoint.access == CREDENTIALS { &to_credentials } else { &to_the_rest };
            serve.route_layer(from_fn_with_state(gate.clone(), admit))
        })
    });
    let streams = Arc::new(Semaphore::new(STREAMS));
    let state = Internal { shared: shared.clone(), streams, packed: routing::Packed::default() };
    route::router(guarded).with_state(state)
}
