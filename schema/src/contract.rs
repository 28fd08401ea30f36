//! Kind `TpsContract`: what a carrier's contracts allow, and which tenants reserved it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{ContractRef, Cost, Day, DocumentUri, MnoId, TenantId, Tps};

/// `metadata` of a `TpsContract`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TpsContractMetadata {
    /// The carrier.
    pub mno: MnoId,
}

/// `spec` of a `TpsContract`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TpsContractSpec {
    /// The contracts; those of one direction never overlap in time.
    pub contracts: Vec<Contract>,
    /// What tenants reserved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reservations: Vec<Reservation>,
}

impl TpsContractSpec {
    /// What a document says, as stores keep it: contracts by beginning, and reservations with a beginning each.
    pub fn resolved(contracts: &[Contract], reservations: &[Reservation]) -> Self {
        let mut contracts = contracts.to_vec();
        contracts.sort_by(|a, b| {
            (a.direction, a.effective_from, &a.reference).cmp(&(b.direction, b.effective_from, &b.reference))
        });
        let first =
            |direction| contracts.iter().find(|contract| contract.direction == direction).map(|c| c.effective_from);
        let resolve = |item: &Reservation| {
            let effective_from = item.effective_from.or_else(|| first(item.direction));
            Reservation { effective_from, ..item.clone() }
        };
        let mut reservations: Vec<Reservation> = reservations.iter().map(resolve).collect();
        reservations.sort_by(|a, b| {
            (&a.tenant, a.direction, a.effective_from).cmp(&(&b.tenant, b.direction, b.effective_from))
        });
        Self { contracts, reservations }
    }
}

/// Which way messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Direction {
    /// From the platform to the carrier.
    Outbound,
    /// From the carrier to the platform.
    Inbound,
}

impl Direction {
    /// Both directions, in order.
    pub const ALL: [Self; 2] = [Self::Outbound, Self::Inbound];

    /// As YAML and the stores spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "OUTBOUND",
            Self::Inbound => "INBOUND",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A period of time in which a carrier allows a throughput in one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contract {
    /// The contract's reference.
    #[serde(rename = "ref")]
    pub reference: ContractRef,
    /// Which way.
    pub direction: Direction,
    /// Messages a second, counted in segments.
    #[schemars(range(min = 1))]
    pub contracted_tps: Tps,
    /// First day in force.
    pub effective_from: Day,
    /// First day no longer in force; open when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_to: Option<Day>,
    /// The signed document.
    pub document: DocumentUri,
    /// What exceeding it costs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fine_schedule: Vec<FineStep>,
}

impl Contract {
    /// When the contract is in force.
    pub fn period(&self) -> Period {
        Period { from: self.effective_from, to: self.effective_to }
    }
}

/// A penalty that begins at an excess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FineStep {
    /// Excess over the contracted rate in percent from which the fine is due.
    #[schemars(range(min = 0))]
    pub over_percent: f64,
    /// The fine.
    pub fine: Cost,
    /// What it is counted for.
    pub per: FinePer,
}

/// What a fine is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum FinePer {
    Breach,
    Hour,
    Day,
    Month,
}

/// Throughput a tenant has reserved with a carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reservation {
    /// The tenant.
    pub tenant: TenantId,
    /// Which way.
    pub direction: Direction,
    /// Messages a second.
    #[schemars(range(min = 1))]
    pub reserved_tps: Tps,
    /// First day; the direction's first contract's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<Day>,
    /// First day no longer reserved; as long as contracts last when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_to: Option<Day>,
}

/// A half-open interval of days, `[from, to)`. Without `to` it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First day inside.
    pub from: Day,
    /// First day outside.
    pub to: Option<Day>,
}

impl Period {
    /// Whether a day lies inside.
    pub fn contains(self, day: Day) -> bool {
        self.from <= day && self.to.is_none_or(|to| day < to)
    }

    /// Whether the two share a day.
    pub fn overlaps(self, other: Self) -> bool {
        self.to.is_none_or(|to| other.from < to) && other.to.is_none_or(|to| self.from < to)
    }

    /// Whether it was over before a day began.
    pub fn ended_by(self, day: Day) -> bool {
        self.to.is_some_and(|to| to <= day)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "{} to {to}", self.from),
            None => write!(f, "from {}", self.from),
        }
    }
}
