//! Health states: the present one of each operator, and changes with all they owe.

use std::collections::BTreeMap;

use bindery_schema::operator::HealthThresholds;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::event::{CloudEvent, OPERATOR_HEALTH, OperatorHealth};
use bindery_schema::wire::health::HealthView;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

use super::wake::{self, Word};
use super::{Error, health_log, outbox, sync_state};
use crate::health::reducer::Transition;
use crate::leader::fence::Fence;
use crate::outbox::append::event;
use crate::telemetry::Trace;

/// A change of an operator's state, to be written down.
#[derive(Debug, Clone)]
pub struct Change {
    /// The operator.
    pub operator: OperatorId,
    /// What changed.
    pub transition: Transition,
    /// The operator from now on.
    pub view: HealthView,
    /// The signal that brought it about; none where silence did.
    pub trace: Trace,
}

/// The operators to watch, deleted ones left out, and when their states change. Thresholds that cannot be read are
/// the default ones: an operator is better watched by those than not at all.
pub async fn watched(pool: &PgPool) -> Result<BTreeMap<OperatorId, HealthThresholds>, Error> {
    let rows: Vec<(String, Option<Json<serde_json::Value>>)> =
        sqlx::query_as("select id, spec -> 'health' from ops.operators where deleted_at is null")
            .fetch_all(pool)
            .await?;
    let thresholds = |value: Option<Json<serde_json::Value>>| {
        value.and_then(|value| serde_json::from_value(value.0).ok()).unwrap_or_default()
    };
    Ok(rows.into_iter().filter_map(|(id, value)| Some((id.parse().ok()?, thresholds(value)))).collect())
}

/// The states as last written.
pub async fn views(pool: &PgPool) -> Result<BTreeMap<OperatorId, HealthView>, Error> {
    let rows: Vec<(String, Json<serde_json::Value>)> =
        sqlx::query_as("select operator_id, view from ops.operator_health").fetch_all(pool).await?;
    let view = |value: Json<serde_json::Value>| serde_json::from_value(value.0).ok();
    Ok(rows.into_iter().filter_map(|(id, value)| Some((id.parse().ok()?, view(value)?))).collect())
}

/// An operator's state as last written.
pub async fn view(pool: &PgPool, operator: &OperatorId) -> Result<Option<HealthView>, Error> {
    let found: Option<Json<HealthView>> =
        sqlx::query_scalar("select view from ops.operator_health where operator_id = $1")
            .bind(operator.as_str())
            .fetch_optional(pool)
            .await?;
    Ok(found.map(|view| view.0))
}

/// Writes changes, their log rows and the events they owe, all or none; [`Error::Fenced`] where another agent leads.
///
/// The fence is compared with the lease, not with `ops.sync_state`: that row is locked throughout a step, and a change
/// of health must not wait for one. The lease's row stays locked until the end, so whoever leads next writes later: ids of
/// the log become visible in their order, and whoever follows it by id misses none.
pub async fn record(pool: &PgPool, environment: &str, fence: Fence, changes: &[Change]) -> Result<(), Error> {
    let mut transaction = pool.begin().await?;
    let newest: Option<i64> = sqlx::query_scalar("select fence from ops.leases where name = 'sync' for share")
        .fetch_optional(&mut *transaction)
        .await?;
    if newest.is_some_and(|newest| newest > fence.number()) {
        return Err(Error::Fenced);
    }
    let generation = sync_state::read(&mut transaction).await?.generation;
    for change in changes {
        upsert(&mut transaction, change).await?;
        health_log::append(&mut transaction, change).await?;
    }
    let event = |change: &Change| (announcement(environment, generation, change), change.trace.clone());
    let events: Vec<_> = changes.iter().map(event).collect();
    outbox::append(&mut transaction, &events).await?;
    // Heard by every agent once it is committed.
    wake::tell(&mut *transaction, Word::Health).await?;
    Ok(transaction.commit().await?)
}

fn announcement(environment: &str, generation: i64, change: &Change) -> CloudEvent {
    let Transition { previous, state, reason, connector_id, at } = change.transition.clone();
    let operator_id = change.operator.clone();
    let data = OperatorHealth { operator_id, previous, state, reason, connector_id, at: at.into(), generation };
    CloudEvent { time: at.into(), ..event(environment, OPERATOR_HEALTH, change.operator.as_str(), data) }
}

async fn upsert(connection: &mut PgConnection, change: &Change) -> Result<(), Error> {
    sqlx::query(
        "insert into ops.operator_health (operator_id, state, since, view) values ($1, $2, $3::timestamptz, $4)
         on conflict (operator_id) do update set state = excluded.state, since = excluded.since, view = excluded.view",
    )
    .bind(change.operator.as_str())
    .bind(change.transition.state.as_str())
    .bind(change.transition.at.to_string())
    .bind(Json(&change.view))
    .execute(connection)
    .await?;
    Ok(())
}
