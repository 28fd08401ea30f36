//! Which tenants would notice: those whose reservation changes, and those whose carrier loses what it was reserved for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::{Catalog, Mno};
use bindery_schema::change::Action;
use bindery_schema::contract::{Direction, Period};
use bindery_schema::impact::{DestinationImpact, DestinationKind, Served, TenantImpact, TenantReason};
use bindery_schema::plan::Plan;
use bindery_schema::value::{Day, MnoId, TenantId};

use super::stretches::{self, Amounts, Item, Stretch, stretches};
use super::throughput::Differing;

/// Why each carrier's tenants of a direction are affected, and on which days.
type Reasons<'a> = BTreeMap<&'a MnoId, Vec<(Direction, TenantReason, Period)>>;

/// A tenant's reservations of one direction on both sides.
#[derive(Default)]
struct Sides {
    before: Vec<Item>,
    after: Vec<Item>,
}

pub(super) fn compare(
    before: &Catalog,
    after: &Catalog,
    plan: &Plan,
    destinations: &[DestinationImpact],
    throughput: &[Differing],
    today: Day,
) -> Vec<TenantImpact> {
    let mut reasons = of_carriers(plan, destinations, throughput, today);
    // Carriers whose reservations alone change have no reason of their own and are looked into all the same.
    let changed = plan.mnos.iter().filter(|change| !change.reservations.is_empty());
    changed.for_each(|change| _ = reasons.entry(&change.id).or_default());

    let mut impacts = Vec::new();
    for (mno, reasons) in reasons {
        for ((direction, tenant), sides) in reservations(before.mnos.get(mno), after.mnos.get(mno)) {
            let stretches = stretches(&sides.before, &sides.after, today);
            let of_direction = reasons.iter().filter(|(way, ..)| *way == direction);
            let of_carrier = of_direction.map(|(_, reason, period)| (*reason, *period));
            let Some((stretch, from, reasons)) = affected(&stretches, of_carrier) else { continue };
            impacts.push(TenantImpact {
                tenant: tenant.clone(),
                mno: mno.clone(),
                direction,
                from,
                reserved_before: reserved(stretch.before).unsigned_abs(),
                reserved_after: reserved(stretch.after).unsigned_abs(),
                reasons: reasons.into_iter().collect(),
            });
        }
    }
    impacts.sort_by(|a, b| {
        let worst = |impact: &TenantImpact| (impact.reasons.first().copied(), Reverse(impact.reserved_before));
        worst(a).cmp(&worst(b)).then_with(|| (&a.tenant, &a.mno, a.direction).cmp(&(&b.tenant, &b.mno, b.direction)))
    });
    impacts
}

fn reserved([_, _, reserved]: Amounts) -> i64 {
    reserved
}

/// Whether and why a tenant is affected on any day, and the day that says most: that of the greatest fall of its
/// reservation, else the first on which it differs, else the first on which the tenant has one and a reason holds.
fn affected(
    stretches: &[Stretch],
    of_carrier: impl Iterator<Item = (TenantReason, Period)>,
) -> Option<(&Stretch, Day, BTreeSet<TenantReason>)> {
    // A reservation that is over by today leaves nobody to notice.
    let held = || stretches.iter().filter(|stretch| reserved(stretch.before) != 0 || reserved(stretch.after) != 0);
    let mut reasons = BTreeSet::new();
    let mut first: Option<(Day, &Stretch)> = None;
    for (reason, period) in of_carrier {
        let Some(stretch) = held().find(|stretch| stretch.period.overlaps(period)) else { continue };
        reasons.insert(reason);
        let day = stretch.period.from.max(period.from);
        if first.is_none_or(|(first, _)| day < first) {
            first = Some((day, stretch));
        }
    }
    let by = |stretch: &&Stretch| reserved(stretch.difference());
    let fall = held().filter(|stretch| by(stretch) < 0).min_by_key(by);
    let rise = held().find(|stretch| by(stretch) > 0);
    reasons.extend(fall.map(|_| TenantReason::ReservationFalls));
    reasons.extend(rise.map(|_| TenantReason::ReservationRises));
    let differs = fall.or(rise).map(|stretch| (stretch.period.from, stretch));
    let (day, stretch) = differs.or(first)?;
    Some((stretch, day, reasons))
}

fn of_carriers<'a>(
    plan: &'a Plan,
    destinations: &'a [DestinationImpact],
    throughput: &'a [Differing],
    today: Day,
) -> Reasons<'a> {
    let mut reasons = Reasons::new();
    let from_today = Period { from: today, to: None };
    let both = |reason, period| Direction::ALL.map(|direction| (direction, reason, period));
    for change in plan.mnos.iter().filter(|change| change.action == Action::Delete) {
        reasons.entry(&change.id).or_default().extend(both(TenantReason::CarrierDeleted, from_today));
    }
    let moving: BTreeSet<&MnoId> =
        plan.operators.iter().filter(|change| change.moves_endpoint()).map(|change| &change.mno).collect();
    for mno in moving {
        // Who comes later finds the endpoint as it then is.
        let today = Period { from: today, to: Some(today.after()) };
        reasons.entry(mno).or_default().extend(both(TenantReason::EndpointsMove, today));
    }
    for Differing { period, impact } in throughput {
        let entry = reasons.entry(&impact.mno).or_default();
        let mut note = |reason| match entry.iter_mut().rfind(|(way, why, _)| (*way, *why) == (impact.direction, reason))
        {
            Some((_, _, last)) if last.to == Some(period.from) => last.to = period.to,
            _ => entry.push((impact.direction, reason, *period)),
        };
        if impact.after.contracted < impact.before.contracted {
            note(TenantReason::ContractFalls);
        }
        if impact.after.binds < impact.before.binds {
            note(TenantReason::BindsFall);
        }
    }
    let mut leaving = BTreeSet::new();
    for impact in destinations {
        if !matches!(impact.kind, DestinationKind::Unserved | DestinationKind::Carrier) {
            continue;
        }
        let kept: BTreeSet<&MnoId> = impact.after.iter().flat_map(carriers).collect();
        leaving.extend(impact.before.iter().flat_map(carriers).filter(|mno| !kept.contains(mno)));
    }
    for mno in leaving {
        let reason = (Direction::Outbound, TenantReason::DestinationsLeave, from_today);
        reasons.entry(mno).or_default().push(reason);
    }
    reasons
}

fn carriers(served: &Served) -> impl Iterator<Item = &MnoId> {
    served.operators.iter().map(|share| &share.mno)
}

fn reservations<'a>(before: Option<&'a Mno>, after: Option<&'a Mno>) -> BTreeMap<(Direction, &'a TenantId), Sides> {
    let mut tenants: BTreeMap<_, Sides> = BTreeMap::new();
    for (mno, is_after) in [(before, false), (after, true)] {
        for direction in Direction::ALL {
            for (tenant, item) in mno.iter().flat_map(|mno| stretches::reserved(&mno.contracts, direction)) {
                let sides = tenants.entry((direction, tenant)).or_default();
                let list = if is_after { &mut sides.after } else { &mut sides.before };
                list.push(item);
            }
        }
    }
    tenants
}
