//! A great many health signals as an unkind network delivers them, and a simple model of what has to come of them.
//!
//! [`signals`] draws them from a seed: connectors that get better and worse, signals that overtake each other, come twice or
//! hours late, clocks that are wrong, silences, and what is no signal at all. [`model`] says what follows, in another way
//! than the agent does. [`compare`] plays both, through the code that the agent runs, and compares every change.

pub mod model;
pub mod signals;

use std::collections::BTreeMap;

use bindery_agent::health::board::Board;
use bindery_agent::health::ingest::decode;
use bindery_agent::health::reducer::Verdict;
use bindery_schema::wire::health::HealthState;
use jiff::Timestamp;

use self::model::{Change, Model, Outcome};
use self::signals::Traffic;

/// Time between two looks for silence, in milliseconds.
const TICK: i64 = 1_000;

/// What a replay came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Signals by what became of them.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// Changes by the states before and after.
    pub changes: BTreeMap<(HealthState, HealthState), usize>,
}

impl Report {
    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        for (pair, count) in other.changes {
            *self.changes.entry(pair).or_default() += count;
        }
    }
}

/// The agent's side: the board, fed with the bytes of each message.
struct Agent {
    board: Board,
    names: Vec<String>,
}

impl Agent {
    fn hear(&mut self, operator: usize, payload: &[u8], now: i64) -> (Outcome, Option<Change>) {
        let Some(signal) = decode(&self.names[operator], payload) else { return (Outcome::Invalid, None) };
        let Some(heard) = self.board.hear(&signal, moment(now)) else { return (Outcome::Unknown, None) };
        let outcome = match heard.verdict {
            Verdict::Accepted => Outcome::Accepted,
            Verdict::Stale => Outcome::Stale,
            Verdict::Invalid => Outcome::Invalid,
        };
        (outcome, heard.change.map(|change| self.told(&change)))
    }

    fn tick(&mut self, now: i64) -> Vec<Change> {
        let changes = self.board.tick(moment(now));
        changes.iter().map(|change| self.told(change)).collect()
    }

    fn told(&self, change: &bindery_agent::store::postgres::health::Change) -> Change {
        let transition = &change.transition;
        Change {
            operator: self.names.iter().position(|name| *name == change.operator.as_str()).unwrap_or(usize::MAX),
            previous: transition.previous,
            state: transition.state,
            connector: transition.connector_id.clone(),
            at: transition.at.as_millisecond(),
        }
    }
}

/// Plays traffic to the agent's board and to a model; an error says where they first differ.
pub fn compare(traffic: &Traffic, mut model: Model) -> Result<Report, String> {
    let names: Vec<String> = traffic.operators.iter().map(|operator| operator.id.to_string()).collect();
    let watched = traffic.operators.iter().filter(|operator| operator.is_known);
    let mut board = Board::default();
    board.watch(watched.map(|operator| (operator.id.clone(), operator.thresholds)).collect(), &BTreeMap::new());
    let mut agent = Agent { board, names };
    let (mut report, mut payload) = (Report::default(), Vec::new());
    let mut next_tick = traffic.deliveries.first().map_or(0, |first| first.heard) + TICK;
    let mut note = |changes: &[Change]| {
        for change in changes {
            *report.changes.entry((change.previous, change.state)).or_default() += 1;
        }
    };
    let mut outcomes = BTreeMap::new();
    for (place, delivery) in traffic.deliveries.iter().enumerate() {
        while next_tick <= delivery.heard {
            let (found, expected) = (agent.tick(next_tick), model.tick(next_tick));
            same(&found, &expected, || format!("at the look for silence at {next_tick}"))?;
            note(&found);
            next_tick += TICK;
        }
        delivery.write(&traffic.operators, &mut payload);
        let found = agent.hear(delivery.operator, &payload, delivery.heard);
        let expected = model.hear(delivery);
        same(&found, &expected, || format!("at signal {place}, {}", String::from_utf8_lossy(&payload)))?;
        *outcomes.entry(found.0).or_default() += 1;
        note(found.1.as_slice());
    }
    let found: Vec<_> = agent.board.states().map(|(id, state)| (id.to_string(), state)).collect();
    same(&found, &model.states(), || "at the end".to_owned())?;
    report.outcomes = outcomes;
    Ok(report)
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, place: impl Fn() -> String) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{}: the agent has {found:?}, the model {expected:?}", place()))
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}
