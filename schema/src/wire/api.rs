//! Answers of the HTTP APIs.

use serde::{Deserialize, Serialize};

use crate::operator::{Smpp, Status, TpsLimits};
use crate::value::{Cost, E164Prefix, Instant, MnoId, OperatorId};

/// An operator without its password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// A row of the routing table. Only active rules of ACTIVE operators are in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// When the branch was last fetched successfully.
    pub last_fetch_at: Option<Instant>,
}

/// What the sync loop is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncPhase {
    /// Nothing was applied since the start.
    Starting,
    /// The stores are equal to the branch.
    InSync,
    /// A commit is being applied.
    Applying,
    /// The tip does not compile; the last good commit stays.
    Rejected,
    /// A guardrail holds the plan.
    Held,
    /// A store or the repository failed; tried again by itself.
    Retrying,
}

/// A commit that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocked {
    /// The commit.
    pub commit: String,
    /// One line.
    pub reason: String,
    /// Findings of a rejected commit, in the form `bindery check --format json` has.
    pub findings: Vec<serde_json::Value>,
    /// What holds a plan.
    pub holds: Vec<String>,
    /// Hash that releases a held plan.
    pub plan_hash: Option<String>,
    /// Since when.
    pub since: Instant,
    /// The safe next step.
    pub next_step: String,
}
