//! The rule that turns signals and silence into an operator's state. Pure: no clock, no IO.
//!
//! Each connector of an operator has a state of its own. What a signal *wants*: UNBOUND, or an error rate or 95th
//! percentile above the unhealthy threshold, wants UNHEALTHY; one above the degraded threshold, or BINDING, wants
//! DEGRADED; anything else wants HEALTHY. Throttled submits are not failed ones.
//!
//! A connector's first signal, and one after silence, gives it the state it wants. From then on a worse state needs
//! `confirm` signals in a row, a better one `recover`; one UNBOUND suffices. No signal for `silenceSeconds` is UNKNOWN. Every
//! pair of states with what leads from one to the other is a table in OBSERVABILITY.md, "Health states", which the tests walk
//! through.
//!
//! A signal that wants a state further away also counts for the nearer one, so that a bind which swings between
//! DEGRADED and UNHEALTHY does not pass for HEALTHY. The operator's state is the best among the connectors heard within
//! the silence time, since traffic can take that bind; the reason names the worst.

use bindery_schema::operator::HealthThresholds;
use bindery_schema::wire::health::{BindState, ConnectorView, HealthSignal, HealthState, HealthView, SignalRuns};
use jiff::{SignedDuration, Timestamp};

/// Most connectors an operator is watched through. Far above any real fleet; bounds what a faulty sender can fill.
pub const MOST_CONNECTORS: usize = 64;
/// Longest connector id, in bytes.
pub const LONGEST_CONNECTOR_ID: usize = 128;
/// How far ahead of the agent's clock a signal may be: more than clocks that are kept in step ever differ by.
pub const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A connector spoke.
    Signal(&'a HealthSignal),
    /// Time passed.
    Tick,
}

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Accepted,
    /// Late or repeated: not newer than the connector's last signal. Nothing changed.
    Stale,
    /// From the future, without a usable connector id, or one connector too many. Nothing changed.
    Invalid,
}

/// A change of the operator's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The state until now.
    pub previous: HealthState,
    /// The state from now on; never equal to `previous`.
    pub state: HealthState,
    /// What it rests on.
    pub reason: String,
    /// Whose signal brought it about; none when silence did.
    pub connector_id: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// The outcome of one step.
#[derive(Debug, Clone)]
pub struct Step {
    /// The operator from now on.
    pub view: HealthView,
    /// What became of the input.
    pub verdict: Verdict,
    /// The change, where the operator's state changed.
    pub transition: Option<Transition>,
}

/// The reducer of one operator: its thresholds, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HealthStateReducer {
    /// When states change.
    pub thresholds: HealthThresholds,
}

impl HealthStateReducer {
    /// One step: the state so far and what happened give the state from now on.
    pub fn reduce(&self, mut view: HealthView, input: Input<'_>, now: Timestamp) -> Step {
        let verdict = match input {
            Input::Tick => Verdict::Accepted,
            Input::Signal(signal) => self.check(&view, signal, now),
        };
        if verdict != Verdict::Accepted {
            return Step { view, verdict, transition: None };
        }
        self.expire(&mut view, now);
        let mut connector_id = None;
        if let Input::Signal(signal) = input {
            make_room(&mut view, &signal.connector_id);
            let connector = self.hear(view.connectors.get(&signal.connector_id), signal, now);
            view.connectors.insert(signal.connector_id.clone(), connector);
            view.last_signal_at = Some(signal.at);
            connector_id = Some(signal.connector_id.clone());
        }
        let (state, reason) = self.combine(&view);
        view.reason = reason;
        let previous = std::mem::replace(&mut view.state, state);
        let transition = (previous != state).then(|| {
            view.since = Some(now.into());
            Transition { previous, state, reason: view.reason.clone(), connector_id, at: now }
        });
        Step { view, verdict, transition }
    }

    fn check(&self, view: &HealthView, signal: &HealthSignal, now: Timestamp) -> Verdict {
        let id = &signal.connector_id;
        if id.is_empty() || id.len() > LONGEST_CONNECTOR_ID || id.chars().any(char::is_control) {
            return Verdict::Invalid;
        }
        if signal.at.timestamp().duration_since(now) > FUTURE_TOLERANCE {
            return Verdict::Invalid;
        }
        match view.connectors.get(id) {
            Some(known) if signal.at <= known.at => Verdict::Stale,
            Some(_) => Verdict::Accepted,
            None if view.connectors.len() < MOST_CONNECTORS => Verdict::Accepted,
            None if view.connectors.values().any(|connector| self.is_silent(connector, now)) => Verdict::Accepted,
            None => Verdict::Invalid,
        }
    }

    fn is_silent(&self, connector: &ConnectorView, now: Timestamp) -> bool {
        let silence = SignedDuration::from_secs(i64::from(self.thresholds.silence_seconds));
        now.duration_since(connector.heard_at.timestamp()) >= silence
    }

    /// Connectors that fell silent know nothing any more, and their runs begin anew.
    fn expire(&self, view: &mut HealthView, now: Timestamp) {
        let silence = self.thresholds.silence_seconds;
        for connector in view.connectors.values_mut() {
            if connector.state != HealthState::Unknown && self.is_silent(connector, now) {
                connector.state = HealthState::Unknown;
                connector.runs = SignalRuns::default();
                connector.reason = format!("silent for {silence} s");
            }
        }
    }

    /// The connector after a signal.
    fn hear(&self, known: Option<&ConnectorView>, signal: &HealthSignal, now: Timestamp) -> ConnectorView {
        let error_rate = error_rate(signal);
        let (wanted, why) = self.wanted(signal, error_rate);
        let before = known.map_or(HealthState::Unknown, |known| known.state);
        let runs = lengthen(known.map(|known| known.runs).unwrap_or_default(), wanted);
        let at_once = before == HealthState::Unknown || signal.bind_state == BindState::Unbound;
        let state = if at_once { wanted } else { self.settle(before, runs) };
        // A signal that is not yet believed says nothing about why the state is what it is.
        let reason = match known {
            Some(known) if state == before && wanted != state => known.reason.clone(),
            _ => why,
        };
        ConnectorView {
            state,
            reason,
            bind_state: signal.bind_state,
            error_rate,
            p95_millis: signal.p95_millis,
            in_flight: signal.in_flight,
            at: signal.at,
            heard_at: now.into(),
            runs,
        }
    }

    fn wanted(&self, signal: &HealthSignal, rate: f64) -> (HealthState, String) {
        let limits = &self.thresholds;
        let rate_above = |limit: f64| format!("error rate {:.1} % is above {:.1} %", rate * 100.0, limit * 100.0);
        let p95_above = |limit: u32| format!("p95 {} ms is above {limit} ms", signal.p95_millis);
        if signal.bind_state == BindState::Unbound {
            (HealthState::Unhealthy, "unbound".to_owned())
        } else if rate > limits.unhealthy_error_rate {
            (HealthState::Unhealthy, rate_above(limits.unhealthy_error_rate))
        } else if signal.p95_millis > limits.unhealthy_p95_millis {
            (HealthState::Unhealthy, p95_above(limits.unhealthy_p95_millis))
        } else if rate > limits.degraded_error_rate {
            (HealthState::Degraded, rate_above(limits.degraded_error_rate))
        } else if signal.p95_millis > limits.degraded_p95_millis {
            (HealthState::Degraded, p95_above(limits.degraded_p95_millis))
        } else if signal.bind_state == BindState::Binding {
            (HealthState::Degraded, "binding".to_owned())
        } else {
            let p95 = signal.p95_millis;
            (HealthState::Healthy, format!("bound, error rate {:.1} %, p95 {p95} ms", rate * 100.0))
        }
    }

    /// Hysteresis: where the runs lead from a known state.
    fn settle(&self, before: HealthState, runs: SignalRuns) -> HealthState {
        let (confirm, recover) = (self.thresholds.confirm, self.thresholds.recover);
        match before {
            HealthState::Healthy | HealthState::Degraded if runs.unhealthy >= confirm => HealthState::Unhealthy,
            HealthState::Healthy if runs.degraded_or_worse >= confirm => HealthState::Degraded,
            HealthState::Unhealthy | HealthState::Degraded if runs.healthy >= recover => HealthState::Healthy,
            HealthState::Unhealthy if runs.degraded_or_better >= recover => HealthState::Degraded,
            unchanged => unchanged,
        }
    }

    /// The best connector's state, and the worst one's reason.
    fn combine(&self, view: &HealthView) -> (HealthState, String) {
        let mut heard: Vec<_> = view.connectors.iter().filter(|(_, c)| c.state != HealthState::Unknown).collect();
        heard.sort_by_key(|(_, connector)| connector.state);
        match heard.as_slice() {
            [] if view.connectors.is_empty() => (HealthState::Unknown, HealthView::unheard().reason),
            [] => (HealthState::Unknown, format!("no signal for {} s", self.thresholds.silence_seconds)),
            [(id, only)] => (only.state, format!("{id}: {}", only.reason)),
            [(id, worst), .., (_, best)] => {
                let reason = format!("worst of {} connectors: {id} {}, {}", heard.len(), worst.state, worst.reason);
                (best.state, reason)
            }
        }
    }
}

/// Failed among submitted, 0 to 1. Nothing submitted is no failure; an answer to an earlier submit may make it
/// exceed 1, which says no more than 1.
fn error_rate(signal: &HealthSignal) -> f64 {
    if signal.submitted == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than a float has")]
    let rate = signal.failed as f64 / signal.submitted as f64;
    rate.min(1.0)
}

fn lengthen(runs: SignalRuns, wanted: HealthState) -> SignalRuns {
    let next = |run: u16, goes_on: bool| if goes_on { run.saturating_add(1) } else { 0 };
    SignalRuns {
        healthy: next(runs.healthy, wanted == HealthState::Healthy),
        degraded_or_better: next(runs.degraded_or_better, wanted >= HealthState::Degraded),
        degraded_or_worse: next(runs.degraded_or_worse, wanted <= HealthState::Degraded),
        unhealthy: next(runs.unhealthy, wanted == HealthState::Unhealthy),
    }
}

/// Drops the connector heard longest ago where a new one would be one too many. `check` saw that it is silent.
fn make_room(view: &mut HealthView, newcomer: &str) {
    if view.connectors.len() < MOST_CONNECTORS || view.connectors.contains_key(newcomer) {
        return;
    }
    let oldest = view.connectors.iter().min_by_key(|(_, connector)| connector.heard_at).map(|(id, _)| id.clone());
    if let Some(id) = oldest {
        view.connectors.remove(&id);
    }
}

#[cfg(test)]
#[path = "reducer_tests.rs"]
mod tests;
