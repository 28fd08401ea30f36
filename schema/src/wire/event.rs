//! Events on the JetStream stream `OPS`: `CloudEvents` 1.0 in JSON. A subject equals the event's type.

use serde::{Deserialize, Serialize};

use super::health::HealthState;
use crate::value::{Instant, MnoId, OperatorId};

/// Every event type, in the order of the documentation.
pub const TYPES: [&str; 13] = [
    OPERATOR_CREATED,
    OPERATOR_UPDATED,
    OPERATOR_DELETED,
    OPERATOR_RESTORED,
    OPERATOR_RENAMED,
    OPERATOR_HEALTH,
    "operator.onboarding.complete.v1",
    "ops.tps_contract.breached.v1",
    SYNC_APPLIED,
    SYNC_REJECTED,
    SYNC_HELD,
    "operator.drain.requested.v1",
    "operator.rename.progress.v1",
];

/// An operator came into being.
pub const OPERATOR_CREATED: &str = "operator.config.created.v1";
/// An operator changed.
pub const OPERATOR_UPDATED: &str = "operator.config.updated.v1";
/// An operator was deleted.
pub const OPERATOR_DELETED: &str = "operator.config.deleted.v1";
/// A deleted operator came back under its id.
pub const OPERATOR_RESTORED: &str = "operator.config.restored.v1";
/// An operator goes on under another id.
pub const OPERATOR_RENAMED: &str = "operator.config.renamed.v1";
/// An operator's health state changed.
pub const OPERATOR_HEALTH: &str = "operator.health.v1";
/// A commit was applied.
pub const SYNC_APPLIED: &str = "ops.sync.applied.v1";
/// A commit was rejected.
pub const SYNC_REJECTED: &str = "ops.sync.rejected.v1";
/// A plan is held by a guardrail.
pub const SYNC_HELD: &str = "ops.sync.held.v1";

/// The `CloudEvents` envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique; also the `Nats-Msg-Id`, so a repeated publication is dropped by the stream.
    pub id: String,
    /// `bindery/<environment>`.
    pub source: String,
    /// One of [`TYPES`].
    #[serde(rename = "type")]
    pub event_type: String,
    /// Id of the object.
    pub subject: String,
    /// When it happened.
    pub time: Instant,
    /// The payload.
    pub data: serde_json::Value,
}

/// Payload of `operator.config.*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorConfig {
    /// The operator.
    pub operator_id: OperatorId,
    /// Its carrier.
    pub mno_id: MnoId,
    /// Number of the applied step; grows by one with each.
    pub generation: i64,
    /// The commit that was applied.
    pub commit: String,
    /// Who wrote it.
    pub author: String,
    /// Dotted YAML paths, `routes`, `credentials`; never values.
    pub changed_fields: Vec<String>,
    /// The former id, on a rename.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old_id: Option<OperatorId>,
    /// The id from now on, on a rename.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new_id: Option<OperatorId>,
}

/// Payload of `operator.health.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorHealth {
    /// The operator.
    pub operator_id: OperatorId,
    /// The state until now.
    pub previous: HealthState,
    /// The state from now on.
    pub state: HealthState,
    /// What it rests on.
    pub reason: String,
    /// Whose signal brought it about; absent when silence did.
    pub connector_id: Option<String>,
    /// When.
    pub at: Instant,
    /// Number of the applied step.
    pub generation: i64,
}

/// Payload of `ops.sync.*`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sync {
    /// The commit.
    pub commit: String,
    /// The commit that stays or was applied before.
    pub previous: Option<String>,
    /// Number of the applied step.
    pub generation: i64,
    /// Who wrote the commit.
    pub author: String,
    /// How many objects changed, or why nothing did.
    pub detail: serde_json::Value,
}
