//! Answers of the HTTP APIs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::control::{Pause, Refused};
use crate::operator::{OperatorSpec, Smpp, Status, TpsLimits};
use crate::secret::Secret;
use crate::value::{Cost, E164Prefix, Instant, MnoId, OperatorId};

/// An operator without its password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorView {
    /// The operator.
    pub operator_id: OperatorId,
    /// Its carrier.
    pub mno_id: MnoId,
    /// Name for people.
    pub display_name: String,
    /// Whether it takes traffic.
    pub status: Status,
    /// How to bind.
    pub smpp: Smpp,
    /// How fast.
    pub tps: TpsLimits,
    /// The commit that last changed it.
    pub commit: String,
    /// When it came into being.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// An operator with its password: `GET /v1/internal/operators/{id}/credentials`. The only answer that has one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorCredentials {
    /// The operator.
    pub operator_id: OperatorId,
    /// Its carrier.
    pub mno_id: MnoId,
    /// How to bind.
    pub smpp: Smpp,
    /// What to bind with.
    #[serde(with = "exposed")]
    #[schemars(with = "String")]
    pub password: Secret,
    /// Version of the password in Vault; absent where the engine keeps none.
    pub version: Option<u64>,
    /// Number of the applied step.
    pub generation: i64,
}

mod exposed {
    //! The one way a password is written out.

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::secret::Secret;

    pub(super) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

/// An operator as administrators see it: as in YAML, with what the agent knows about it. Never a password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminOperator {
    /// The operator.
    pub id: OperatorId,
    /// Its carrier.
    pub mno: MnoId,
    /// As in YAML, overlaid for the environment.
    pub spec: OperatorSpec,
    /// The commit that last changed it.
    pub commit: String,
    /// Number of the applied step.
    pub generation: i64,
    /// When it came into being.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deleted_at: Option<Instant>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// `cursor` of the next part; absent after the last.
    pub next_cursor: Option<String>,
}

/// Whether the agent can serve: `GET /health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// The worst that matters: DOWN where Vault or Postgres is.
    pub status: ComponentState,
    /// Each part by name.
    pub components: BTreeMap<String, Component>,
}

/// State of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Its state.
    pub status: ComponentState,
    /// Why it is not UP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// How well a part works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ComponentState {
    /// It works.
    Up,
    /// Something waits for it, but answers are right.
    Degraded,
    /// It does not work.
    Down,
}

/// Who serves which destinations: `GET /v1/internal/routing-table`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoutingTable {
    /// Number of the applied step. The entity tag follows it.
    pub generation: i64,
    /// The applied commit.
    pub commit: Option<String>,
    /// By prefix, priority and operator.
    pub rows: Vec<RouteRow>,
}

/// A row of the routing table. Only active rules of ACTIVE operators are in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteRow {
    /// The destinations.
    pub prefix: E164Prefix,
    /// Who serves them.
    pub operator: OperatorId,
    /// Lowest wins among equal prefixes.
    pub priority: u16,
    /// Share among equal priorities.
    pub weight: u16,
    /// Price of a message.
    pub cost: Option<Cost>,
}

/// What a sync is doing, for people: `GET /v1/admin/sync`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// What the agent is at: see [`SyncPhase`].
    pub phase: SyncPhase,
    /// The commit the stores are equal to.
    pub applied: Option<AppliedCommit>,
    /// The branch's tip as last fetched.
    pub wanted: Option<String>,
    /// Why `wanted` is not applied.
    pub blocked: Option<Blocked>,
    /// When this agent last fetched the branch successfully.
    pub last_fetch_at: Option<Instant>,
    /// Whether this agent is the one that applies.
    #[serde(default)]
    pub leads: bool,
    /// The pause in force.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// Revisions that were rolled back and are not applied again.
    #[serde(default)]
    pub refused: Vec<Refused>,
}

/// What the sync loop is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SyncPhase {
    /// Nothing was applied since the start.
    Starting,
    /// The stores are equal to the branch.
    InSync,
    /// A commit is being applied.
    Applying,
    /// The tip does not compile or was rolled back; the last good commit stays.
    Rejected,
    /// A guardrail holds the plan.
    Held,
    /// Someone paused the sync: the branch is looked at and not applied.
    Paused,
    /// A store or the repository failed; tried again by itself.
    Retrying,
}

/// A commit that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedCommit {
    /// The commit.
    pub commit: String,
    /// Its step.
    pub generation: i64,
    /// When.
    pub at: Instant,
}

/// Why a commit is not applied, and what to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blocked {
    /// The commit.
    pub commit: String,
    /// One line.
    pub reason: String,
    /// Findings of a rejected commit, in the form `bindery check --format json` has.
    #[schemars(with = "Vec<Finding>")]
    pub findings: Vec<serde_json::Value>,
    /// What holds a plan.
    pub holds: Vec<String>,
    /// Hash that releases a held plan.
    pub plan_hash: Option<String>,
    /// Since when.
    pub since: Instant,
    /// When it changes by itself: the end of a pause.
    #[serde(default)]
    pub until: Option<Instant>,
    /// The safe next step.
    pub next_step: String,
}

/// What the compiler found, as `bindery check --format json` writes it. It is read here for its form alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its code, such as `BND0401`; `bindery explain` tells what it means.
    pub code: String,
    /// The code's name, such as `duplicate-endpoint`.
    pub name: String,
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// What is wrong, with the value.
    pub message: String,
    /// The file; absent for what is in none.
    pub file: Option<String>,
    /// First line, from 1.
    pub line: Option<u32>,
    /// First character of that line, from 1.
    pub column: Option<u32>,
    /// Last line.
    pub end_line: Option<u32>,
    /// The character behind the last.
    pub end_column: Option<u32>,
    /// Other places it is about.
    pub related: Vec<RelatedPlace>,
    /// What to do.
    pub help: Option<String>,
    /// What certainly repairs it.
    pub fix: Option<Fix>,
}

/// Another place a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelatedPlace {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// Its character, from 1.
    pub column: u32,
    /// What is there.
    pub message: String,
}

/// A replacement of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// First line, from 1.
    pub line: u32,
    /// First character, from 1.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// The character behind the last.
    pub end_column: u32,
    /// What stands there instead.
    pub replacement: String,
}
