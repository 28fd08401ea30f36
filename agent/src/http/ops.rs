//! Health of the agent itself, and its metrics. Plain HTTP, meant for the orchestrator and the monitoring alone.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bindery_schema::wire::api::{Component, ComponentState, Readiness, SyncPhase};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::error::{Code, Problem, chain};
use super::openapi::endpoint::{Access, Answer, SchemaOf};
use super::openapi::{self, Listener};
use super::probe::{Probe, Probes, TIMEOUT};
use super::route::{self, Route};
use crate::metrics::Metrics;
use crate::pools::Pools;
use crate::shared::Shared;

/// What metrics are served as.
const METRICS: &str = "application/openmetrics-text";

const TAG: &str = "ops";

/// The routes.
pub(super) fn routes() -> Vec<Route<Shared>> {
    let text: SchemaOf = |_| schemars::json_schema!({ "type": "string" });
    let metrics_answer =
        Answer { status: 200, description: "The metrics.", content: Some((METRICS, vec![text])), headers: Vec::new() };
    let mut routes = vec![
        Route::get("/health/live", live)
            .named(TAG, "getLive", "Whether the agent runs")
            .answers::<Liveness>(200, "It does."),
        Route::get("/health/ready", ready)
            .named(TAG, "getReady", "Whether it can serve, part by part")
            .answers::<Readiness>(200, "It can.")
            .answers::<Readiness>(503, "Vault or Postgres does not work."),
        Route::get("/metrics", metrics)
            .named(TAG, "getMetrics", "Metrics, in OpenMetrics form")
            .answers_with(metrics_answer),
    ];
    routes.extend(openapi::routes(Listener::Ops, Access::Open));
    routes
}

/// What serves them.
pub(super) fn router(shared: &Shared) -> Router {
    route::router(routes()).with_state(shared.clone())
}

/// That the process answers.
#[derive(Serialize, JsonSchema)]
struct Liveness {
    /// `UP`.
    status: ComponentState,
}

async fn live() -> Json<Liveness> {
    Json(Liveness { status: ComponentState::Up })
}

async fn metrics(State(shared): State<Shared>) -> Result<Response, Problem> {
    let pools = async {
        match tokio::time::timeout(TIMEOUT, Pools::read(&shared.stores, Timestamp::now())).await {
            Ok(Ok(pools)) => pools,
            Ok(Err(error)) => {
                tracing::debug!(error = chain(&error), "the contracts cannot be read");
                Pools::default()
            }
            Err(_) => Pools::default(),
        }
    };
    let (probes, pools) = tokio::join!(Probes::of(&shared.stores), pools);
    let text = encode(&probes, pools, &shared.metrics);
    let text = text.map_err(|_| Problem::new(Code::Internal))?;
    Ok(([(CONTENT_TYPE, format!("{METRICS}; version=1.0.0; charset=utf-8"))], text).into_response())
}

/// One text of what was asked just now and what is counted all along; the agent's own families end it.
fn encode(probes: &Probes, pools: Pools, metrics: &Metrics) -> Result<String, std::fmt::Error> {
    Ok([probes.encode()?, pools.encode()?, metrics.encode()?].concat())
}

/// 503 where Vault or Postgres does not work, since without them no credentials can be served. NATS and Redis only
/// delay what is seen elsewhere.
async fn ready(State(shared): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let Probes { postgres, vault, nats, redis } = Probes::of(&shared.stores).await;
    let phase = shared.status.borrow().phase;
    let answer = assess(postgres, vault, nats, redis, phase);
    let status = if answer.status == ComponentState::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(answer))
}

fn assess(postgres: Probe, vault: Probe, nats: Probe, redis: Probe, phase: SyncPhase) -> Readiness {
    let sync = match phase {
        // A pause is what somebody wants: it has a metric of its own, and ends.
        SyncPhase::InSync | SyncPhase::Applying | SyncPhase::Paused => Ok(()),
        SyncPhase::Starting => Err("nothing was applied since the start"),
        SyncPhase::Rejected => Err("the branch's tip is rejected"),
        SyncPhase::Held => Err("a guardrail holds the plan"),
        SyncPhase::Retrying => Err("a store or the repository failed"),
    };
    let needed = |probe: Probe| component(probe, ComponentState::Down);
    let wanted = |probe: Probe| component(probe, ComponentState::Degraded);
    let components = BTreeMap::from([
        ("postgres".to_owned(), needed(postgres)),
        ("vault".to_owned(), needed(vault)),
        ("nats".to_owned(), wanted(nats)),
        ("redis".to_owned(), wanted(redis)),
        ("sync".to_owned(), wanted(sync)),
    ]);
    let status = components.values().map(|component| component.status).max().unwrap_or(ComponentState::Up);
    Readiness { status, components }
}

fn component(probe: Probe, otherwise: ComponentState) -> Component {
    match probe {
        Ok(()) => Component { status: ComponentState::Up, detail: None },
        Err(detail) => Component { status: otherwise, detail: Some(detail.to_owned()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_postgres_and_vault_take_the_agent_down() {
        let (up, down): (Probe, Probe) = (Ok(()), Err("unreachable"));
        let table = [
            (up, up, up, up, SyncPhase::InSync, ComponentState::Up),
            (down, up, up, up, SyncPhase::InSync, ComponentState::Down),
            (up, Err("sealed"), up, up, SyncPhase::InSync, ComponentState::Down),
            (up, up, down, up, SyncPhase::InSync, ComponentState::Degraded),
            (up, up, up, down, SyncPhase::InSync, ComponentState::Degraded),
            (up, up, up, up, SyncPhase::Rejected, ComponentState::Degraded),
            (down, down, down, down, SyncPhase::Retrying, ComponentState::Down),
        ];
        for (postgres, vault, nats, redis, phase, status) in table {
            let answer = assess(postgres, vault, nats, redis, phase);
            assert_eq!((answer.status, answer.components.len()), (status, 5), "{answer:?}");
        }
    }
}
