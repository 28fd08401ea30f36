//! Kind `Mno`: a carrier, with the people, promises and address blocks the NOC needs at night.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Cidr, ClockTime, Country, MccMnc, MnoId, Name, Timezone, Weekday};

/// `metadata` of a Mno.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MnoMetadata {
    /// The carrier's id.
    pub id: MnoId,
}

/// `spec` of a Mno.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MnoSpec {
    /// The carrier's name as people know it.
    pub name: Name,
    /// Where it operates.
    pub country: Country,
    /// Its mobile country and network codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mccmnc: Vec<MccMnc>,
    /// Whom to call, by escalation tier.
    pub contacts: Contacts,
    /// What it promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
    /// When it may change things.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change_windows: Vec<ChangeWindow>,
    /// Address blocks each side lets through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allowlist: Option<IpAllowlist>,
    /// Anything else worth knowing; goes into the runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// The escalation tree. A missing second or third tier is a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contacts {
    /// First line, reachable at any hour.
    #[schemars(length(min = 1))]
    pub t1: Vec<Contact>,
    /// Messaging engineering.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub t2: Vec<Contact>,
    /// Management or carrier relations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub t3: Vec<Contact>,
}

/// A person or a desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contact {
    /// Name of the person or desk.
    pub name: Name,
    /// What they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Name>,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Name>,
}

/// What the carrier promises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sla {
    /// Availability a month without planned maintenance, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub availability_percent: Option<f64>,
    /// Time to a first answer, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_minutes: Option<ResponseMinutes>,
}

/// Minutes to a first answer by priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseMinutes {
    /// Service down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub p1: Option<u32>,
    /// Service degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub p2: Option<u32>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub p3: Option<u32>,
}

/// A weekly window in which changes are allowed. `to` ≤ `from` ends on the next day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeWindow {
    /// Days on which the window opens.
    #[schemars(length(min = 1))]
    pub days: Vec<Weekday>,
    /// When it opens.
    pub from: ClockTime,
    /// When it closes.
    pub to: ClockTime,
    /// Whose clock that is.
    pub timezone: Timezone,
}

/// Address blocks each side lets through its firewall.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpAllowlist {
    /// Ours, which the carrier must let in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ours: Vec<Cidr>,
    /// Theirs, which we let in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub theirs: Vec<Cidr>,
}
