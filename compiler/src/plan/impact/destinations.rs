//! Which destinations are served otherwise: one sweep over the sorted rules of both sides, as far as they differ.
//!
//! Longest prefix wins, then the lowest priority, then weights share; a rule of weight 0 takes its turn and no traffic.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use bindery_schema::catalog::Operator;
use bindery_schema::hash::Digest;
use bindery_schema::impact::{DestinationImpact, DestinationKind, Served, Share};
use bindery_schema::operator::Status;
use bindery_schema::routes::Rule;
use bindery_schema::rules::RuleList;
use bindery_schema::value::{Amount, Cost, E164Prefix, MnoId, OperatorId};
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelExtend as _, ParallelIterator as _,
};
use rayon::slice::ParallelSliceMut as _;
use rust_decimal::Decimal;

use crate::region::{Region, Said, changed};

/// The operators of one side.
type Operators = BTreeMap<OperatorId, Arc<Operator>>;

/// An active operator of one side.
struct Bind<'a> {
    id: &'a OperatorId,
    /// The id it has on the other side too, where it was renamed.
    identity: &'a OperatorId,
    mno: &'a MnoId,
    rules: &'a RuleList,
    routes_hash: Digest,
}

/// An active rule by number, in the order of the sweep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    prefix: E164Prefix,
    after: bool,
    priority: u16,
    bind: u32,
    rule: u32,
}

/// What wins at a prefix and, until something narrower does, below it.
#[derive(Clone, Copy)]
struct Level<'e> {
    prefix: E164Prefix,
    before: &'e [Entry],
    after: &'e [Entry],
}

/// Compares the operators of two catalogs by the ids the stores know them by.
pub(in crate::plan) fn compare(before: &Operators, after: &Operators) -> Vec<DestinationImpact> {
    let sides = Sides { before: binds(before, None), after: binds(after, Some(before)) };
    // Where every operator says the same, the same wins, whatever is around.
    let region = Region::upward(sides.differences());
    let mut entries: Vec<Entry> = Vec::new();
    for (is_after, binds) in [(false, &sides.before), (true, &sides.after)] {
        let numbered = binds.par_iter().zip(0..u32::MAX);
        entries.par_extend(numbered.flat_map_iter(|(bind, number)| {
            let near = region.places(bind.rules).into_iter();
            let rules = near.map(move |place| (&bind.rules[place as usize], place));
            rules.filter(|(rule, _)| rule.active).map(move |(rule, place)| Entry {
                prefix: rule.prefix,
                after: is_after,
                priority: rule.priority,
                bind: number,
                rule: place,
            })
        }));
    }
    entries.par_sort_unstable();

    let mut impacts = Vec::new();
    // What wins around the present prefix, broadest first: at most fifteen.
    let mut around: Vec<Level<'_>> = Vec::new();
    for group in entries.chunk_by(|a, b| a.prefix == b.prefix) {
        let prefix = group[0].prefix;
        while around.last().is_some_and(|level| !level.prefix.contains(prefix)) {
            around.pop();
        }
        let inherited = around.last().map_or((&[][..], &[][..]), |level| (level.before, level.after));
        let (own_before, own_after) = group.split_at(group.partition_point(|entry| !entry.after));
        let level = Level {
            prefix,
            before: winners(own_before).unwrap_or(inherited.0),
            after: winners(own_after).unwrap_or(inherited.1),
        };
        impacts.extend(sides.difference(level));
        around.push(level);
    }
    impacts.sort_by(worst_first);
    impacts
}

/// Operators that take part; those of the other side tell which were renamed.
fn binds<'a>(operators: &'a Operators, other: Option<&'a Operators>) -> Vec<Bind<'a>> {
    let active = operators.iter().filter(|(_, operator)| operator.spec.status == Status::Active);
    active
        .map(|(id, operator)| {
            let was = operator
                .renamed_from
                .as_ref()
                .map(|renamed| &renamed.id)
                .filter(|was| other.is_some_and(|other| other.contains_key(*was) && !other.contains_key(id)));
            Bind {
                id,
                identity: was.unwrap_or(id),
                mno: &operator.mno,
                rules: &operator.rules,
                routes_hash: operator.routes_hash,
            }
        })
        .collect()
}

fn by_identity<'a>(binds: &[Bind<'a>]) -> BTreeMap<&'a OperatorId, Said<'a, &'a MnoId>> {
    let said = |bind: &Bind<'a>| Said { rules: bind.rules, hash: bind.routes_hash, context: bind.mno };
    binds.iter().map(|bind| (bind.identity, said(bind))).collect()
}

/// The entries of the lowest priority, which stand first.
fn winners(entries: &[Entry]) -> Option<&[Entry]> {
    entries.chunk_by(|a, b| a.priority == b.priority).next()
}

struct Sides<'a> {
    before: Vec<Bind<'a>>,
    after: Vec<Bind<'a>>,
}

/// A winner that takes traffic.
struct Leg<'a> {
    bind: &'a Bind<'a>,
    rule: &'a Rule,
}

impl<'a> Sides<'a> {
    /// The prefixes at which some operator has another rule than before, or is another carrier's.
    fn differences(&self) -> Vec<E164Prefix> {
        changed(&by_identity(&self.before), &by_identity(&self.after))
    }

    fn legs(&'a self, winners: &[Entry]) -> Vec<Leg<'a>> {
        let leg = |entry: &Entry| {
            let bind = &(if entry.after { &self.after } else { &self.before })[entry.bind as usize];
            Leg { bind, rule: &bind.rules[entry.rule as usize] }
        };
        let mut legs: Vec<Leg<'_>> = winners.iter().map(leg).filter(|leg| leg.rule.weight > 0).collect();
        legs.sort_by_key(|leg| leg.bind.identity);
        legs
    }

    fn difference(&self, level: Level<'_>) -> Option<DestinationImpact> {
        let (before, after) = (self.legs(level.before), self.legs(level.after));
        let (old_cost, new_cost) = (cost(&before), cost(&after));
        let kind = kind(&before, &after, old_cost, new_cost)?;
        let rule = |winners: &[Entry]| winners.first().map(|entry| entry.prefix);
        let (old_rule, new_rule) = (rule(level.before), rule(level.after));
        Some(DestinationImpact {
            prefix: level.prefix,
            kind,
            before: served(old_rule, &before, old_cost),
            after: served(new_rule, &after, new_cost),
            taken_from: old_rule.filter(|old| *old != level.prefix && new_rule == Some(level.prefix)),
            cost_change_percent: percent(old_cost, new_cost),
        })
    }
}

fn served(rule: Option<E164Prefix>, legs: &[Leg<'_>], cost: Option<Cost>) -> Option<Served> {
    let share =
        |leg: &Leg<'_>| Share { operator: leg.bind.id.clone(), mno: leg.bind.mno.clone(), weight: leg.rule.weight };
    rule.filter(|_| !legs.is_empty()).map(|rule| Served { rule, operators: legs.iter().map(share).collect(), cost })
}

fn kind(before: &[Leg<'_>], after: &[Leg<'_>], old: Option<Cost>, new: Option<Cost>) -> Option<DestinationKind> {
    match (before.is_empty(), after.is_empty()) {
        (true, true) => return None,
        (false, true) => return Some(DestinationKind::Unserved),
        (true, false) => return Some(DestinationKind::Served),
        (false, false) => {}
    }
    if carriers(before) != carriers(after) {
        return Some(DestinationKind::Carrier);
    }
    let same = |a: &Leg<'_>, b: &Leg<'_>| a.bind.identity == b.bind.identity && a.bind.mno == b.bind.mno;
    if before.len() != after.len() || !before.iter().zip(after).all(|(a, b)| same(a, b)) {
        return Some(DestinationKind::Operator);
    }
    // Shares are equal where the weights are in proportion.
    let (all_before, all_after) = (weights(before), weights(after));
    let share =
        |a: &Leg<'_>, b: &Leg<'_>| u64::from(a.rule.weight) * all_after == u64::from(b.rule.weight) * all_before;
    if !before.iter().zip(after).all(|(a, b)| share(a, b)) {
        return Some(DestinationKind::Share);
    }
    match (old, new) {
        (Some(old), Some(new)) if old.currency == new.currency => match new.amount.cmp(&old.amount) {
            Ordering::Greater => Some(DestinationKind::Dearer),
            Ordering::Less => Some(DestinationKind::Cheaper),
            Ordering::Equal => None,
        },
        (old, new) => (old != new).then_some(DestinationKind::Repriced),
    }
}

fn carriers<'a>(legs: &[Leg<'a>]) -> Vec<&'a MnoId> {
    let mut carriers: Vec<&MnoId> = legs.iter().map(|leg| leg.bind.mno).collect();
    carriers.sort_unstable();
    carriers.dedup();
    carriers
}

fn weights(legs: &[Leg<'_>]) -> u64 {
    legs.iter().map(|leg| u64::from(leg.rule.weight)).sum()
}

/// The cost of a message over all legs, by weight; none where one has no cost or another currency.
fn cost(legs: &[Leg<'_>]) -> Option<Cost> {
    let first = legs.first()?.rule.cost?;
    if let [_] = legs {
        return Some(first);
    }
    let mut sum = Decimal::ZERO;
    for leg in legs {
        let cost = leg.rule.cost.filter(|cost| cost.currency == first.currency)?;
        sum += cost.amount.decimal() * Decimal::from(leg.rule.weight);
    }
    let mean = (sum / Decimal::from(weights(legs))).round_dp(6).normalize();
    let amount: Amount = mean.to_string().parse().ok()?;
    Some(Cost { amount, currency: first.currency })
}

/// The change in percent to one decimal place.
fn percent(before: Option<Cost>, after: Option<Cost>) -> Option<f64> {
    let (before, after) = (before?, after?);
    let (old, new) = (before.amount.decimal(), after.amount.decimal());
    if before.currency != after.currency || old.is_zero() {
        return None;
    }
    let change = new.checked_sub(old)?.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(old)?;
    change.round_dp(1).normalize().to_string().parse().ok()
}

/// By kind; the broader prefix, which covers more numbers; the greater rise in cost.
fn worst_first(a: &DestinationImpact, b: &DestinationImpact) -> Ordering {
    let rise = |impact: &DestinationImpact| impact.cost_change_percent.unwrap_or_default();
    (a.kind.cmp(&b.kind))
        .then(a.prefix.len().cmp(&b.prefix.len()))
        .then(rise(b).total_cmp(&rise(a)))
        .then(a.prefix.cmp(&b.prefix))
}
