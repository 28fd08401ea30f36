//! Which tenants would notice: those whose reservation changes, and those whose carrier loses what it was reserved for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::{Catalog, Mno};
use bindery_schema::change::Action;
use bindery_schema::contract::{Direction, Period};
use bindery_schema::impact::{
    DestinationImpact, DestinationKind, Served, TenantImpact, TenantReason, ThroughputImpact,
};
use bindery_schema::plan::Plan;
use bindery_schema::value::{Day, MnoId, TenantId};

use super::throughput::{Amounts, first_difference, on};

/// Why each carrier's tenants are affected, by direction.
type Reasons<'a> = BTreeMap<&'a MnoId, BTreeSet<(Direction, TenantReason)>>;

/// A tenant's reservations of one direction on both sides.
#[derive(Default)]
struct Sides {
    before: Vec<(Period, Amounts)>,
    after: Vec<(Period, Amounts)>,
}

pub(super) fn compare(
    before: &Catalog,
    after: &Catalog,
    plan: &Plan,
    destinations: &[DestinationImpact],
    throughput: &[ThroughputImpact],
    today: Day,
) -> Vec<TenantImpact> {
    let mut reasons = of_carriers(plan, destinations, throughput);
    // Carriers whose reservations alone change have no reason of their own and are looked into all the same.
    let changed = plan.mnos.iter().filter(|change| !change.reservations.is_empty());
    changed.for_each(|change| _ = reasons.entry(&change.id).or_default());

    let mut impacts = Vec::new();
    for (mno, reasons) in reasons {
        for ((direction, tenant), sides) in reservations(before.mnos.get(mno), after.mnos.get(mno)) {
            let day = first_difference(&sides.before, &sides.after, today);
            // A reservation that is over by today leaves nobody to notice.
            let (from, held) = (day.unwrap_or(today), |items: &[(Period, Amounts)], day| on(items, day)[2]);
            let (old, new) = (held(&sides.before, from), held(&sides.after, from));
            let mut reasons: BTreeSet<TenantReason> =
                reasons.iter().filter(|(way, _)| *way == direction).map(|(_, reason)| *reason).collect();
            if old == 0 && new == 0 {
                continue;
            }
            if new < old {
                reasons.insert(TenantReason::ReservationFalls);
            } else if new > old {
                reasons.insert(TenantReason::ReservationRises);
            }
            if !reasons.is_empty() {
                impacts.push(TenantImpact {
                    tenant: tenant.clone(),
                    mno: mno.clone(),
                    direction,
                    from,
                    reserved_before: old.unsigned_abs(),
                    reserved_after: new.unsigned_abs(),
                    reasons: reasons.into_iter().collect(),
                });
            }
        }
    }
    impacts.sort_by(|a, b| {
        let worst = |impact: &TenantImpact| (impact.reasons.first().copied(), Reverse(impact.reserved_before));
        worst(a).cmp(&worst(b)).then_with(|| (&a.tenant, &a.mno, a.direction).cmp(&(&b.tenant, &b.mno, b.direction)))
    });
    impacts
}

fn of_carriers<'a>(
    plan: &'a Plan,
    destinations: &'a [DestinationImpact],
    throughput: &'a [ThroughputImpact],
) -> Reasons<'a> {
    let mut reasons = Reasons::new();
    for change in plan.mnos.iter().filter(|change| change.action == Action::Delete) {
        let both = Direction::ALL.map(|direction| (direction, TenantReason::CarrierDeleted));
        reasons.entry(&change.id).or_default().extend(both);
    }
    for change in plan.operators.iter().filter(|change| change.moves_endpoint()) {
        let both = Direction::ALL.map(|direction| (direction, TenantReason::EndpointsMove));
        reasons.entry(&change.mno).or_default().extend(both);
    }
    for impact in throughput {
        let entry = reasons.entry(&impact.mno).or_default();
        if impact.after.contracted < impact.before.contracted {
            entry.insert((impact.direction, TenantReason::ContractFalls));
        }
        if impact.after.binds < impact.before.binds {
            entry.insert((impact.direction, TenantReason::BindsFall));
        }
    }
    for impact in destinations {
        if !matches!(impact.kind, DestinationKind::Unserved | DestinationKind::Carrier) {
            continue;
        }
        let kept: BTreeSet<&MnoId> = impact.after.iter().flat_map(carriers).collect();
        for mno in impact.before.iter().flat_map(carriers).filter(|mno| !kept.contains(mno)) {
            reasons.entry(mno).or_default().insert((Direction::Outbound, TenantReason::DestinationsLeave));
        }
    }
    reasons
}

fn carriers(served: &Served) -> impl Iterator<Item = &MnoId> {
    served.operators.iter().map(|share| &share.mno)
}

fn reservations<'a>(before: Option<&'a Mno>, after: Option<&'a Mno>) -> BTreeMap<(Direction, &'a TenantId), Sides> {
    let mut tenants: BTreeMap<_, Sides> = BTreeMap::new();
    for (mno, is_after) in [(before, false), (after, true)] {
        for item in mno.iter().flat_map(|mno| &mno.contracts.reservations) {
            let Some(from) = item.effective_from else { continue };
            let sides = tenants.entry((item.direction, &item.tenant)).or_default();
            let list = if is_after { &mut sides.after } else { &mut sides.before };
            list.push((Period { from, to: item.effective_to }, [0, 0, i64::from(item.reserved_tps)]));
        }
    }
    tenants
}
