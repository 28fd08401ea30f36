//! A plan with everything a reviewer asks about it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::hash::Digest;
use crate::impact::{Impact, Loosening};
use crate::plan::{Counts, Hold, Plan};
use crate::value::{Instant, MnoId, OperatorId};

/// A plan with its blast radius, as `bindery plan --format json` writes it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// What changes.
    #[serde(flatten)]
    pub plan: Plan,
    /// How many operators and rules change.
    pub counts: ReportCounts,
    /// Renames for which the change sets a time, sets another, or takes it back; one that is due is among `operators`. Until
    /// its time a rename changes no store.
    pub renames: Vec<ScheduledRename>,
    /// The commit trailer that releases the plan; absent where nothing holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailer: Option<String>,
    /// What the changes mean for traffic, money and tenants.
    pub impact: Impact,
    /// Where the change makes the policy less strict.
    pub loosened: Vec<Loosening>,
    /// The environments in which the change does something else than to the base, by name. Empty where the plan is that of
    /// one environment.
    pub environments: Vec<EnvironmentReport>,
}

/// How many objects a plan touches, and how many renames it schedules otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportCounts {
    /// What changes as soon as the plan is applied.
    #[serde(flatten)]
    pub now: Counts,
    /// Renames that are scheduled, scheduled otherwise, or taken back.
    pub scheduled: usize,
}

/// A rename that waits for its time, where a change says something else of it than was said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledRename {
    /// The id the stores have until then.
    pub old_id: OperatorId,
    /// The id that takes over.
    pub new_id: OperatorId,
    /// The carrier.
    pub mno: MnoId,
    /// When it happens without the change; absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Schedule>,
    /// When it happens with it; absent where it is taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Schedule>,
}

/// When a rename takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// When the new id takes over.
    pub effective_at: Instant,
    /// How long before that no new dispatch goes to the old id, in seconds.
    pub drain_seconds: u32,
}

/// Where the plan of an environment differs from that of the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentReport {
    /// The environment.
    pub name: String,
    /// How many operators change there and not in the base, or otherwise.
    pub counts: Counts,
    /// How many operators that change in the base stay as they are there.
    pub unchanged: usize,
    /// Identifies the guarded changes of the environment's plan.
    pub hash: Digest,
    /// Why the environment's plan may not be applied without a release; empty when it may.
    pub holds: Vec<Hold>,
    /// The commit trailer that releases the environment's plan; absent where nothing holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailer: Option<String>,
}

impl PlanReport {
    /// Whether there is nothing to say: no change, and no policy made less strict.
    pub fn is_empty(&self) -> bool {
        !self.changes_anything() && self.loosened.is_empty()
    }

    /// Whether anything changes, now or when a rename is due, in the base or in an environment.
    pub fn changes_anything(&self) -> bool {
        !self.plan.is_empty() || !self.renames.is_empty() || !self.environments.is_empty()
    }

    /// Whether the plan is held, or that of an environment is.
    pub fn is_held(&self) -> bool {
        self.trailer.is_some() || self.environments.iter().any(|environment| environment.trailer.is_some())
    }
}
