//! Health states and the signals they are made from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Instant, OperatorId};

/// How well an operator takes traffic, from unknown over bad to good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthState {
    /// Nothing was heard for the silence time.
    #[default]
    Unknown,
    /// Takes no traffic worth sending.
    Unhealthy,
    /// Takes traffic slowly or with losses.
    Degraded,
    /// Takes traffic.
    Healthy,
}

impl HealthState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Unhealthy, Self::Degraded, Self::Healthy];

    /// As events and stores spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Unhealthy => "UNHEALTHY",
            Self::Degraded => "DEGRADED",
            Self::Healthy => "HEALTHY",
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownState;

impl FromStr for HealthState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

/// State of a connector's SMPP session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BindState {
    /// The session stands.
    Bound,
    /// It is being set up.
    Binding,
    /// There is none.
    Unbound,
}

/// What smpp-connector reports about one bind, on `operator.health.signal.v1.{operatorId}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthSignal {
    /// The operator.
    pub operator_id: OperatorId,
    /// Which connector speaks.
    pub connector_id: String,
    /// State of the session.
    pub bind_state: BindState,
    /// Messages submitted since the connector's last signal.
    #[serde(default)]
    pub submitted: u64,
    /// Of those, refused or lost. Throttled ones are not failed.
    #[serde(default)]
    pub failed: u64,
    /// Of those, refused as too fast (`ESME_RTHROTTLED`).
    #[serde(default)]
    pub throttled: u64,
    /// 95th percentile of the response time, in milliseconds.
    #[serde(default)]
    pub p95_millis: u32,
    /// Requests without an answer yet.
    #[serde(default)]
    pub in_flight: u64,
    /// When it was measured.
    pub at: Instant,
}

/// `ops:health:{operatorId}` in Redis and the answer of the internal health endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthView {
    /// The operator's state.
    pub state: HealthState,
    /// Since when.
    pub since: Option<Instant>,
    /// When a connector last spoke.
    pub last_signal_at: Option<Instant>,
    /// What the state rests on.
    pub reason: String,
    /// What each connector last said.
    pub connectors: BTreeMap<String, ConnectorView>,
}

impl HealthView {
    /// An operator no connector ever spoke about.
    pub fn unheard() -> Self {
        Self {
            state: HealthState::Unknown,
            since: None,
            last_signal_at: None,
            reason: "no connector was ever heard".to_owned(),
            connectors: BTreeMap::new(),
        }
    }
}

/// What one connector last said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorView {
    /// The state its signals amount to.
    pub state: HealthState,
    /// What that state rests on.
    pub reason: String,
    /// State of its session.
    pub bind_state: BindState,
    /// Share of failed submits, 0 to 1.
    pub error_rate: f64,
    /// 95th percentile of the response time, in milliseconds.
    pub p95_millis: u32,
    /// Requests without an answer.
    pub in_flight: u64,
    /// When it measured.
    pub at: Instant,
    /// When the agent heard it. Silence counts from here, so that a connector's clock does not matter.
    pub heard_at: Instant,
    /// How many of its signals in a row asked for what.
    #[serde(default)]
    pub runs: SignalRuns,
}

/// Signals in a row, up to the newest, that asked for a state or one beyond it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignalRuns {
    /// Asked for HEALTHY.
    pub healthy: u16,
    /// Asked for HEALTHY or DEGRADED.
    pub degraded_or_better: u16,
    /// Asked for DEGRADED or UNHEALTHY.
    pub degraded_or_worse: u16,
    /// Asked for UNHEALTHY.
    pub unhealthy: u16,
}

/// One change of an operator's state: a row of its history, and an event of the live stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthChange {
    /// Its number in the log: a later change has a larger one. The stream goes on after it by `Last-Event-ID`.
    pub id: i64,
    /// The operator.
    pub operator_id: OperatorId,
    /// The state until then.
    pub previous: HealthState,
    /// The state from then on.
    pub state: HealthState,
    /// What it rested on.
    pub reason: String,
    /// Whose signal brought it about; absent when silence did.
    pub connector_id: Option<String>,
    /// When.
    pub at: Instant,
}
