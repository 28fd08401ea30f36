//! What a carrier's contracts and reservations say to each other, whoever sends by them.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::contract::{Direction, Period};
use bindery_schema::value::{ContractRef, Day, MnoId, Tps};

use super::calendar::Cover;
use super::{ContractsObject, named};
use crate::diagnostic::{Anchor, Code, Draft, Sink};
use crate::parse::{Bounds, ReservationTerms};

/// A carrier's `TpsContract` document.
#[derive(Clone, Copy)]
pub(super) struct File<'o, 'a> {
    /// The carrier, where its id could be read.
    pub(super) mno: Option<&'a MnoId>,
    pub(super) object: &'o ContractsObject<'a>,
    pub(super) minimum_percent: u8,
}

/// A contract of which direction and period could be read, with its place in the YAML list.
#[derive(Clone, Copy)]
pub(super) struct Dated<'a> {
    pub(super) place: u32,
    pub(super) reference: Option<&'a ContractRef>,
    pub(super) direction: Direction,
    pub(super) tps: Option<Tps>,
    pub(super) period: Period,
}

/// A reservation of which direction and bounds could be read.
pub(super) struct Claimed<'a> {
    pub(super) terms: ReservationTerms<'a>,
    bounds: Bounds,
    /// Absent where it would begin with the first contract and there is none.
    pub(super) period: Option<Period>,
    /// The first day on which it has no contract.
    lacks: Option<Day>,
}

impl<'a> File<'_, 'a> {
    pub(super) fn contract(&self, place: u32) -> Anchor {
        self.object.root.clone().at("spec.contracts").index(place)
    }

    pub(super) fn reservation(&self, place: u32) -> Anchor {
        self.object.root.clone().at("spec.reservations").index(place)
    }

    pub(super) fn push(&self, draft: Draft, sink: &mut Sink) {
        sink.push(draft.about_some(self.mno));
    }

    /// Checks all that concerns the contracts and reservations alone, without the pools.
    pub(super) fn check(&self, today: Day, sink: &mut Sink) {
        self.duplicates(sink);
        for direction in Direction::ALL {
            self.direction(direction, today, sink);
        }
    }

    /// A contract is known by direction and reference, a reservation by tenant, direction and beginning.
    fn duplicates(&self, sink: &mut Sink) {
        let mut contracts = BTreeMap::new();
        for contract in self.object.read.contracts() {
            let place = contract.place;
            let Some((direction, reference)) = contract.direction.zip(contract.reference) else { continue };
            match contracts.get(&(direction, reference)) {
                None => _ = contracts.insert((direction, reference), place),
                Some(first) => {
                    let message = format!("contract `{reference}` stands twice for {direction}");
                    let draft = Draft::new(Code::DuplicateObject, self.contract(place).at("ref"), message)
                        .related(self.contract(*first).at("ref"), "the first one")
                        .help("give the second its own reference");
                    self.push(draft, sink);
                }
            }
        }
        let mut reservations = BTreeMap::new();
        for ReservationTerms { place, tenant, direction, bounds, .. } in self.object.read.reservations() {
            let Some(((tenant, direction), (from, _))) = tenant.zip(direction).zip(bounds) else { continue };
            let key = (tenant, direction, from);
            match reservations.get(&key) {
                None => _ = reservations.insert(key, place),
                Some(first) => {
                    let message = format!("tenant `{tenant}` reserves {direction} twice from the same day");
                    let draft = Draft::new(Code::DuplicateObject, self.reservation(place).at("tenant"), message)
                        .related(self.reservation(*first).at("tenant"), "the first one")
                        .help("add the two up in one reservation");
                    self.push(draft, sink);
                }
            }
        }
    }

    /// The contracts of a direction by beginning.
    pub(super) fn of_direction(&self, wanted: Direction) -> Vec<Dated<'a>> {
        let dated = self.object.read.contracts().filter_map(|terms| {
            let (direction, period) = (terms.direction.filter(|direction| *direction == wanted)?, terms.term.period()?);
            Some(Dated { place: terms.place, reference: terms.reference, direction, tps: terms.tps, period })
        });
        let mut contracts: Vec<_> = dated.collect();
        contracts.sort_by_key(|contract| (contract.period.from, contract.place));
        contracts
    }

    /// What concerns the contracts and reservations of one direction alone, without its pools.
    fn direction(&self, direction: Direction, today: Day, sink: &mut Sink) {
        let all = self.of_direction(direction);
        let current: Vec<_> = all.iter().filter(|contract| !contract.period.ended_by(today)).collect();
        self.sequence(&current, sink);
        for Claimed { terms, bounds, period, lacks } in self.claims(direction, &all) {
            let ended = bounds.1.is_some_and(|to| to <= today);
            if (period.is_none() || lacks.is_some()) && !ended {
                self.without_contract(&terms, direction, lacks, sink);
            }
        }
    }

    /// Contracts that have not ended follow each other without overlap and without gap.
    fn sequence(&self, current: &[&Dated<'_>], sink: &mut Sink) {
        for (first, later) in overlaps(current) {
            self.overlap(first, later, sink);
        }
        let mut latest: Option<&Dated<'_>> = None;
        for contract in current {
            if let Some(before) = latest
                && let Some(end) = before.period.to
                && end < contract.period.from
                && !self.may_be_filled(contract.direction, Period { from: end, to: Some(contract.period.from) })
            {
                let from = contract.period.from;
                let message = format!("no {} contract from {end} to {from}", contract.direction);
                let draft = Draft::new(Code::ContractGap, self.contract(contract.place), message)
                    .related(self.contract(before.place), format!("{} ends before", named(before.reference)))
                    .help("let the contracts touch: `effectiveTo` of one is `effectiveFrom` of the next")
                    .since(Some(end));
                self.push(draft, sink);
            }
            let ends_later = |before: &Dated<'_>| match (before.period.to, contract.period.to) {
                (Some(before), Some(end)) => end > before,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if latest.is_none_or(ends_later) {
                latest = Some(contract);
            }
        }
    }

    /// Whether a contract that could not be read in full may lie in a gap.
    fn may_be_filled(&self, direction: Direction, gap: Period) -> bool {
        self.object.read.may_hide(Some(direction), |term| term.may_meet(gap))
    }

    fn overlap(&self, first: &Dated<'_>, later: &Dated<'_>, sink: &mut Sink) {
        let message = format!(
            "contracts {} ({}) and {} ({}) overlap for {}",
            named(first.reference),
            first.period,
            named(later.reference),
            later.period,
            later.direction
        );
        let draft = Draft::new(Code::ContractOverlap, self.contract(later.place).at("effectiveFrom"), message)
            .related(self.contract(first.place).at("effectiveFrom"), named(first.reference))
            .help("end the earlier contract on the day the later one begins")
            .since(Some(first.period.from.max(later.period.from)));
        self.push(draft, sink);
    }

    /// The reservations of a direction with their bounds resolved. What could not be read is taken to be the contract that
    /// one lacks.
    pub(super) fn claims(&self, direction: Direction, contracts: &[Dated<'_>]) -> impl Iterator<Item = Claimed<'a>> {
        let first = contracts.first().map(|contract| contract.period.from);
        let cover = Cover::of(contracts.iter().map(|contract| contract.period));
        let file = *self;
        let reservations = file.object.read.reservations().filter(move |terms| terms.direction == Some(direction));
        reservations.filter_map(move |terms| {
            let bounds = terms.bounds?;
            let read = &file.object.read;
            let Some(from) = bounds.0.or(first) else {
                let may_begin = read.may_hide(Some(direction), |_| true);
                return (!may_begin).then_some(Claimed { terms, bounds, period: None, lacks: None });
            };
            let period = Period { from, to: bounds.1 };
            let lacks = cover.lacks(period, bounds);
            let lacks = lacks.filter(|day| !read.may_hide(Some(direction), |term| term.may_hold(*day)));
            Some(Claimed { terms, bounds, period: Some(period), lacks })
        })
    }

    fn without_contract(&self, terms: &ReservationTerms<'_>, direction: Direction, at: Option<Day>, sink: &mut Sink) {
        let when = at.map(|day| format!(" on {day}")).unwrap_or_default();
        let tenant = named(terms.tenant);
        let message = format!("tenant {tenant} reserves {direction} and there is no contract{when}");
        let draft = Draft::new(Code::ReservationWithoutContract, self.reservation(terms.place), message)
            .help("shorten the reservation, or add the contract it rests on")
            .since(at);
        self.push(draft, sink);
    }
}

/// Every contract that overlaps one before it in the file, behind that one. They are ordered by beginning; each is told once,
/// by the first day on which two overlap.
fn overlaps<'d, 'a>(by_beginning: &[&'d Dated<'a>]) -> Vec<(&'d Dated<'a>, &'d Dated<'a>)> {
    let mut found = Vec::new();
    // Those in force, by place; those of them that are not told yet; and when they end.
    let (mut in_force, mut untold) = (BTreeMap::new(), BTreeMap::new());
    let mut ends: BTreeSet<(Day, u32)> = BTreeSet::new();
    for contract in by_beginning {
        while let Some((end, place)) = ends.first().copied().filter(|(end, _)| *end <= contract.period.from) {
            _ = (ends.remove(&(end, place)), in_force.remove(&place), untold.remove(&place));
        }
        for (_, later) in untold.split_off(&contract.place) {
            found.push((*contract, later));
        }
        match in_force.range(..contract.place).next() {
            Some((_, first)) => found.push((*first, *contract)),
            None => _ = untold.insert(contract.place, *contract),
        }
        in_force.insert(contract.place, *contract);
        ends.extend(contract.period.to.map(|end| (end, contract.place)));
    }
    found
}
