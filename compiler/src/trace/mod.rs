//! Where a number goes, and why: the rules that serve it, the ones that lose, and the state of what serves it then.
//!
//! A [`Table`] is built once for a catalog and a time; each [`trace`] of a number then looks at its candidates alone.
//! The longest prefix wins, among equal prefixes the lowest priority, among equal priorities traffic is shared by
//! weight. Only active rules of ACTIVE operators take part. A rule with weight 0 takes its turn and no traffic: where
//! it wins alone, nobody serves the number. What an operator's health makes of it is not looked at.

pub mod country;
pub mod number;
mod table;
#[cfg(test)]
mod tests;
pub mod text;

use bindery_schema::catalog::Catalog;
use bindery_schema::contract::{Contract, Direction};
use bindery_schema::operator::{Status, TpsLimits};
use bindery_schema::value::{ContractRef, Day, E164Prefix, Instant, MnoId, OperatorId, Tps};
use jiff::Timestamp;
use serde::Serialize;

pub use table::{Bind, Candidate, Table};

/// The way of one number.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace<'c> {
    /// The number, normalised.
    pub number: E164Prefix,
    /// ISO 3166-1 alpha-2 code of its country.
    pub country: Option<&'static str>,
    /// Who serves it; empty where nobody does, more than one where traffic is split.
    pub routes: Vec<Route<'c>>,
    /// The other rules that match, longest prefix first.
    pub rejected: Vec<Rejected<'c>>,
    /// The operators of `routes`.
    pub operators: Vec<OperatorState<'c>>,
    /// The outbound contracts of the carriers of `routes`.
    pub contracts: Vec<ContractState<'c>>,
}

/// The answer for a text that is no number, in place of a [`Trace`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused<'t> {
    /// The text as it was given.
    pub number: &'t str,
    /// Why it is no number.
    pub error: String,
}

/// A rule that takes traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route<'c> {
    /// Its operator.
    pub operator: &'c OperatorId,
    /// Its prefix.
    pub prefix: E164Prefix,
    /// Its priority.
    pub priority: u16,
    /// Its share among the routes.
    pub weight: u16,
}

/// A rule that matches and takes no traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected<'c> {
    /// Its operator.
    pub operator: &'c OperatorId,
    /// Its prefix.
    pub prefix: E164Prefix,
    /// Its priority.
    pub priority: u16,
    /// Its weight.
    pub weight: u16,
    /// Why it takes none.
    pub reason: Reason,
}

/// Why a rule takes no traffic; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Reason {
    /// Its operator takes no traffic at all.
    #[serde(rename = "operator INACTIVE")]
    OperatorInactive,
    /// It is switched off.
    #[serde(rename = "inactive rule")]
    RuleInactive,
    /// A longer prefix serves the number.
    #[serde(rename = "shorter prefix")]
    ShorterPrefix,
    /// A rule of the same prefix comes first.
    #[serde(rename = "higher priority number")]
    HigherPriority,
    /// It has no share.
    #[serde(rename = "weight 0")]
    NoWeight,
}

/// An operator at the time of the trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorState<'c> {
    /// The id it goes by then.
    pub operator: &'c OperatorId,
    /// Its carrier.
    pub mno: &'c MnoId,
    /// Whether it takes traffic.
    pub status: Status,
    /// How fast it may be used.
    pub tps: TpsLimits,
    /// The rename that its file asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rename: Option<RenameState<'c>>,
}

/// A rename, done or to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenameState<'c> {
    /// The id before.
    pub old_id: &'c OperatorId,
    /// The id from then on.
    pub new_id: &'c OperatorId,
    /// When.
    pub effective_at: Instant,
}

/// What a carrier's contracts say for outbound traffic on the day of the trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractState<'c> {
    /// The carrier.
    pub mno: &'c MnoId,
    /// Always OUTBOUND: a number is traced as a destination.
    pub direction: Direction,
    /// Whether a contract is in force.
    pub state: InForce,
    /// The contract in force, else the next one, else the last one.
    #[serde(rename = "ref")]
    pub reference: Option<&'c ContractRef>,
    /// Messages a second it allows.
    pub contracted_tps: Option<Tps>,
    /// Its first day.
    pub effective_from: Option<Day>,
    /// The first day it is no longer in force.
    pub effective_to: Option<Day>,
}

/// Whether a contract is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InForce {
    /// It is.
    InForce,
    /// None is; one begins later.
    NotYet,
    /// None is any more.
    Ended,
    /// The carrier has none for outbound traffic.
    None,
}

/// Finds the way of a number.
pub fn trace<'c>(number: E164Prefix, table: &Table<'c>, catalog: &'c Catalog, at: Timestamp) -> Trace<'c> {
    // Candidates come longest prefix first and by priority: the first that takes part is the one to beat.
    let winner = table.candidates(number).find(|candidate| table.takes_part(candidate));
    let (mut routes, mut rejected) = (Vec::new(), Vec::new());
    let (mut operators, mut contracts) = (Vec::<OperatorState<'c>>::new(), Vec::<ContractState<'c>>::new());
    for candidate in table.candidates(number) {
        let Candidate { prefix, priority, weight, .. } = *candidate;
        let bind = table.bind(candidate);
        if let Some(reason) = rejects(candidate, bind, winner) {
            rejected.push(Rejected { operator: bind.id, prefix, priority, weight, reason });
            continue;
        }
        routes.push(Route { operator: bind.id, prefix, priority, weight });
        operators.push(operator_state(bind));
        let mno = &bind.operator.mno;
        if !contracts.iter().any(|known| known.mno == mno) {
            contracts.push(contract_state(mno, catalog, Day::of(at)));
        }
    }
    Trace { number, country: country::of(number), routes, rejected, operators, contracts }
}

fn rejects(candidate: &Candidate, bind: Bind<'_>, winner: Option<&Candidate>) -> Option<Reason> {
    if bind.operator.spec.status == Status::Inactive {
        return Some(Reason::OperatorInactive);
    }
    if !candidate.active {
        return Some(Reason::RuleInactive);
    }
    match winner {
        Some(winner) if candidate.prefix != winner.prefix => Some(Reason::ShorterPrefix),
        Some(winner) if candidate.priority != winner.priority => Some(Reason::HigherPriority),
        _ => (candidate.weight == 0).then_some(Reason::NoWeight),
    }
}

fn operator_state(bind: Bind<'_>) -> OperatorState<'_> {
    let Bind { id, tree_id, operator } = bind;
    let rename = operator.renamed_from.as_ref().map(|renamed| RenameState {
        old_id: &renamed.id,
        new_id: tree_id,
        effective_at: renamed.effective_at,
    });
    OperatorState { operator: id, mno: &operator.mno, status: operator.spec.status, tps: operator.spec.tps, rename }
}

fn contract_state<'c>(mno: &'c MnoId, catalog: &'c Catalog, day: Day) -> ContractState<'c> {
    let direction = Direction::Outbound;
    let all = catalog.mnos.get(mno).map_or(&[][..], |mno| &mno.contracts.contracts);
    let of_direction = || all.iter().filter(|contract| contract.direction == direction);
    // Contracts of a carrier are in the order they begin.
    let in_force = of_direction().find(|contract| contract.period().contains(day));
    let next = || of_direction().find(|contract| contract.effective_from > day);
    let (state, contract): (_, Option<&Contract>) = match in_force {
        Some(contract) => (InForce::InForce, Some(contract)),
        None => match next() {
            Some(contract) => (InForce::NotYet, Some(contract)),
            None => match of_direction().next_back() {
                Some(contract) => (InForce::Ended, Some(contract)),
                None => (InForce::None, None),
            },
        },
    };
    ContractState {
        mno,
        direction,
        state,
        reference: contract.map(|contract| &contract.reference),
        contracted_tps: contract.map(|contract| contract.contracted_tps),
        effective_from: contract.map(|contract| contract.effective_from),
        effective_to: contract.and_then(|contract| contract.effective_to),
    }
}
