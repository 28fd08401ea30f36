//! Kind `Operator`: one SMPP bind.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{AddressRange, Host, Instant, MnoId, Name, OperatorId, SystemId, SystemType, Tps};

/// `metadata` of an Operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorMetadata {
    /// The operator's id.
    pub id: OperatorId,
    /// The carrier it binds to.
    pub mno: MnoId,
    /// Set when the operator had another id before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<RenamedFrom>,
}

/// The former id of a renamed operator. The stores keep it until `effectiveAt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenamedFrom {
    /// The id until now.
    pub id: OperatorId,
    /// When the new id takes over.
    pub effective_at: Instant,
    /// How long before that no new dispatch goes to the old id, in seconds.
    #[serde(default = "defaults::drain_seconds")]
    #[schemars(range(min = 0, max = 86400))]
    pub drain_seconds: u32,
}

/// `spec` of an Operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("allOf" = [cannot_carry("RECEIVER", "outbound"), cannot_carry("TRANSMITTER", "inbound")]))]
pub struct OperatorSpec {
    /// Name for people.
    pub display_name: Name,
    /// Whether traffic may be routed to it.
    #[serde(default)]
    pub status: Status,
    /// How to bind.
    pub smpp: Smpp,
    /// How fast, by direction.
    pub tps: TpsLimits,
    /// When its health state changes.
    #[serde(default)]
    pub health: HealthThresholds,
    /// The sealed password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// What differs in a named environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, EnvironmentOverlay>,
}

/// The part of the schema that says which direction a bind mode leaves at 0.
fn cannot_carry(mode: &str, direction: &str) -> serde_json::Value {
    serde_json::json!({
        "if": {"properties": {"smpp": {"required": ["bindMode"], "properties": {"bindMode": {"const": mode}}}}},
        "then": {"properties": {"tps": {"properties": {direction: {"const": 0}}}}},
    })
}

/// Whether an operator takes traffic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Takes traffic.
    #[default]
    Active,
    /// Kept, but takes no traffic.
    Inactive,
}

impl Status {
    /// As YAML and the stores spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// The bind's parameters (SMPP 3.4, 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Smpp {
    /// The carrier's SMSC.
    pub host: Host,
    /// TCP port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Our user name there.
    pub system_id: SystemId,
    /// SMPP `system_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_type: Option<SystemType>,
    /// Which directions the session carries.
    #[serde(default)]
    pub bind_mode: BindMode,
    /// Protocol version, quoted.
    #[serde(default)]
    pub interface_version: InterfaceVersion,
    /// Whether the session runs over TLS.
    #[serde(default)]
    pub tls: bool,
    /// Unanswered requests at a time.
    #[serde(default = "defaults::window_size")]
    #[schemars(range(min = 1, max = 65535))]
    pub window_size: u16,
    /// Seconds between `enquire_link` requests on an idle session.
    #[serde(default = "defaults::enquire_link_seconds")]
    #[schemars(range(min = 1, max = 65535))]
    pub enquire_link_seconds: u16,
    /// Type of number of the served addresses.
    #[serde(default)]
    #[schemars(range(min = 0, max = 255))]
    pub addr_ton: u8,
    /// Numbering plan of the served addresses.
    #[serde(default)]
    #[schemars(range(min = 0, max = 255))]
    pub addr_npi: u8,
    /// Served addresses as a regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_range: Option<AddressRange>,
}

/// Which PDUs the session carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BindMode {
    /// Both directions.
    #[default]
    Transceiver,
    /// Submits only: outbound.
    Transmitter,
    /// Delivers only: inbound.
    Receiver,
}

impl BindMode {
    /// Whether a session of this mode carries messages of a direction.
    pub fn carries(self, direction: crate::contract::Direction) -> bool {
        use crate::contract::Direction;
        match self {
            Self::Transceiver => true,
            Self::Transmitter => direction == Direction::Outbound,
            Self::Receiver => direction == Direction::Inbound,
        }
    }
}

/// SMPP protocol version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum InterfaceVersion {
    /// SMPP 3.4.
    #[default]
    #[serde(rename = "3.4")]
    V3_4,
    /// SMPP 5.0.
    #[serde(rename = "5.0")]
    V5_0,
}

/// Throughput by direction, in messages a second. At least one is above 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"required": ["outbound"], "properties": {"outbound": {"minimum": 1}}},
    {"required": ["inbound"], "properties": {"inbound": {"minimum": 1}}},
]))]
pub struct TpsLimits {
    /// Messages a second to the carrier.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub outbound: Tps,
    /// Messages a second from the carrier.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub inbound: Tps,
}

impl TpsLimits {
    /// The limit of one direction.
    pub fn of(self, direction: crate::contract::Direction) -> Tps {
        match direction {
            crate::contract::Direction::Outbound => self.outbound,
            crate::contract::Direction::Inbound => self.inbound,
        }
    }
}

/// When the health state of an operator changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HealthThresholds {
    /// Share of failed submits, 0 to 1, above which the operator is DEGRADED.
    #[schemars(range(min = 0, max = 1))]
    pub degraded_error_rate: f64,
    /// Share of failed submits, 0 to 1, above which it is UNHEALTHY.
    #[schemars(range(min = 0, max = 1))]
    pub unhealthy_error_rate: f64,
    /// 95th percentile of the response time in milliseconds above which it is DEGRADED.
    #[schemars(range(min = 1))]
    pub degraded_p95_millis: u32,
    /// 95th percentile of the response time in milliseconds above which it is UNHEALTHY.
    #[schemars(range(min = 1))]
    pub unhealthy_p95_millis: u32,
    /// Signals in a row that must ask for a worse state.
    #[schemars(range(min = 1, max = 1000))]
    pub confirm: u16,
    /// Signals in a row that must ask for a better state.
    #[schemars(range(min = 1, max = 1000))]
    pub recover: u16,
    /// Seconds without a signal after which the state is UNKNOWN. At most the life of the Redis key.
    #[schemars(range(min = 1, max = 60))]
    pub silence_seconds: u16,
}

impl Default for HealthThresholds {
    fn default() -> Self {
        Self {
            degraded_error_rate: 0.05,
            unhealthy_error_rate: 0.25,
            degraded_p95_millis: 2_000,
            unhealthy_p95_millis: 10_000,
            confirm: 3,
            recover: 3,
            silence_seconds: 60,
        }
    }
}

/// The password of a bind, as git may hold it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// The password, encrypted with age to the policy's recipients by `bindery seal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Arc<str>>,
    /// When the password was last set outside git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<Instant>,
}

/// What differs in one environment: a partial bind, throughput or password laid over the base.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentOverlay {
    /// Differences of the bind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smpp: Option<SmppOverlay>,
    /// Differences of the throughput.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tps: Option<TpsOverlay>,
    /// Another password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

/// A partial [`Smpp`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each field stands for the one of the same name in `Smpp`")]
pub struct SmppOverlay {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_id: Option<SystemId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_type: Option<SystemType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_mode: Option<BindMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_version: Option<InterfaceVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub window_size: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub enquire_link_seconds: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 255))]
    pub addr_ton: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 255))]
    pub addr_npi: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_range: Option<AddressRange>,
}

/// A partial [`TpsLimits`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each field stands for the one of the same name in `TpsLimits`")]
pub struct TpsOverlay {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub outbound: Option<Tps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub inbound: Option<Tps>,
}

impl OperatorSpec {
    /// The spec without its overlays: itself where it has none.
    #[must_use]
    pub fn base(self: &Arc<Self>) -> Arc<Self> {
        if self.environments.is_empty() { self.clone() } else { Arc::new(self.in_environment(None)) }
    }

    /// The spec as it is in an environment: the overlay of that name laid over the base, `environments` gone.
    /// Without a name, or without an overlay of that name, it is the base.
    #[must_use]
    pub fn in_environment(&self, name: Option<&str>) -> Self {
        // Field by field: a clone of the whole would copy every overlay for each of them.
        let mut spec = Self {
            display_name: self.display_name.clone(),
            status: self.status,
            smpp: self.smpp.clone(),
            tps: self.tps,
            health: self.health,
            credentials: self.credentials.clone(),
            environments: BTreeMap::new(),
        };
        let Some(overlay) = name.and_then(|name| self.environments.get(name)) else { return spec };
        if let Some(smpp) = &overlay.smpp {
            smpp.lay_over(&mut spec.smpp);
        }
        if let Some(tps) = overlay.tps {
            spec.tps.outbound = tps.outbound.unwrap_or(spec.tps.outbound);
            spec.tps.inbound = tps.inbound.unwrap_or(spec.tps.inbound);
        }
        if let Some(credentials) = &overlay.credentials {
            spec.credentials = Some(credentials.clone());
        }
        spec
    }
}

impl OperatorSpec {
    /// The spec as the stores keep it: the sealed password stays in git.
    #[must_use]
    pub fn without_sealed(&self) -> Self {
        let rotated_at = self.credentials.as_ref().and_then(|credentials| credentials.rotated_at);
        let credentials = rotated_at.map(|at| Credentials { sealed: None, rotated_at: Some(at) });
        Self { credentials, ..self.clone() }
    }

    /// The sealed password, where git holds one.
    pub fn sealed(&self) -> Option<&str> {
        self.credentials.as_ref()?.sealed.as_deref()
    }
}

impl SmppOverlay {
    /// The bind with what differs laid over it.
    #[must_use]
    pub fn over(&self, base: &Smpp) -> Smpp {
        let mut smpp = base.clone();
        self.lay_over(&mut smpp);
        smpp
    }

    fn lay_over(&self, base: &mut Smpp) {
        fn lay<T: Clone>(over: Option<&T>, base: &mut T) {
            if let Some(value) = over {
                base.clone_from(value);
            }
        }
        lay(self.host.as_ref(), &mut base.host);
        lay(self.port.as_ref(), &mut base.port);
        lay(self.system_id.as_ref(), &mut base.system_id);
        lay(self.bind_mode.as_ref(), &mut base.bind_mode);
        lay(self.interface_version.as_ref(), &mut base.interface_version);
        lay(self.tls.as_ref(), &mut base.tls);
        lay(self.window_size.as_ref(), &mut base.window_size);
        lay(self.enquire_link_seconds.as_ref(), &mut base.enquire_link_seconds);
        lay(self.addr_ton.as_ref(), &mut base.addr_ton);
        lay(self.addr_npi.as_ref(), &mut base.addr_npi);
        base.system_type = self.system_type.clone().or_else(|| base.system_type.take());
        base.address_range = self.address_range.clone().or_else(|| base.address_range.take());
    }
}

/// The guideline most carriers name for the window; SMPP sets no limit.
pub const DEFAULT_WINDOW_SIZE: u16 = 10;
/// Below the idle time-out of a minute that carriers commonly use.
pub const DEFAULT_ENQUIRE_LINK_SECONDS: u16 = 30;
/// Two minutes: longer than any carrier's response time-out seen (US-OPS-09).
pub const DEFAULT_DRAIN_SECONDS: u32 = 120;

mod defaults {
    //! Defaults that are neither zero nor empty.

    pub(super) fn drain_seconds() -> u32 {
        super::DEFAULT_DRAIN_SECONDS
    }

    pub(super) fn window_size() -> u16 {
        super::DEFAULT_WINDOW_SIZE
    }

    pub(super) fn enquire_link_seconds() -> u16 {
        super::DEFAULT_ENQUIRE_LINK_SECONDS
    }
}
