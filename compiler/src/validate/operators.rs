//! Whether a bind can carry the throughput it is given.

use std::collections::BTreeSet;

use bindery_schema::contract::Direction;
use bindery_schema::operator::{OperatorSpec, TpsLimits};
use bindery_schema::value::OperatorId;

use super::{Objects, OperatorObject};
use crate::diagnostic::{Code, Draft, Sink};

/// Shortest round trip to an SMSC worth counting on, in milliseconds: throughput = window / round trip (Little).
const ROUND_TRIP_MILLIS: u64 = 20;

pub(super) fn check(objects: &Objects<'_>, sink: &mut Sink) {
    for (id, operator) in &objects.operators {
        let Some(spec) = operator.spec else { continue };
        let mut reported = BTreeSet::new();
        directions(id, operator, spec, None, &mut reported, sink);
        window(id, operator, spec, None, &mut reported, sink);
        for name in spec.environments.keys() {
            let laid_over = spec.in_environment(Some(name));
            throughput(id, operator, &laid_over, name, sink);
            directions(id, operator, &laid_over, Some(name), &mut reported, sink);
            window(id, operator, &laid_over, Some(name), &mut reported, sink);
        }
    }
}

fn tps_field(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "tps.outbound",
        Direction::Inbound => "tps.inbound",
    }
}

/// Whether an environment's overlay sets the throughput of a direction.
pub(super) fn tps_set_there(operator: &OperatorObject<'_>, environment: Option<&str>, direction: Direction) -> bool {
    let overlay = environment.and_then(|name| operator.spec?.environments.get(name)?.tps);
    overlay.is_some_and(|tps| match direction {
        Direction::Outbound => tps.outbound.is_some(),
        Direction::Inbound => tps.inbound.is_some(),
    })
}

/// An environment may take a direction away, and not both: its operator would be there to carry nothing.
fn throughput(id: &OperatorId, operator: &OperatorObject<'_>, laid_over: &OperatorSpec, name: &str, sink: &mut Sink) {
    let base = operator.spec.map(|spec| spec.tps);
    if laid_over.tps != TpsLimits::default() || base == Some(laid_over.tps) {
        return;
    }
    let message = format!("`tps` is 0 in both directions in environment `{name}`");
    let draft = Draft::new(Code::OutOfRange, operator.place(Some(name), true, "tps"), message)
        .help("give the rate the carrier allows there, or leave `tps` out to keep the base's");
    sink.push(draft.about(id.as_str()));
}

fn directions(
    id: &OperatorId,
    operator: &OperatorObject<'_>,
    spec: &OperatorSpec,
    environment: Option<&str>,
    reported: &mut BTreeSet<&'static str>,
    sink: &mut Sink,
) {
    for direction in Direction::ALL {
        let field = tps_field(direction);
        let tps = spec.tps.of(direction);
        if tps == 0 || spec.smpp.bind_mode.carries(direction) || !reported.insert(field) {
            continue;
        }
        let mode = match direction {
            Direction::Outbound => "RECEIVER",
            Direction::Inbound => "TRANSMITTER",
        };
        let message = format!("a {mode} bind cannot carry {tps} messages a second {direction}");
        let place = operator.place(environment, tps_set_there(operator, environment, direction), field);
        let help = format!("remove `{field}` or bind as TRANSCEIVER");
        sink.push(Draft::new(Code::DirectionCannotCarry, place, message).help(help).about(id.as_str()));
    }
}

fn window(
    id: &OperatorId,
    operator: &OperatorObject<'_>,
    spec: &OperatorSpec,
    environment: Option<&str>,
    reported: &mut BTreeSet<&'static str>,
    sink: &mut Sink,
) {
    let needed = u64::from(spec.tps.outbound) * ROUND_TRIP_MILLIS / 1000;
    // Where the bind cannot carry the direction at all, that is the fault.
    let carries = spec.smpp.bind_mode.carries(Direction::Outbound);
    if !carries || u64::from(spec.smpp.window_size) >= needed || !reported.insert("window") {
        return;
    }
    let set_there =
        environment.and_then(|name| operator.spec?.environments.get(name)?.smpp.as_ref()?.window_size).is_some();
    let message = format!(
        "a window of {} cannot carry {} messages a second even at {ROUND_TRIP_MILLIS} ms a round trip",
        spec.smpp.window_size, spec.tps.outbound
    );
    let place = operator.place(environment, set_there, "smpp.windowSize");
    let help = format!("agree on a window of at least {needed} with the carrier, or lower `tps.outbound`");
    sink.push(Draft::new(Code::WindowTooSmall, place, message).help(help).about(id.as_str()));
}
