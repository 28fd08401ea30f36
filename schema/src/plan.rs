//! Everything that has to change, decided in full: whoever carries it out makes no choice of their own.

use schemars::JsonSchema;
use serde::Serialize;

use crate::change::{Action, MnoChange, OperatorChange};
use crate::hash::Digest;

/// The difference between a catalog and the stores.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Identifies the guarded changes: a `Bindery-Allow` trailer names it. Neither commit, time nor password enters it.
    pub hash: Digest,
    /// Why the plan may not be applied without a release; empty when it may.
    pub holds: Vec<Hold>,
    /// Carriers, by id.
    pub mnos: Vec<MnoChange>,
    /// Operators, by id.
    pub operators: Vec<OperatorChange>,
}

/// A guardrail a plan runs into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The guardrail as the policy names it, such as `guardrails.maxDeletes.count`.
    pub guardrail: String,
    /// What the plan does and what the policy allows.
    pub message: String,
}

/// How many objects a plan touches, by action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub created: usize,
    pub updated: usize,
    pub deleted: usize,
    pub restored: usize,
    pub renamed: usize,
    pub routes: usize,
}

impl Counts {
    /// Counts one object more.
    pub fn add(&mut self, action: &Action) {
        match action {
            Action::Create => self.created += 1,
            Action::Update => self.updated += 1,
            Action::Delete => self.deleted += 1,
            Action::Restore => self.restored += 1,
            Action::Rename { .. } => self.renamed += 1,
        }
    }
}

impl Plan {
    /// Whether nothing has to change.
    pub fn is_empty(&self) -> bool {
        self.mnos.is_empty() && self.operators.is_empty()
    }

    /// Whether any change is guarded, so that the hash identifies something.
    pub fn is_guarded(&self) -> bool {
        self.mnos.iter().any(|change| change.action == Action::Delete)
            || self.operators.iter().any(|change| change.action == Action::Delete || change.moves_endpoint())
    }

    /// The commit trailer that releases the plan, where something holds it.
    pub fn trailer(&self) -> Option<String> {
        (!self.holds.is_empty()).then(|| format!("Bindery-Allow: {}", self.hash))
    }

    /// Operators by action, and rules in all.
    pub fn counts(&self) -> Counts {
        self.operators.iter().fold(Counts::default(), |mut counts, change| {
            counts.add(&change.action);
            counts.routes += change.routes.len();
            counts
        })
    }
}
