//! Kind `Routes`: the destination prefixes of one operator.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Cost, E164Prefix, Name, OperatorId};

/// `metadata` of a Routes document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutesMetadata {
    /// The operator whose rules these are.
    pub operator: OperatorId,
}

/// `spec` of a Routes document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutesSpec {
    /// The rules, in any order.
    pub rules: Vec<Rule>,
}

/// One destination prefix of an operator. Longest prefix wins; then the lowest priority; then weights share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The destinations.
    pub prefix: E164Prefix,
    /// Among equal prefixes the lowest number wins.
    #[serde(default = "default_priority")]
    #[schemars(range(min = 0, max = 65535))]
    pub priority: u16,
    /// Share of the traffic among equal prefixes and priorities; 0 takes none.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 0, max = 65535))]
    pub weight: u16,
    /// What one message costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Whether the rule takes part in routing.
    #[serde(default = "default_active")]
    pub active: bool,
    /// The nearest broader prefix this rule knowingly lies inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrows: Option<E164Prefix>,
    /// Name of a declared split of the prefix between operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Name>,
}

impl Rule {
    /// A rule that says no more than its prefix.
    pub fn of(prefix: E164Prefix) -> Self {
        Self {
            prefix,
            priority: DEFAULT_PRIORITY,
            weight: DEFAULT_WEIGHT,
            cost: None,
            active: true,
            narrows: None,
            split: None,
        }
    }
}

/// Middle of the range people use (10, 20, … 200), so that a rule without one can be preceded and followed.
pub const DEFAULT_PRIORITY: u16 = 100;
/// Reads as per cent where all weights of a split are written.
pub const DEFAULT_WEIGHT: u16 = 100;

fn default_priority() -> u16 {
    DEFAULT_PRIORITY
}

fn default_weight() -> u16 {
    DEFAULT_WEIGHT
}

fn default_active() -> bool {
    true
}
