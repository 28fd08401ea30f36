//! What merely happens: contracts and reservations that begin and end, renames that take effect.

use std::collections::BTreeMap;

use bindery_schema::contract::{Contract, Direction, Reservation};
use bindery_schema::policy::PolicySpec;
use bindery_schema::value::{Day, MnoId};

use super::Upcoming;
use crate::diagnostic::{Anchor, Severity};
use crate::validate::{Carriers, ContractsObject, Objects};

/// Every event of the tree.
pub(super) fn events(objects: &Objects<'_>, policy: &PolicySpec) -> Vec<Upcoming> {
    let carriers = Carriers::new(objects, policy);
    let mut events = Vec::new();
    for (mno, object) in &objects.contracts {
        let by_beginning = object.contracts.items.iter().map(|one| ((one.direction, one.effective_from), one));
        let calendar = Calendar { mno, object, by_beginning: by_beginning.collect() };
        let in_use = Direction::ALL.map(|direction| (direction, carriers.throughput(mno, direction) > 0));
        for (place, contract) in object.contracts.placed() {
            let anchor = object.root.clone().at("spec.contracts").index(place);
            calendar.contract(contract, &anchor, in_use.contains(&(contract.direction, true)), &mut events);
        }
        for (place, reservation) in object.reservations.placed() {
            let anchor = object.root.clone().at("spec.reservations").index(place);
            calendar.reservation(reservation, &anchor, &mut events);
        }
    }
    renames(objects, &mut events);
    events
}

struct Calendar<'o, 'a> {
    mno: &'a MnoId,
    object: &'o ContractsObject<'a>,
    by_beginning: BTreeMap<(Direction, Day), &'o Contract>,
}

impl Calendar<'_, '_> {
    fn event(&self, date: Day, kind: &'static str, severity: Severity, message: String, place: Anchor) -> Upcoming {
        let object = self.mno.as_str().to_owned();
        Upcoming { date, code: None, kind, severity, object, message, place: place.into() }
    }

    /// A contract that ends with none after it, in a direction that is in use, asks for someone to act.
    fn contract(&self, contract: &Contract, anchor: &Anchor, in_use: bool, events: &mut Vec<Upcoming>) {
        let Contract { reference, direction, contracted_tps, effective_from, effective_to, .. } = contract;
        let message = format!("contract `{reference}` begins: {contracted_tps} messages a second {direction}");
        let place = anchor.clone().at("effectiveFrom");
        events.push(self.event(*effective_from, "contract-begins", Severity::Note, message, place));
        let Some(end) = effective_to else { return };
        let after = self.by_beginning.range((*direction, *end)..).next();
        let next = after.map(|(_, next)| next).filter(|next| next.direction == *direction);
        let (follows, severity) = match next {
            Some(next) if next.effective_from == *end => {
                let from = contracted_tps;
                let change = match next.contracted_tps {
                    to if to == *from => String::new(),
                    to => format!(" with {to} instead of {from} messages a second"),
                };
                (format!("`{}` follows{change}", next.reference), Severity::Note)
            }
            Some(next) => {
                (format!("the next, `{}`, begins on {}", next.reference, next.effective_from), Severity::Note)
            }
            None if in_use && !self.object.partial => {
                ("none follows, and active operators use it".to_owned(), Severity::Warning)
            }
            None => ("none follows".to_owned(), Severity::Note),
        };
        let message = format!("contract `{reference}` ({direction}) ends, {follows}");
        events.push(self.event(*end, "contract-ends", severity, message, anchor.clone().at("effectiveTo")));
    }

    /// Bounds that are not written follow the contracts, whose events are listed.
    fn reservation(&self, reservation: &Reservation, anchor: &Anchor, events: &mut Vec<Upcoming>) {
        let Reservation { tenant, direction, reserved_tps, effective_from, effective_to } = reservation;
        if let Some(from) = effective_from {
            let message = format!("tenant `{tenant}` reserves {reserved_tps} messages a second {direction}");
            let place = anchor.clone().at("effectiveFrom");
            events.push(self.event(*from, "reservation-begins", Severity::Note, message, place));
        }
        if let Some(to) = effective_to {
            let message = format!("tenant `{tenant}` gives back {reserved_tps} messages a second {direction}");
            let place = anchor.clone().at("effectiveTo");
            events.push(self.event(*to, "reservation-ends", Severity::Note, message, place));
        }
    }
}

fn renames(objects: &Objects<'_>, events: &mut Vec<Upcoming>) {
    for (id, operator) in &objects.operators {
        let Some(renamed) = operator.metadata.and_then(|metadata| metadata.renamed_from.as_ref()) else { continue };
        let message = format!(
            "operator `{}` becomes `{id}` at {}; remove `renamedFrom` once that is done",
            renamed.id, renamed.effective_at
        );
        events.push(Upcoming {
            date: Day::of(renamed.effective_at.timestamp()),
            code: None,
            kind: "rename-effective",
            severity: Severity::Note,
            object: id.to_string(),
            message,
            place: operator.root.clone().at("metadata.renamedFrom.effectiveAt").into(),
        });
    }
}
