//! What a plan means for traffic, money and tenants: its blast radius. Every list has the worst first.

use schemars::JsonSchema;
use serde::Serialize;

use crate::change::CredentialsChange;
use crate::contract::Direction;
use crate::value::{Cost, Day, E164Prefix, MnoId, OperatorId, TenantId, Tps};

/// The blast radius of a plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    /// Destinations whose traffic goes another way or costs something else.
    pub destinations: Vec<DestinationImpact>,
    /// Carriers whose throughput changes, now or later: a row for each period in which it differs otherwise, of a carrier
    /// and direction at most the 24 worst.
    pub throughput: Vec<ThroughputImpact>,
    /// Tenants with a reservation that changes, or with a carrier that loses what they reserved it for.
    pub tenants: Vec<TenantImpact>,
    /// Passwords that are written, missing or deleted; never their values.
    pub credentials: Vec<CredentialsImpact>,
}

impl Impact {
    /// Whether the plan changes nothing that anyone would feel.
    pub fn is_empty(&self) -> bool {
        self.destinations.is_empty()
            && self.throughput.is_empty()
            && self.tenants.is_empty()
            && self.credentials.is_empty()
    }
}

/// Destinations that are served otherwise: the numbers under a prefix and under no narrower one of either side.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DestinationImpact {
    /// The destinations.
    pub prefix: E164Prefix,
    /// What changes for them.
    pub kind: DestinationKind,
    /// Who serves them now; absent where nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Served>,
    /// Who will serve them; absent where nobody will.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Served>,
    /// The broader prefix that a rule for exactly these destinations takes them from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<E164Prefix>,
    /// Change of the cost of a message in percent, where both sides have one in the same currency and the first is not 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_change_percent: Option<f64>,
}

/// What changes for destinations, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DestinationKind {
    /// Nobody serves them any more.
    Unserved,
    /// Other carriers serve them.
    Carrier,
    /// The same binds serve them for more.
    Dearer,
    /// Other binds of the same carriers serve them.
    Operator,
    /// The same binds share them otherwise.
    Share,
    /// Their cost comes, goes or changes currency.
    Repriced,
    /// They were served by nobody.
    Served,
    /// The same binds serve them for less.
    Cheaper,
}

/// Who serves destinations.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// The prefix of the rules that win.
    pub rule: E164Prefix,
    /// The operators that take traffic, several where it is split.
    pub operators: Vec<Share>,
    /// What one message costs, weighted over the operators; absent where one has no cost or currencies differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
}

/// An operator's part in serving destinations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// The operator.
    pub operator: OperatorId,
    /// Its carrier.
    pub mno: MnoId,
    /// Its weight among the operators that share.
    pub weight: u16,
}

/// A carrier's throughput in one direction, before and after, in one period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThroughputImpact {
    /// The carrier.
    pub mno: MnoId,
    /// Which way.
    pub direction: Direction,
    /// The first day of the period, from today on: from it on the two sides differ, or by more or less than before.
    pub from: Day,
    /// As it is on that day without the plan.
    pub before: Throughput,
    /// As it is on that day with it.
    pub after: Throughput,
    /// Whether the pool is then below the policy's `tps.minOnDemandPoolPercent`.
    pub below_minimum: bool,
}

/// Messages a second of one carrier and direction on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Throughput {
    /// What the contract in force allows; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contracted: Option<Tps>,
    /// What tenants have reserved.
    pub reserved: u64,
    /// Contracted and not reserved; absent without a contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_demand_pool: Option<i64>,
    /// What the active operators may carry in all.
    pub binds: u64,
}

/// What a tenant would notice at a carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantImpact {
    /// The tenant.
    pub tenant: TenantId,
    /// The carrier it reserved throughput with.
    pub mno: MnoId,
    /// Which way.
    pub direction: Direction,
    /// The day on which its reservation falls most; where it never falls, the first on which it differs; where it stays as
    /// it is, the first day it has one and is affected.
    pub from: Day,
    /// Messages a second it has reserved on that day without the plan.
    pub reserved_before: u64,
    /// Messages a second it has reserved on that day with it.
    pub reserved_after: u64,
    /// Why it is affected.
    pub reasons: Vec<TenantReason>,
}

/// Why a tenant is affected, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TenantReason {
    /// The carrier is deleted.
    CarrierDeleted,
    /// Its reservation falls or ends.
    ReservationFalls,
    /// The carrier's contracted throughput falls or ends.
    ContractFalls,
    /// Destinations leave the carrier.
    DestinationsLeave,
    /// The carrier's active operators may carry less.
    BindsFall,
    /// Operators of the carrier connect to another endpoint.
    EndpointsMove,
    /// Its reservation begins or rises.
    ReservationRises,
}

/// What happens to an operator's password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsImpact {
    /// The operator.
    pub operator: OperatorId,
    /// What happens.
    pub change: CredentialsChange,
}

/// A part of the policy that a change makes less strict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Loosening {
    /// Dotted path below the policy's `spec`.
    pub path: String,
    /// How it is loosened, in one line.
    pub message: String,
    /// Whether it applies to the change that brings it. Guardrails, routing and throughput rules apply from the next on.
    pub effective: bool,
}
