//! What merely happens: contracts and reservations that begin and end, renames that take effect.

use std::collections::BTreeMap;

use bindery_schema::contract::{Direction, Period};
use bindery_schema::policy::PolicySpec;
use bindery_schema::value::{ContractRef, Day, MnoId, Tps};

use super::Upcoming;
use crate::diagnostic::{Anchor, Severity};
use crate::parse::{ContractTerms, ReservationTerms};
use crate::validate::{Carriers, ContractsObject, Objects};

/// Every event of the tree.
pub(super) fn events(objects: &Objects<'_>, policy: &PolicySpec) -> Vec<Upcoming> {
    let carriers = Carriers::new(objects, policy);
    let mut events = Vec::new();
    for (mno, object) in &objects.contracts {
        let contracts: Vec<Known<'_>> = object.read.contracts().filter_map(Known::of).collect();
        let by_beginning = contracts.iter().map(|one| ((one.direction, one.period.from), one));
        let calendar = Calendar { mno, object, by_beginning: by_beginning.collect() };
        let in_use = Direction::ALL.map(|direction| (direction, carriers.throughput(mno, direction) > 0));
        for contract in &contracts {
            let anchor = object.root.clone().at("spec.contracts").index(contract.place);
            calendar.contract(contract, &anchor, in_use.contains(&(contract.direction, true)), &mut events);
        }
        for terms in object.read.reservations() {
            let anchor = object.root.clone().at("spec.reservations").index(terms.place);
            calendar.reservation(&terms, &anchor, &mut events);
        }
    }
    renames(objects, &mut events);
    events
}

/// A contract that was read in full.
struct Known<'a> {
    place: u32,
    reference: &'a ContractRef,
    direction: Direction,
    tps: Tps,
    period: Period,
}

impl<'a> Known<'a> {
    fn of(terms: ContractTerms<'a>) -> Option<Self> {
        let ContractTerms { place, reference, direction, tps, term } = terms;
        Some(Self { place, reference: reference?, direction: direction?, tps: tps?, period: term.period()? })
    }
}

struct Calendar<'o, 'a> {
    mno: &'a MnoId,
    object: &'o ContractsObject<'a>,
    by_beginning: BTreeMap<(Direction, Day), &'o Known<'o>>,
}

impl Calendar<'_, '_> {
    fn event(&self, date: Day, kind: &'static str, severity: Severity, message: String, place: Anchor) -> Upcoming {
        let object = self.mno.as_str().to_owned();
        Upcoming { date, code: None, kind, severity, object, message, place: place.into() }
    }

    /// A contract that ends with none after it, in a direction that is in use, asks for someone to act.
    fn contract(&self, contract: &Known<'_>, anchor: &Anchor, in_use: bool, events: &mut Vec<Upcoming>) {
        let Known { reference, direction, tps, period, .. } = contract;
        let message = format!("contract `{reference}` begins: {tps} messages a second {direction}");
        let place = anchor.clone().at("effectiveFrom");
        events.push(self.event(period.from, "contract-begins", Severity::Note, message, place));
        let Some(end) = period.to else { return };
        let after = self.by_beginning.range((*direction, end)..).next();
        let next = after.map(|(_, next)| next).filter(|next| next.direction == *direction);
        let (follows, severity) = match next {
            Some(next) if next.period.from == end => {
                let change = match next.tps {
                    to if to == *tps => String::new(),
                    to => format!(" with {to} instead of {tps} messages a second"),
                };
                (format!("`{}` follows{change}", next.reference), Severity::Note)
            }
            Some(next) => (format!("the next, `{}`, begins on {}", next.reference, next.period.from), Severity::Note),
            None if in_use && !self.object.read.may_hide(Some(*direction), |term| term.may_hold(end)) => {
                ("none follows, and active operators use it".to_owned(), Severity::Warning)
            }
            None => ("none follows".to_owned(), Severity::Note),
        };
        let message = format!("contract `{reference}` ({direction}) ends, {follows}");
        events.push(self.event(end, "contract-ends", severity, message, anchor.clone().at("effectiveTo")));
    }

    /// Bounds that are not written follow the contracts, whose events are listed.
    fn reservation(&self, reservation: &ReservationTerms<'_>, anchor: &Anchor, events: &mut Vec<Upcoming>) {
        let ReservationTerms { tenant, direction, tps, bounds, .. } = *reservation;
        let Some(((tenant, direction), (tps, (from, to)))) = tenant.zip(direction).zip(tps.zip(bounds)) else { return };
        if let Some(from) = from {
            let message = format!("tenant `{tenant}` reserves {tps} messages a second {direction}");
            let place = anchor.clone().at("effectiveFrom");
            events.push(self.event(from, "reservation-begins", Severity::Note, message, place));
        }
        if let Some(to) = to {
            let message = format!("tenant `{tenant}` gives back {tps} messages a second {direction}");
            let place = anchor.clone().at("effectiveTo");
            events.push(self.event(to, "reservation-ends", Severity::Note, message, place));
        }
    }
}

fn renames(objects: &Objects<'_>, events: &mut Vec<Upcoming>) {
    for (id, operator) in &objects.operators {
        let Some((Some(former), Some(effective_at))) = operator.renamed_from() else { continue };
        let message =
            format!("operator `{former}` becomes `{id}` at {effective_at}; remove `renamedFrom` once that is done");
        events.push(Upcoming {
            date: Day::of(effective_at.timestamp()),
            code: None,
            kind: "rename-effective",
            severity: Severity::Note,
            object: id.to_string(),
            message,
            place: operator.root.clone().at("metadata.renamedFrom.effectiveAt").into(),
        });
    }
}
