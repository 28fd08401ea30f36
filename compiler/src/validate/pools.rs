//! What is reserved of a carrier's contracts, and what is left for the others. Made ready once, looked at as of any day.

use std::collections::BTreeSet;

use bindery_schema::contract::{Contract, Direction};
use bindery_schema::value::Day;

use super::calendar::{Claim, Reserved};
use super::contracts::{File, MOST_RELATED, Placed};
use crate::diagnostic::{Code, Draft, Sink};

/// The contracts and reservations of one direction.
pub(crate) struct Pools<'o, 'a> {
    file: File<'o, 'a>,
    contracts: Vec<Placed<'o, Contract>>,
    /// Every reservation that has a contract, ended or not.
    claims: Vec<Claim>,
    reserved: Reserved,
}

/// How full a contract is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Fine,
    /// Less is left than the policy asks for.
    Low,
    Over,
}

impl<'o, 'a> Pools<'o, 'a> {
    pub(super) fn of(file: File<'o, 'a>, direction: Direction) -> Self {
        let contracts = file.of_direction(direction);
        let claims: Vec<Claim> = file.claims(direction, &contracts).filter_map(|(_, claim)| claim.ok()).collect();
        let reserved = Reserved::of(&claims);
        Self { file, contracts, claims, reserved }
    }

    /// Checks every contract that has not ended by a day.
    pub(crate) fn check(&self, today: Day, sink: &mut Sink) {
        for contract in self.contracts.iter().filter(|contract| !contract.item.period().ended_by(today)) {
            self.pool(contract, today, sink);
        }
    }

    /// The days on which a contract becomes fuller than it should be or ceases to be: on no other day does a check find
    /// what one before it did not foresee.
    pub(crate) fn turns(&self) -> BTreeSet<Day> {
        let mut turns = BTreeSet::new();
        for Placed { item, .. } in &self.contracts {
            let mut before = None;
            for (day, sum) in self.reserved.within(item.effective_from, item.effective_to) {
                let level = Some(self.level(item, sum));
                if level != before {
                    turns.insert(day);
                }
                before = level;
            }
        }
        turns
    }

    fn level(&self, contract: &Contract, sum: u64) -> Level {
        let contracted = u64::from(contract.contracted_tps);
        match contracted.checked_sub(sum) {
            None => Level::Over,
            Some(free) if free * 100 < contracted * u64::from(self.file.minimum_percent) => Level::Low,
            Some(_) => Level::Fine,
        }
    }

    /// What is reserved of a contract, at each day on which that changes.
    fn pool(&self, contract: &Placed<'_, Contract>, today: Day, sink: &mut Sink) {
        let (item, contracted) = (contract.item, u64::from(contract.item.contracted_tps));
        let begin = item.effective_from.max(today);
        let mut below: Option<Day> = None;
        let mut tightest: Option<(Day, u64)> = None;
        for (day, sum) in self.reserved.within(begin, item.effective_to) {
            if self.level(item, sum) == Level::Over {
                return self.over_reserved(contract, day, sum, sink);
            }
            if self.level(item, sum) == Level::Low {
                below = below.or(Some(day));
                tightest = tightest.filter(|(_, before)| *before >= sum).or(Some((day, sum)));
            }
        }
        if let Some((day, sum)) = tightest {
            let free = contracted - sum;
            let message = format!(
                "{free} of {contracted} messages a second stay unreserved from {day}, less than {} %",
                self.file.minimum_percent
            );
            let draft =
                Draft::new(Code::PoolBelowMinimum, self.file.contract(contract.place).at("contractedTps"), message)
                    .help("tenants without a reservation share what is left; reserve less or contract more")
                    .since(below);
            self.file.push(draft, sink);
        }
    }

    fn over_reserved(&self, contract: &Placed<'_, Contract>, day: Day, sum: u64, sink: &mut Sink) {
        let message = format!(
            "{sum} messages a second are reserved from {day}, the contract has {}",
            contract.item.contracted_tps
        );
        let mut draft =
            Draft::new(Code::ReservedOverContract, self.file.contract(contract.place).at("contractedTps"), message)
                .help("reserve less, or contract more before that day")
                .since(Some(day));
        for claim in self.claims.iter().filter(|claim| claim.period.contains(day)).take(MOST_RELATED) {
            let place = self.file.reservation(claim.place).at("reservedTps");
            draft = draft.related(place, format!("{} of them", claim.tps));
        }
        self.file.push(draft, sink);
    }
}
