//! Whether a bind can carry the throughput it is given.

use std::collections::BTreeSet;

use bindery_schema::contract::Direction;
use bindery_schema::value::OperatorId;

use super::bind::{Bind, rate_field};
use super::{Objects, OperatorObject};
use crate::diagnostic::{Anchor, Code, Draft, Sink};

/// Shortest round trip to an SMSC worth counting on, in milliseconds: throughput = window / round trip (Little).
const ROUND_TRIP_MILLIS: u64 = 20;

pub(super) fn check(objects: &Objects<'_>, sink: &mut Sink) {
    for (id, operator) in objects.operators_alone() {
        let mut operator = Checked { id, operator, reported: BTreeSet::new() };
        let base = operator.operator.bind(None);
        operator.directions(&base, None, sink);
        operator.window(&base, None, sink);
        for name in operator.operator.environments().keys() {
            let laid_over = operator.operator.bind(Some(name));
            operator.throughput(&base, &laid_over, name, sink);
            operator.directions(&laid_over, Some(name), sink);
            operator.window(&laid_over, Some(name), sink);
        }
    }
}

struct Checked<'o, 'a> {
    id: Option<&'a OperatorId>,
    operator: &'o OperatorObject<'a>,
    /// The places that the base or an environment before is guilty of already.
    reported: BTreeSet<Anchor>,
}

impl Checked<'_, '_> {
    fn push(&self, draft: Draft, sink: &mut Sink) {
        sink.push(draft.about_some(self.id));
    }

    /// An environment may take a direction away, and not both: its operator would be there to carry nothing.
    fn throughput(&self, base: &Bind<'_>, laid_over: &Bind<'_>, name: &str, sink: &mut Sink) {
        let is_nothing = |bind: &Bind<'_>| Direction::ALL.map(|direction| bind.rate(direction)) == [Some(0); 2];
        if !is_nothing(laid_over) || is_nothing(base) {
            return;
        }
        let message = format!("`tps` is 0 in both directions in environment `{name}`");
        let draft = Draft::new(Code::OutOfRange, self.operator.place(Some(name), true, "tps"), message)
            .help("give the rate the carrier allows there, or leave `tps` out to keep the base's");
        self.push(draft, sink);
    }

    fn directions(&mut self, bind: &Bind<'_>, environment: Option<&str>, sink: &mut Sink) {
        for direction in Direction::ALL {
            let field = rate_field(direction);
            let Some((tps, mode)) = bind.rate(direction).zip(bind.mode) else { continue };
            let place = self.operator.rate_place(environment, direction);
            if tps == 0 || mode.carries(direction) || !self.reported.insert(place.clone()) {
                continue;
            }
            let mode = match direction {
                Direction::Outbound => "RECEIVER",
                Direction::Inbound => "TRANSMITTER",
            };
            let message = format!("a {mode} bind cannot carry {tps} messages a second {direction}");
            let help = format!("remove `{field}` or bind as TRANSCEIVER");
            self.push(Draft::new(Code::DirectionCannotCarry, place, message).help(help), sink);
        }
    }

    fn window(&mut self, bind: &Bind<'_>, environment: Option<&str>, sink: &mut Sink) {
        let Some((window, outbound)) = bind.window.zip(bind.rate(Direction::Outbound)) else { return };
        let needed = u64::from(outbound) * ROUND_TRIP_MILLIS / 1000;
        // Where the bind cannot carry the direction at all, that is the fault.
        let carries = bind.mode.is_none_or(|mode| mode.carries(Direction::Outbound));
        if !carries || u64::from(window) >= needed {
            return;
        }
        let overlay = self.operator.overlay(environment).and_then(|overlay| overlay.smpp.as_ref());
        let set_there = overlay.is_some_and(|smpp| smpp.window_size.is_some());
        let place = self.operator.place(environment, set_there, "smpp.windowSize");
        if !self.reported.insert(place.clone()) {
            return;
        }
        let message = format!(
            "a window of {window} cannot carry {outbound} messages a second even at {ROUND_TRIP_MILLIS} ms a round trip"
        );
        let help = format!("agree on a window of at least {needed} with the carrier, or lower `tps.outbound`");
        self.push(Draft::new(Code::WindowTooSmall, place, message).help(help), sink);
    }
}
