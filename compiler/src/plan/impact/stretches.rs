//! What contracts and reservations add up to on both sides of a plan, from one day on which that changes to the next.

use std::collections::BTreeMap;

use bindery_schema::contract::{Contract, Direction, Period, TpsContractSpec};
use bindery_schema::value::{Day, TenantId};

use crate::validate::Cover;

/// Contracts in force, messages a second contracted, and reserved.
pub(super) type Amounts = [i64; 3];

/// What something adds, and when.
pub(super) type Item = (Period, Amounts);

/// The reservations of a direction, each for as long as contracts are in force below it. Beginnings are resolved in a catalog.
pub(super) fn reserved(spec: &TpsContractSpec, direction: Direction) -> impl Iterator<Item = (&TenantId, Item)> {
    let mut periods: Vec<Period> =
        spec.contracts.iter().filter(|c| c.direction == direction).map(Contract::period).collect();
    periods.sort_unstable_by_key(|period| period.from);
    let cover = Cover::of(periods.into_iter());
    let of_direction = spec.reservations.iter().filter(move |reservation| reservation.direction == direction);
    of_direction.flat_map(move |reservation| {
        let amounts = [0, 0, i64::from(reservation.reserved_tps)];
        let whole = reservation.effective_from.map(|from| Period { from, to: reservation.effective_to });
        let parts: Vec<Period> = whole.into_iter().flat_map(|whole| cover.within(whole)).collect();
        parts.into_iter().map(move |part| (&reservation.tenant, (part, amounts)))
    })
}

/// Days on which the sums of neither side change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) period: Period,
    pub(super) before: Amounts,
    pub(super) after: Amounts,
}

impl Stretch {
    /// What the plan adds on these days.
    pub(super) fn difference(&self) -> Amounts {
        let mut difference = self.after;
        add(&mut difference, self.before, -1);
        difference
    }
}

/// Every day from one on, to the end of time: one pass over what begins and ends.
pub(super) fn stretches(before: &[Item], after: &[Item], today: Day) -> Vec<Stretch> {
    let mut steps: BTreeMap<Day, [Amounts; 2]> = BTreeMap::from([(today, Default::default())]);
    for (side, items) in [before, after].into_iter().enumerate() {
        for (period, amounts) in items.iter().filter(|(period, _)| !period.ended_by(today)) {
            add(&mut steps.entry(period.from.max(today)).or_default()[side], *amounts, 1);
            if let Some(to) = period.to {
                add(&mut steps.entry(to).or_default()[side], *amounts, -1);
            }
        }
    }
    let mut stretches: Vec<Stretch> = Vec::new();
    let [mut old, mut new] = [Amounts::default(); 2];
    for (day, [old_step, new_step]) in steps {
        add(&mut old, old_step, 1);
        add(&mut new, new_step, 1);
        if let Some(last) = stretches.last_mut() {
            // A contract that another one follows at once changes nothing.
            if (last.before, last.after) == (old, new) {
                continue;
            }
            last.period.to = Some(day);
        }
        stretches.push(Stretch { period: Period { from: day, to: None }, before: old, after: new });
    }
    stretches
}

fn add(sums: &mut Amounts, amounts: Amounts, sign: i64) {
    sums.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += sign * amount);
}
