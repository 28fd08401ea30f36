//! Contracts, reservations and binds of a carrier in each period in which the two sides differ.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::{Catalog, Mno};
use bindery_schema::contract::{Direction, Period, TpsContractSpec};
use bindery_schema::impact::{Throughput, ThroughputImpact};
use bindery_schema::operator::Status;
use bindery_schema::value::{Day, MnoId, Tps};

use super::stretches::{Amounts, Item, reserved, stretches};

/// Most periods of one carrier and direction that are told, the worst: of thousands of reservations that move, each may
/// begin another.
const MOST_PERIODS: usize = 24;

/// Messages a second the active operators of each carrier may carry: outbound, inbound.
type Binds<'a> = BTreeMap<&'a MnoId, [u64; 2]>;

/// What differs, and for how long it does.
pub(super) struct Differing {
    pub(super) period: Period,
    pub(super) impact: ThroughputImpact,
}

/// The periods of every carrier and direction, in order of time.
pub(super) fn compare(before: &Catalog, after: &Catalog, today: Day) -> Vec<Differing> {
    let (old_binds, new_binds) = (binds(before), binds(after));
    let none = TpsContractSpec::default();
    let minimum = i64::from(before.policy.tps.min_on_demand_pool_percent);
    let mnos: BTreeSet<&MnoId> = before.mnos.keys().chain(after.mnos.keys()).collect();
    let mut found = Vec::new();
    for mno in mnos {
        let (old, new) = (before.mnos.get(mno), after.mnos.get(mno));
        let same_contracts = old.zip(new).is_some_and(|(old, new)| old.contracts_hash == new.contracts_hash);
        if same_contracts && old_binds.get(mno) == new_binds.get(mno) {
            continue;
        }
        for (index, direction) in Direction::ALL.into_iter().enumerate() {
            let sum = |binds: &Binds<'_>| binds.get(mno).map_or(0, |sums| sums[index]);
            let side = |mno: Option<&Mno>| of_direction(mno.map_or(&none, |mno| &mno.contracts), direction);
            let way = Way { mno, direction, binds: [sum(&old_binds), sum(&new_binds)], minimum };
            way.differing(&side(old), &side(new), today, &mut found);
        }
    }
    found
}

/// The worst periods of each carrier and direction, the worst of all first.
pub(super) fn worst(found: Vec<Differing>) -> Vec<ThroughputImpact> {
    let mut impacts: Vec<ThroughputImpact> = found.into_iter().map(|differing| differing.impact).collect();
    impacts.sort_by_cached_key(worst_first);
    let mut told: BTreeMap<(MnoId, Direction), usize> = BTreeMap::new();
    impacts.retain(|impact| {
        let periods = told.entry((impact.mno.clone(), impact.direction)).or_default();
        *periods += 1;
        *periods <= MOST_PERIODS
    });
    impacts
}

/// A carrier in one direction.
struct Way<'a> {
    mno: &'a MnoId,
    direction: Direction,
    /// What its active operators may carry on each side, on any day.
    binds: [u64; 2],
    minimum: i64,
}

impl Way<'_> {
    /// A period ends where the two sides differ by something else, or the plan takes the pool below the minimum.
    fn differing(&self, old: &[Item], new: &[Item], today: Day, found: &mut Vec<Differing>) {
        let [binds_before, binds_after] = self.binds;
        let mut last = None;
        for stretch in stretches(old, new, today) {
            let difference = stretch.difference();
            if difference == Amounts::default() && binds_before == binds_after {
                last = None;
                continue;
            }
            let this = Some((difference, self.below(stretch.after) && !self.below(stretch.before)));
            if let Some(open) = found.last_mut().filter(|_| last == this) {
                open.period.to = stretch.period.to;
                continue;
            }
            last = this;
            let impact = ThroughputImpact {
                mno: self.mno.clone(),
                direction: self.direction,
                from: stretch.period.from,
                before: throughput(stretch.before, binds_before),
                after: throughput(stretch.after, binds_after),
                below_minimum: self.below(stretch.after),
            };
            found.push(Differing { period: stretch.period, impact });
        }
    }

    fn below(&self, [in_force, contracted, reserved]: Amounts) -> bool {
        in_force > 0 && (contracted - reserved) * 100 < self.minimum * contracted
    }
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

/// What contracts and reservations add, and when.
fn of_direction(spec: &TpsContractSpec, direction: Direction) -> Vec<Item> {
    let contracts = spec.contracts.iter().filter(|contract| contract.direction == direction);
    let contracts = contracts.map(|contract| (contract.period(), [1, i64::from(contract.contracted_tps), 0]));
    contracts.chain(reserved(spec, direction).map(|(_, item)| item)).collect()
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
fn worst_first(impact: &ThroughputImpact) -> (Reverse<bool>, Reverse<bool>, i64, i64, Day, MnoId, Direction) {
    let ThroughputImpact { before, after, .. } = impact;
    let lost = before.contracted.is_some() && after.contracted.is_none();
    let pool = after.on_demand_pool.unwrap_or_default() - before.on_demand_pool.unwrap_or_default();
    let binds = i64::try_from(after.binds).unwrap_or(i64::MAX) - i64::try_from(before.binds).unwrap_or(i64::MAX);
    (Reverse(lost), Reverse(impact.below_minimum), pool, binds, impact.from, impact.mno.clone(), impact.direction)
}
