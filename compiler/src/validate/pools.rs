//! What is reserved of a carrier's contracts, and what is left for the others. Made ready once, looked at as of any day.

use std::collections::BTreeSet;

use bindery_schema::contract::Direction;
use bindery_schema::value::{Day, Tps};

use super::agreements::{Dated, File};
use super::calendar::{Claim, Reserved};
use super::contracts::MOST_RELATED;
use crate::diagnostic::{Code, Draft, Sink};

/// The contracts and reservations of one direction.
pub(crate) struct Pools<'o, 'a> {
    file: File<'o, 'a>,
    contracts: Vec<Dated<'a>>,
    /// Every reservation that has a period, ended or not, also where it has no contract on some day. One of which the rate
    /// could not be read only adds to them.
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
        let claims = file.claims(direction, &contracts).filter_map(|claimed| {
            Some(Claim { place: claimed.terms.place, tps: claimed.terms.tps?, period: claimed.period? })
        });
        let claims: Vec<Claim> = claims.collect();
        let reserved = Reserved::of(&claims);
        Self { file, contracts, claims, reserved }
    }

    /// Checks every contract that has not ended by a day.
    pub(crate) fn check(&self, today: Day, sink: &mut Sink) {
        for contract in self.contracts.iter().filter(|contract| !contract.period.ended_by(today)) {
            if let Some(contracted) = contract.tps {
                self.pool(contract, contracted, today, sink);
            }
        }
    }

    /// The days on which a contract becomes fuller than it should be or ceases to be: on no other day does a check find
    /// what one before it did not foresee.
    pub(crate) fn turns(&self) -> BTreeSet<Day> {
        let mut turns = BTreeSet::new();
        for Dated { tps, period, .. } in &self.contracts {
            let (Some(contracted), mut before) = (*tps, None) else { continue };
            for (day, sum) in self.reserved.within(period.from, period.to) {
                let level = Some(self.level(contracted, sum));
                if level != before {
                    turns.insert(day);
                }
                before = level;
            }
        }
        turns
    }

    fn level(&self, contracted: Tps, sum: u64) -> Level {
        let contracted = u64::from(contracted);
        match contracted.checked_sub(sum) {
            None => Level::Over,
            Some(free) if free * 100 < contracted * u64::from(self.file.minimum_percent) => Level::Low,
            Some(_) => Level::Fine,
        }
    }

    /// What is reserved of a contract, at each day on which that changes.
    fn pool(&self, contract: &Dated<'_>, contracted: Tps, today: Day, sink: &mut Sink) {
        let begin = contract.period.from.max(today);
        let mut below: Option<Day> = None;
        let mut tightest: Option<(Day, u64)> = None;
        for (day, sum) in self.reserved.within(begin, contract.period.to) {
            if self.level(contracted, sum) == Level::Over {
                return self.over_reserved(contract.place, contracted, day, sum, sink);
            }
            if self.level(contracted, sum) == Level::Low {
                below = below.or(Some(day));
                tightest = tightest.filter(|(_, before)| *before >= sum).or(Some((day, sum)));
            }
        }
        if let Some((day, sum)) = tightest {
            let free = u64::from(contracted) - sum;
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

    fn over_reserved(&self, place: u32, contracted: Tps, day: Day, sum: u64, sink: &mut Sink) {
        let message = format!("{sum} messages a second are reserved from {day}, the contract has {contracted}");
        let mut draft = Draft::new(Code::ReservedOverContract, self.file.contract(place).at("contractedTps"), message)
            .help("reserve less, or contract more before that day")
            .since(Some(day));
        for claim in self.claims.iter().filter(|claim| claim.period.contains(day)).take(MOST_RELATED) {
            let place = self.file.reservation(claim.place).at("reservedTps");
            draft = draft.related(place, format!("{} of them", claim.tps));
        }
        self.file.push(draft, sink);
    }
}
