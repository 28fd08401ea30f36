//! A plan with everything a reviewer asks about it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::impact::{Impact, Loosening};
use crate::plan::{Counts, Plan};

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
}

impl PlanReport {
    /// Whether there is nothing to say: no change, and no policy made less strict.
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.loosened.is_empty()
    }
}
