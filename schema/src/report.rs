//! A plan with everything a reviewer asks about it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::hash::Digest;
use crate::impact::{Impact, Loosening};
use crate::plan::{Counts, Hold, Plan};

/// A plan with its blast radius, as `bindery plan --format json` writes it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// What changes.
    #[serde(flatten)]
    pub plan: Plan,
    /// How many operators and rules change.
    pub counts: Counts,
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

    /// Whether anything changes, in the base or in an environment.
    pub fn changes_anything(&self) -> bool {
        !self.plan.is_empty() || !self.environments.is_empty()
    }

    /// Whether the plan is held, or that of an environment is.
    pub fn is_held(&self) -> bool {
        self.trailer.is_some() || self.environments.iter().any(|environment| environment.trailer.is_some())
    }
}
