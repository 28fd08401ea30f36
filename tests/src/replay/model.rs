//! What the decision says, as plainly as it can be put: no counters that go on, no view that is altered, but the list of
//! what each connector wanted since it was last silent, looked at anew each time.

use std::collections::BTreeMap;

use HealthState::{Degraded, Healthy, Unhealthy, Unknown};
use bindery_schema::operator::HealthThresholds;
use bindery_schema::wire::health::HealthState;

use super::signals::{Bind, Delivery, Fault, Operator};

/// How far ahead a signal may be, in milliseconds.
const AHEAD: i64 = 60_000;

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It counts.
    Accepted,
    /// It came late or again.
    Stale,
    /// It is no signal.
    Invalid,
    /// Nobody knows the operator.
    Unknown,
}

/// A change of an operator's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place among the operators.
    pub operator: usize,
    /// The state before.
    pub previous: HealthState,
    /// The state after.
    pub state: HealthState,
    /// Whose signal brought it about; none where silence did.
    pub connector: Option<String>,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// All operators.
#[derive(Debug)]
pub struct Model {
    operators: Vec<Followed>,
}

#[derive(Debug)]
struct Followed {
    id: String,
    is_known: bool,
    thresholds: HealthThresholds,
    state: HealthState,
    connectors: BTreeMap<u8, Connector>,
}

#[derive(Debug)]
struct Connector {
    at: i64,
    heard: i64,
    /// Since it was last silent.
    wanted: Vec<HealthState>,
    state: HealthState,
}

impl Model {
    /// Nobody was heard yet.
    pub fn new(operators: &[Operator]) -> Self {
        let known = operators.iter().map(|operator| Followed {
            id: operator.id.to_string(),
            is_known: operator.is_known,
            thresholds: operator.thresholds,
            state: Unknown,
            connectors: BTreeMap::new(),
        });
        Self { operators: known.collect() }
    }

    /// What a signal leads to.
    pub fn hear(&mut self, delivery: &Delivery) -> (Outcome, Option<Change>) {
        if !matches!(delivery.fault, None | Some(Fault::LongConnector | Fault::NoConnector)) {
            return (Outcome::Invalid, None);
        }
        let (now, operator) = (delivery.heard, &mut self.operators[delivery.operator]);
        if !operator.is_known {
            return (Outcome::Unknown, None);
        }
        if delivery.fault.is_some() || delivery.at > now + AHEAD {
            return (Outcome::Invalid, None);
        }
        let wanted = wanted(delivery, &operator.thresholds);
        let silence = i64::from(operator.thresholds.silence_seconds) * 1_000;
        match operator.connectors.get_mut(&delivery.connector) {
            Some(known) if delivery.at <= known.at => return (Outcome::Stale, None),
            Some(known) if now - known.heard < silence => {
                known.wanted.push(wanted);
                known.state = match delivery.bind {
                    Bind::Unbound => Unhealthy,
                    _ => believed(known.state, &known.wanted, &operator.thresholds),
                };
                (known.at, known.heard) = (delivery.at, now);
            }
            // The first signal, or the first after silence.
            _ => {
                let first = Connector { at: delivery.at, heard: now, wanted: vec![wanted], state: wanted };
                operator.connectors.insert(delivery.connector, first);
            }
        }
        (Outcome::Accepted, operator.look(delivery.operator, now, Some(delivery.connector_id())))
    }

    /// What silence leads to, by operators' names.
    pub fn tick(&mut self, now: i64) -> Vec<Change> {
        let known = self.operators.iter_mut().enumerate().filter(|(_, operator)| operator.is_known);
        known.filter_map(|(place, operator)| operator.look(place, now, None)).collect()
    }

    /// The state of each operator that is known.
    pub fn states(&self) -> Vec<(String, HealthState)> {
        let known = self.operators.iter().filter(|operator| operator.is_known);
        known.map(|operator| (operator.id.clone(), operator.state)).collect()
    }
}

impl Followed {
    /// The best of those that are not silent.
    fn look(&mut self, place: usize, now: i64, connector: Option<String>) -> Option<Change> {
        let silence = i64::from(self.thresholds.silence_seconds) * 1_000;
        let speaking = self.connectors.values().filter(|connector| now - connector.heard < silence);
        let state = speaking.map(|connector| connector.state).max().unwrap_or(Unknown);
        let previous = std::mem::replace(&mut self.state, state);
        (previous != state).then_some(Change { operator: place, previous, state, connector, at: now })
    }
}

/// What one signal asks for.
fn wanted(signal: &Delivery, thresholds: &HealthThresholds) -> HealthState {
    let rate = if signal.submitted == 0 { 0.0 } else { f64::from(signal.failed) / f64::from(signal.submitted) };
    let is_above = |share: f64, millis: u32| rate > share || signal.p95_millis > millis;
    match signal.bind {
        Bind::Unbound => Unhealthy,
        _ if is_above(thresholds.unhealthy_error_rate, thresholds.unhealthy_p95_millis) => Unhealthy,
        Bind::Binding => Degraded,
        Bind::Bound if is_above(thresholds.degraded_error_rate, thresholds.degraded_p95_millis) => Degraded,
        Bind::Bound => Healthy,
    }
}

/// Where a state goes: down to the best of the last `confirm` signals, up to the worst of the last `recover`.
fn believed(state: HealthState, wanted: &[HealthState], thresholds: &HealthThresholds) -> HealthState {
    let last = |count: u16| wanted.len().checked_sub(usize::from(count)).map(|start| &wanted[start..]);
    let down = last(thresholds.confirm).and_then(|signals| signals.iter().max().copied());
    let up = last(thresholds.recover).and_then(|signals| signals.iter().min().copied());
    match (down, up) {
        (Some(down), _) if down < state => down,
        (_, Some(up)) if up > state => up,
        _ => state,
    }
}
