//! What a full look at the stores found: `/v1/admin/sync/drift`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::value::Instant;

/// A store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Store {
    Postgres,
    Vault,
    Redis,
    Nats,
}

impl Store {
    /// Every store.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Vault, Self::Redis, Self::Nats];

    /// The word for people, metrics and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Vault => "vault",
            Self::Redis => "redis",
            Self::Nats => "nats",
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What becomes of drift in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftPolicy {
    /// The store is made to say what git says.
    Heal,
    /// It is told, and stays.
    Report,
}

/// Which way a store and git differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DriftDirection {
    /// Git has it and the store has not.
    Missing,
    /// The store has it and git does not know it.
    Unknown,
    /// Both have it, with different content.
    Differs,
}

impl DriftDirection {
    /// Every direction.
    pub const ALL: [Self; 3] = [Self::Missing, Self::Unknown, Self::Differs];

    /// The word for people and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Differs => "differs",
        }
    }
}

/// One difference between a store and git.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Where.
    pub store: Store,
    /// What: `operator/af-roshan-1`, `rule/af-roshan-1/9370`, `ops:operator:af-roshan-1`.
    pub object: String,
    /// Which part of it, such as `host` or `spec.smpp.host`; absent where the whole object is missing or unknown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
    /// Which way.
    pub direction: DriftDirection,
    /// What the store holds; null where it holds nothing, and for secrets.
    pub stored: Value,
    /// What git wants; null where it wants nothing, where the whole object is missing, and for secrets.
    pub wanted: Value,
}

/// What a look found in one store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreDrift {
    /// What became of it.
    pub outcome: DriftOutcome,
    /// What the configuration says to do.
    pub policy: DriftPolicy,
    /// How many differences there are.
    pub differences: usize,
    /// Why it was not observed or not healed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What became of a store's differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DriftOutcome {
    /// There are none.
    None,
    /// They are told and stay.
    Reported,
    /// The store says what git says again.
    Healed,
    /// A guardrail holds the healing.
    Held,
    /// Healing failed; it is tried again after the next look.
    Failed,
    /// The store could not be read in full: nothing is known, so nothing is concluded.
    NotObserved,
}

impl DriftOutcome {
    /// The words for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "no drift",
            Self::Reported => "reported",
            Self::Healed => "healed",
            Self::Held => "held by a guardrail",
            Self::Failed => "healing failed",
            Self::NotObserved => "not observed",
        }
    }
}

/// A full look at the four stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// Number of the look that was asked for last when it began.
    pub run: u64,
    /// When it began.
    pub started_at: Instant,
    /// How long it took, healing included.
    pub millis: u64,
    /// The applied commit the stores were compared with.
    pub commit: String,
    /// Its step.
    pub generation: i64,
    /// Each store.
    pub stores: BTreeMap<Store, StoreDrift>,
    /// The differences, the first thousand at most; [`StoreDrift::differences`] counts all.
    pub differences: Vec<Difference>,
    /// The guardrails that hold the healing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub holds: Vec<String>,
    /// Hash that releases it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan_hash: Option<String>,
}

impl DriftReport {
    /// How many differences there are in all stores.
    pub fn count(&self) -> usize {
        self.stores.values().map(|store| store.differences).sum()
    }

    /// Whether every store was observed.
    pub fn is_complete(&self) -> bool {
        self.stores.values().all(|store| store.outcome != DriftOutcome::NotObserved)
    }
}

/// What is known of drift: `GET /v1/admin/sync/drift`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftStatus {
    /// Number of the look asked for last.
    pub asked: u64,
    /// Number of the look that has come to its end last: `last` or `failed` tells how.
    pub answered: u64,
    /// The last look of this agent; absent before the first, and on an agent that follows.
    pub last: Option<DriftReport>,
    /// Why the last look could not be taken.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<String>,
}

/// Body of `POST /v1/admin/sync/drift`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DriftRequest {
    /// Look only: nothing is healed, whatever the configuration says.
    pub dry_run: bool,
    /// Hash of a held healing to carry out.
    pub allow: Option<String>,
}
