//! What the passing of time makes of a tree: what begins and ends, and what becomes wrong without a new commit.
//!
//! The checks of contracts are run carrier by carrier as of each day that may change their answer (a contract ends, or
//! begins after a gap; a pool runs low or recovers), and what is wrong on a day and was not the day before is an event.
//! What a check foresees (a reservation that will exceed its contract) is an event of the day it names. What is wrong
//! before the first day already is left to `check`.
//!
//! A carrier costs the number of such days times that of its contracts and reservations; that a reservation begins or
//! ends costs nothing by itself.

mod calendar;
mod drift;
pub mod text;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use bindery_schema::policy::PolicySpec;
use bindery_schema::value::Day;

use crate::diagnostic::{Code, Draft, Location, Place, Severity, locate};
use crate::source::SourceMap;
use crate::validate::Objects;

/// The days that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First day.
    pub from: Day,
    /// Last day; none where there is no end.
    pub until: Option<Day>,
}

impl Window {
    /// Whether a day is looked at.
    pub fn contains(self, day: Day) -> bool {
        self.from <= day && self.until.is_none_or(|until| day <= until)
    }
}

/// Something that happens on a day without a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The day, from its midnight in UTC on.
    pub date: Day,
    /// What kind of fault, where it is one.
    pub code: Option<Code>,
    /// The name of the fault, or what happens: `contract-begins`, `contract-ends`, `reservation-begins`,
    /// `reservation-ends`, `rename-effective`.
    pub kind: &'static str,
    /// How bad it is; what merely happens is a note.
    pub severity: Severity,
    /// Id of the carrier or operator it is about, or what an acknowledgement names.
    pub object: String,
    /// One line, lower case, no full stop, the values in backticks.
    pub message: String,
    /// Where in the tree it comes from.
    pub location: Location,
}

/// An event whose place is not worked out.
struct Upcoming {
    date: Day,
    code: Option<Code>,
    kind: &'static str,
    severity: Severity,
    object: String,
    message: String,
    place: Place,
}

impl Upcoming {
    fn of(date: Day, draft: Draft) -> Self {
        let Draft { code, message, primary, object, .. } = draft;
        let object = object.unwrap_or_default();
        Self { date, code: Some(code), kind: code.name(), severity: code.severity(), object, message, place: primary }
    }
}

/// Lists the events of a window: by day, the worst first.
pub(crate) fn events(objects: &Objects<'_>, policy: &PolicySpec, window: Window, sources: &SourceMap) -> Vec<Event> {
    let mut upcoming = drift::events(objects, policy, window);
    upcoming.extend(calendar::events(objects, policy).into_iter().filter(|event| window.contains(event.date)));
    let located = locate(upcoming.iter().map(|event| &event.place), sources);
    let mut events: Vec<Event> = upcoming
        .iter()
        .map(|event| Event {
            date: event.date,
            code: event.code,
            kind: event.kind,
            severity: event.severity,
            object: event.object.clone(),
            message: event.message.clone(),
            location: located.of(&event.place),
        })
        .collect();
    events.sort_by(order);
    events
}

fn order(a: &Event, b: &Event) -> Ordering {
    let key = |event: &Event| (event.date, event.severity, event.location, event.code, event.kind);
    key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
}
