//! Contracts, reservations and binds of a carrier on the first day on which the two sides differ.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::Catalog;
use bindery_schema::contract::{Direction, Period, TpsContractSpec};
use bindery_schema::impact::{Throughput, ThroughputImpact};
use bindery_schema::operator::Status;
use bindery_schema::value::{Day, MnoId, Tps};

/// Contracts in force, messages a second contracted, and reserved.
pub(super) type Amounts = [i64; 3];

/// Messages a second the active operators of each carrier may carry: outbound, inbound.
type Binds<'a> = BTreeMap<&'a MnoId, [u64; 2]>;

pub(super) fn compare(before: &Catalog, after: &Catalog, today: Day) -> Vec<ThroughputImpact> {
    let (old_binds, new_binds) = (binds(before), binds(after));
    let none = TpsContractSpec::default();
    let minimum = i64::from(before.policy.tps.min_on_demand_pool_percent);
    let mnos: BTreeSet<&MnoId> = before.mnos.keys().chain(after.mnos.keys()).collect();
    let mut impacts = Vec::new();
    for mno in mnos {
        let (old, new) = (before.mnos.get(mno), after.mnos.get(mno));
        let same_contracts = old.zip(new).is_some_and(|(old, new)| old.contracts_hash == new.contracts_hash);
        if same_contracts && old_binds.get(mno) == new_binds.get(mno) {
            continue;
        }
        for (index, direction) in Direction::ALL.into_iter().enumerate() {
            let sum = |binds: &Binds<'_>| binds.get(mno).map_or(0, |sums| sums[index]);
            let (binds_before, binds_after) = (sum(&old_binds), sum(&new_binds));
            let old = of_direction(old.map_or(&none, |mno| &mno.contracts), direction);
            let new = of_direction(new.map_or(&none, |mno| &mno.contracts), direction);
            let day = if binds_before == binds_after { first_difference(&old, &new, today) } else { Some(today) };
            let Some(day) = day else { continue };
            let (before, after) = (on(&old, day), on(&new, day));
            impacts.push(ThroughputImpact {
                mno: mno.clone(),
                direction,
                from: day,
                before: throughput(before, binds_before),
                after: throughput(after, binds_after),
                below_minimum: after[0] > 0 && (after[1] - after[2]) * 100 < minimum * after[1],
            });
        }
    }
    impacts.sort_by_key(worst_first);
    impacts
}

fn binds(catalog: &Catalog) -> Binds<'_> {
    let mut sums = Binds::new();
    for operator in catalog.operators.values().filter(|operator| operator.spec.status == Status::Active) {
        let sum = sums.entry(&operator.mno).or_default();
        sum[0] += u64::from(operator.spec.tps.outbound);
        sum[1] += u64::from(operator.spec.tps.inbound);
    }
    sums
}

/// What contracts and reservations add, and when. A reservation's beginning is resolved in a catalog.
fn of_direction(spec: &TpsContractSpec, direction: Direction) -> Vec<(Period, Amounts)> {
    let contracts = spec.contracts.iter().filter(|contract| contract.direction == direction);
    let contracts = contracts.map(|contract| (contract.period(), [1, i64::from(contract.contracted_tps), 0]));
    let reservations = spec.reservations.iter().filter(|reservation| reservation.direction == direction);
    let reservations = reservations.filter_map(|reservation| {
        let period = Period { from: reservation.effective_from?, to: reservation.effective_to };
        Some((period, [0, 0, i64::from(reservation.reserved_tps)]))
    });
    contracts.chain(reservations).collect()
}

/// The sums on a day.
pub(super) fn on(items: &[(Period, Amounts)], day: Day) -> Amounts {
    let mut sums = Amounts::default();
    for (_, amounts) in items.iter().filter(|(period, _)| period.contains(day)) {
        add(&mut sums, *amounts, 1);
    }
    sums
}

/// The first day from today on on which the sums of the two sides differ: one pass over what begins and ends.
pub(super) fn first_difference(before: &[(Period, Amounts)], after: &[(Period, Amounts)], today: Day) -> Option<Day> {
    let mut steps: BTreeMap<Day, Amounts> = BTreeMap::new();
    for (items, sign) in [(before, 1), (after, -1)] {
        for (period, amounts) in items.iter().filter(|(period, _)| !period.ended_by(today)) {
            add(steps.entry(period.from.max(today)).or_default(), *amounts, sign);
            if let Some(to) = period.to {
                add(steps.entry(to).or_default(), *amounts, -sign);
            }
        }
    }
    let mut difference = Amounts::default();
    steps.into_iter().find_map(|(day, step)| {
        add(&mut difference, step, 1);
        (difference != Amounts::default()).then_some(day)
    })
}

fn add(sums: &mut Amounts, amounts: Amounts, sign: i64) {
    sums.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += sign * amount);
}

fn throughput([in_force, contracted, reserved]: Amounts, binds: u64) -> Throughput {
    Throughput {
        contracted: (in_force > 0).then(|| Tps::try_from(contracted).unwrap_or(Tps::MAX)),
        reserved: reserved.unsigned_abs(),
        on_demand_pool: (in_force > 0).then_some(contracted - reserved),
        binds,
    }
}

/// A lost contract, a pool below the minimum, then by how much the pool and the binds fall.
fn worst_first(impact: &ThroughputImpact) -> (Reverse<bool>, Reverse<bool>, i64, i64, MnoId, Direction) {
    let ThroughputImpact { before, after, .. } = impact;
    let lost = before.contracted.is_some() && after.contracted.is_none();
    let pool = after.on_demand_pool.unwrap_or_default() - before.on_demand_pool.unwrap_or_default();
    let binds = i64::try_from(after.binds).unwrap_or(i64::MAX) - i64::try_from(before.binds).unwrap_or(i64::MAX);
    (Reverse(lost), Reverse(impact.below_minimum), pool, binds, impact.mno.clone(), impact.direction)
}
