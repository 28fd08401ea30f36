//! Kind `Policy`: guardrails and strictness, one a repository, with defaults where it is absent.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Day, Reason};

/// `spec` of the Policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PolicySpec {
    /// How strict prefix nesting is.
    pub routing: RoutingPolicy,
    /// What holds a plan.
    pub guardrails: Guardrails,
    /// Throughput rules.
    pub tps: TpsPolicy,
    /// Who can open sealed passwords.
    pub secrets: SecretsPolicy,
    /// Warnings someone has taken responsibility for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acknowledge: Vec<Acknowledgement>,
}

/// Whether a prefix may lie inside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Nesting {
    /// Freely.
    Allow,
    /// Where the narrower rule says `narrows`.
    Declared,
    /// Never.
    Deny,
}

/// How strict prefix nesting is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RoutingPolicy {
    /// Inside one operator.
    pub same_operator_nesting: Nesting,
    /// Between operators.
    pub cross_operator_nesting: Nesting,
}

impl Default for RoutingPolicy {
    fn default() -> Self {
        Self { same_operator_nesting: Nesting::Declared, cross_operator_nesting: Nesting::Allow }
    }
}

/// What holds a plan until someone releases it by its hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Guardrails {
    /// Deleted operators.
    pub max_deletes: Threshold,
    /// Operators whose host, port or systemId changes.
    pub max_endpoint_changes: Threshold,
    /// Ids of operators and carriers: to delete one, or to change the host, port or systemId of such an operator, always
    /// holds the plan. A rename does not, and the operator stays protected under its former id while `renamedFrom` names it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub protect: BTreeSet<String>,
}

/// A limit by number and by share; exceeding either holds the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Threshold {
    /// Most objects in one plan.
    #[schemars(range(min = 0))]
    pub count: u32,
    /// Most objects in percent of those that exist.
    #[schemars(range(min = 0, max = 100))]
    pub percent: u8,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { count: 20, percent: 25 }
    }
}

/// Throughput rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TpsPolicy {
    /// Share of a contract in percent that must stay unreserved.
    #[schemars(range(min = 0, max = 100))]
    pub min_on_demand_pool_percent: u8,
}

impl Default for TpsPolicy {
    fn default() -> Self {
        Self { min_on_demand_pool_percent: 10 }
    }
}

/// Who can open sealed passwords.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SecretsPolicy {
    /// age recipients (`age1…`).
    pub recipients: Vec<String>,
}

/// A warning someone has taken responsibility for, until a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Acknowledgement {
    /// The finding's code, `BND####`.
    #[schemars(regex(pattern = "^BND[0-9]{4}$"))]
    pub code: String,
    /// Id of the object it is about.
    pub object: String,
    /// Why it is accepted.
    pub reason: Reason,
    /// First day on which it no longer holds.
    pub expires: Day,
}
