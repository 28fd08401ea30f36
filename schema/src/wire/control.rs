//! What people tell the sync and ask of it: `/v1/admin/sync/…` and `/v1/admin/audit`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::Hold;
use crate::value::Instant;

/// A pause in force: commits are looked at and not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// Since when.
    pub since: Instant,
    /// When it ends by itself.
    pub until: Instant,
}

/// Body of `POST /v1/admin/sync/pause`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PauseRequest {
    /// Why, for whoever finds the sync paused: one line.
    #[schemars(length(min = 1, max = 500), regex(pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"))]
    pub reason: String,
    /// How long, from now: a week at most.
    #[schemars(range(min = 1, max = 604_800))]
    pub seconds: u32,
}

/// A revision that was rolled back: a tip with its tree is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The commit that was rolled back.
    pub revision: String,
    /// Why.
    pub reason: Option<String>,
    /// Who rolled it back.
    pub by: String,
    /// When.
    pub since: Instant,
}

/// Body of `POST /v1/admin/sync/rollback`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackRequest {
    /// The commit to take back: its name, or enough of its beginning.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{7,40}$"))]
    pub revision: String,
    /// Why; it stands in the commit and in the status.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Answer to `POST /v1/admin/sync/rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolledBack {
    /// The commit that was taken back, in full.
    pub revision: String,
    /// The commit that does it; absent where the branch had been taken back already and the revision is now refused.
    pub commit: Option<String>,
}

/// A plan that a guardrail holds: `GET /v1/admin/sync/held`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldPlan {
    /// The commit.
    pub commit: String,
    /// The hash that releases it.
    pub plan_hash: String,
    /// Since when.
    pub since: Instant,
    /// The guardrails it runs into: `guardrail` and `message`.
    #[schemars(with = "Vec<Hold>")]
    pub holds: Value,
    /// How many objects it changes.
    pub counts: Value,
    /// All it changes, as `bindery plan --format json` has it.
    pub plan: Value,
    /// The same for people.
    pub summary: String,
    /// Who released it; it is about to be applied.
    pub released_by: Option<String>,
}

/// What became of a commit: an item of `GET /v1/admin/sync/runs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncRun {
    /// Its number.
    pub id: i64,
    /// The commit.
    pub commit: String,
    /// The commit that was applied before.
    pub previous_commit: Option<String>,
    /// `applied`, `rejected`, `held` or `failed`.
    pub outcome: String,
    /// The applied step.
    pub generation: Option<i64>,
    /// When work on it began.
    pub started_at: Instant,
    /// When it was done.
    pub finished_at: Instant,
    /// How long it took.
    pub millis: i64,
    /// Change counts of an applied run, findings of a rejected one, guardrails of a held one, the reason of a failed one.
    pub detail: Value,
    /// Commits between the previous and this one that this one made needless.
    #[schemars(with = "Vec<String>")]
    pub skipped: Value,
}

/// One row of the audit trail: an item of `GET /v1/admin/audit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Instant,
    /// Who: the commit's author, the caller of the API, or the agent itself.
    pub actor: String,
    /// Who committed it.
    pub committer: Option<String>,
    /// How it came about: `commit`, `api` or `agent`.
    pub via: String,
    /// What happened, such as `operator.update`.
    pub action: String,
    /// To which object, such as `operator/af-roshan-1`.
    pub object: String,
    /// Before and after, never a secret.
    pub detail: Value,
    /// The commit.
    pub commit: Option<String>,
    /// The applied step.
    pub generation: Option<i64>,
    /// The plan that was carried out or released.
    pub plan_hash: Option<String>,
}
