//! What becomes wrong with contracts and renames: the checks as of each day on which their answer may change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bindery_schema::contract::Period;
use bindery_schema::policy::PolicySpec;
use bindery_schema::value::{Day, MnoId};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::{Upcoming, Window};
use crate::diagnostic::{Anchor, Code, Place, Sink};
use crate::validate::{Carriers, Objects, acknowledged, expiry, overdue};

/// The faults that begin inside a window.
pub(super) fn events(objects: &Objects<'_>, policy: &PolicySpec, window: Window) -> Vec<Upcoming> {
    let carriers = Carriers::new(objects, policy);
    let of_carriers =
        carriers.ids().into_par_iter().flat_map_iter(|mno| of_carrier(&carriers, objects, policy, mno, window));
    let mut events: Vec<Upcoming> = of_carriers.collect();
    if let Some((root, policy)) = &objects.policy {
        for (index, entry) in (0..).zip(&policy.acknowledge).filter(|(_, entry)| window.contains(entry.expires)) {
            events.push(Upcoming::of(entry.expires, expiry(root, index, entry)));
        }
    }
    events.extend(renames(objects, policy, window));
    events
}

/// Renames that a check finds too soon or past, from the day on which nobody has taken responsibility for that.
fn renames(objects: &Objects<'_>, policy: &PolicySpec, window: Window) -> Vec<Upcoming> {
    let found = overdue(objects).filter_map(|(first, draft)| {
        let expires = policy.acknowledge.iter().map(|entry| entry.expires);
        let days: BTreeSet<Day> = expires.filter(|day| *day > first).chain([first]).collect();
        let told = |day: &Day| !acknowledged(draft.code, draft.object.as_deref(), policy, *day);
        let day = days.into_iter().find(told).filter(|day| window.contains(*day))?;
        Some(Upcoming::of(day, draft))
    });
    found.collect()
}

/// A fault by what it is and where: its message may name the day it is looked at.
type Fault = (Code, Anchor);

fn of_carrier<'a>(
    carriers: &Carriers<'_, 'a>,
    objects: &Objects<'a>,
    policy: &PolicySpec,
    mno: &'a MnoId,
    window: Window,
) -> Vec<Upcoming> {
    let mut events = Vec::new();
    let days = days(objects, policy, mno, window);
    // Each kind of check is run on the days that may change its answer, and no other: of thousands of reservations
    // that end, few empty a pool or fill it.
    let mut agreements = Watch::new(policy, window);
    for day in &days {
        agreements.look(*day, |sink| carriers.check_agreements(mno, *day, sink), &mut events);
    }
    for pools in carriers.pools(mno) {
        let mut watch = Watch::new(policy, window);
        for day in pools.turns().into_iter().filter(|day| window.contains(*day)).collect::<BTreeSet<_>>().union(&days) {
            watch.look(*day, |sink| pools.check(*day, sink), &mut events);
        }
    }
    events
}

/// Checks looked at day after day: what is wrong on a day and was not foreseen is an event.
struct Watch<'p> {
    policy: &'p PolicySpec,
    window: Window,
    emitted: BTreeMap<Fault, BTreeSet<Day>>,
    ongoing: BTreeSet<Fault>,
    before: Option<Day>,
}

impl<'p> Watch<'p> {
    fn new(policy: &'p PolicySpec, window: Window) -> Self {
        Self { policy, window, emitted: BTreeMap::new(), ongoing: BTreeSet::new(), before: None }
    }

    fn look(&mut self, day: Day, check: impl FnOnce(&mut Sink), events: &mut Vec<Upcoming>) {
        let mut sink = Sink::default();
        check(&mut sink);
        let mut still = BTreeSet::new();
        for draft in sink.into_drafts() {
            let Place::Path(anchor) = &draft.primary else { continue };
            let fault = (draft.code, anchor.clone());
            let date = draft.since.map_or(day, |since| since.max(day));
            if acknowledged(draft.code, draft.object.as_deref(), self.policy, date) {
                continue;
            }
            let foreseen = self.emitted.entry(fault.clone()).or_default();
            // The day before the window only tells what is wrong already.
            let known = match self.before {
                None => date == day,
                Some(_) if date > day => false,
                Some(before) => {
                    let since_then = (Bound::Excluded(before), Bound::Included(day));
                    self.ongoing.contains(&fault) || foreseen.range(since_then).next().is_some()
                }
            };
            if date == day {
                still.insert(fault);
            }
            if !known && foreseen.insert(date) && self.window.contains(date) {
                events.push(Upcoming::of(date, draft));
            }
        }
        self.ongoing = still;
        self.before = Some(day);
    }
}

/// The day before the window and its first, then each on which a contract of the carrier or an acknowledgement ends, or a
/// contract begins where there was none. Whatever else begins is foreseen.
fn days(objects: &Objects<'_>, policy: &PolicySpec, mno: &MnoId, window: Window) -> BTreeSet<Day> {
    let mut days = BTreeSet::from([window.from.before(), window.from]);
    let mut add = |day: Option<Day>| days.extend(day.filter(|day| window.contains(*day)));
    if let Some(object) = objects.contracts.get(mno) {
        let mut periods: Vec<Period> = object.read.contracts().filter_map(|contract| contract.term.period()).collect();
        object.read.contracts().for_each(|contract| add(contract.term.to));
        periods.sort_unstable_by_key(|period| period.from);
        // Until when there has been a contract; one without an end leaves no gap after it.
        let mut covered = Some(None);
        for period in periods {
            if covered.is_some_and(|until| until.is_none_or(|until| until < period.from)) {
                add(Some(period.from));
            }
            covered = covered.and_then(|until| period.to.map(|to| Some(until.map_or(to, |until: Day| until.max(to)))));
        }
    }
    policy.acknowledge.iter().filter(|entry| *entry.object == *mno.as_str()).for_each(|entry| add(Some(entry.expires)));
    days
}
