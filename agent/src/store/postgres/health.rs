//! Health states: the present one of each operator, and the log of changes with the events they owe.

use std::collections::BTreeMap;

use bindery_schema::operator::HealthThresholds;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::event::{CloudEvent, OPERATOR_HEALTH, OperatorHealth};
use bindery_schema::wire::health::HealthView;
use sqlx::types::Json;
use sqlx::{PgPool, PgTransaction};
use uuid::Uuid;

use crate::health::reducer::Transition;

/// A change of an operator's state, to be written down.
#[derive(Debug, Clone)]
pub struct Change {
    /// The operator.
    pub operator: OperatorId,
    /// What changed.
    pub transition: Transition,
    /// The operator from now on.
    pub view: HealthView,
}

/// What became of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// They are written.
    Written,
    /// Another agent leads with a higher fencing number; nothing was written.
    Fenced,
}

/// The operators to watch, deleted ones left out, and when their states change. Thresholds that cannot be read are
/// the default ones: an operator is better watched by those than not at all.
pub async fn watched(pool: &PgPool) -> Result<BTreeMap<OperatorId, HealthThresholds>, sqlx::Error> {
    let rows: Vec<(String, Option<Json<serde_json::Value>>)> =
        sqlx::query_as("select id, spec -> 'health' from ops.operators where deleted_at is null").fetch_all(pool).await?;
    let thresholds = |value: Option<Json<serde_json::Value>>| {
        value.and_then(|value| serde_json::from_value(value.0).ok()).unwrap_or_default()
    };
    Ok(rows.into_iter().filter_map(|(id, value)| Some((id.parse().ok()?, thresholds(value)))).collect())
}

/// The states as last written.
pub async fn views(pool: &PgPool) -> Result<BTreeMap<OperatorId, HealthView>, sqlx::Error> {
    let rows: Vec<(String, Json<serde_json::Value>)> =
        sqlx::query_as("select operator_id, view from ops.operator_health").fetch_all(pool).await?;
    let view = |value: Json<serde_json::Value>| serde_json::from_value(value.0).ok();
    Ok(rows.into_iter().filter_map(|(id, value)| Some((id.parse().ok()?, view(value)?))).collect())
}

/// An operator's state as last written.
pub async fn view(pool: &PgPool, operator: &OperatorId) -> Result<Option<HealthView>, sqlx::Error> {
    let found: Option<Json<HealthView>> = sqlx::query_scalar("select view from ops.operator_health where operator_id = $1")
        .bind(operator.as_str())
        .fetch_optional(pool)
        .await?;
    Ok(found.map(|view| view.0))
}

/// Writes changes, their log rows and the events they owe, all or none. `fence` is the writer's fencing number.
pub async fn record(pool: &PgPool, source: &str, fence: i64, changes: &[Change]) -> Result<Recorded, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let (generation, highest): (i64, i64) =
        sqlx::query_as("select generation, fence from ops.sync_state for share").fetch_one(&mut *transaction).await?;
    if highest > fence {
        return Ok(Recorded::Fenced);
    }
    for change in changes {
        upsert(&mut transaction, change).await?;
        log(&mut transaction, change).await?;
        owe(&mut transaction, source, generation, change).await?;
    }
    transaction.commit().await?;
    Ok(Recorded::Written)
}

async fn upsert(transaction: &mut PgTransaction<'_>, change: &Change) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into ops.operator_health (operator_id, state, since, view) values ($1, $2, $3::timestamptz, $4)
         on conflict (operator_id) do update set state = excluded.state, since = excluded.since, view = excluded.view",
    )
    .bind(change.operator.as_str())
    .bind(change.transition.state.as_str())
    .bind(change.transition.at.to_string())
    .bind(Json(&change.view))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn log(transaction: &mut PgTransaction<'_>, change: &Change) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into ops.operator_health_log (operator_id, previous, state, reason, connector_id, at)
         values ($1, $2, $3, $4, $5, $6::timestamptz)",
    )
    .bind(change.operator.as_str())
    .bind(change.transition.previous.as_str())
    .bind(change.transition.state.as_str())
    .bind(&change.transition.reason)
    .bind(&change.transition.connector_id)
    .bind(change.transition.at.to_string())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn owe(
    transaction: &mut PgTransaction<'_>,
    source: &str,
    generation: i64,
    change: &Change,
) -> Result<(), sqlx::Error> {
    let Transition { previous, state, reason, connector_id, at } = change.transition.clone();
    let at = at.into();
    let data = OperatorHealth { operator_id: change.operator.clone(), previous, state, reason, connector_id, at, generation };
    let id = Uuid::now_v7();
    let event = CloudEvent {
        specversion: "1.0".to_owned(),
        id: id.to_string(),
        source: source.to_owned(),
        event_type: OPERATOR_HEALTH.to_owned(),
        subject: change.operator.to_string(),
        time: at,
        data: serde_json::to_value(data).map_err(|error| sqlx::Error::Encode(error.into()))?,
    };
    sqlx::query("insert into ops.outbox (id, subject, object_id, payload) values ($1, $2, $3, $4)")
        .bind(id)
        .bind(OPERATOR_HEALTH)
        .bind(change.operator.as_str())
        .bind(Json(event))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
