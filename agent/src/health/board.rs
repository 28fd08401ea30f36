//! The state of every operator in memory, and nothing else: no clock, no IO.

use std::collections::BTreeMap;

use bindery_schema::operator::HealthThresholds;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::{HealthSignal, HealthState, HealthView};
use jiff::Timestamp;

use super::reducer::{HealthStateReducer, Input, Verdict};
use crate::store::postgres::health::Change;
use crate::telemetry::Trace;

/// Every operator that is watched.
#[derive(Debug, Default)]
pub struct Board {
    operators: BTreeMap<OperatorId, Watched>,
}

#[derive(Debug)]
struct Watched {
    reducer: HealthStateReducer,
    view: HealthView,
}

/// What a signal led to.
#[derive(Debug)]
pub struct Heard {
    /// What became of it.
    pub verdict: Verdict,
    /// The operator's state, where the signal counts.
    pub view: Option<HealthView>,
    /// The change, where there is one.
    pub change: Option<Change>,
}

impl Board {
    /// Watches exactly these operators from now on. Known ones keep their state; a new one takes it from `known`. Returns
    /// those that are watched no longer.
    pub fn watch(
        &mut self,
        operators: BTreeMap<OperatorId, HealthThresholds>,
        known: &BTreeMap<OperatorId, HealthView>,
    ) -> Vec<OperatorId> {
        let mut before = std::mem::take(&mut self.operators);
        let watched = operators.into_iter().map(|(id, thresholds)| {
            let kept = before.remove(&id).map(|watched| watched.view);
            let view = kept.or_else(|| known.get(&id).cloned()).unwrap_or_else(HealthView::unheard);
            (id, Watched { reducer: HealthStateReducer { thresholds }, view })
        });
        self.operators = watched.collect();
        before.into_keys().collect()
    }

    /// The state of each operator that is watched.
    pub fn states(&self) -> impl Iterator<Item = (&OperatorId, HealthState)> {
        self.operators.iter().map(|(id, watched)| (id, watched.view.state))
    }

    /// Whether an operator is watched.
    pub fn watches(&self, operator: &OperatorId) -> bool {
        self.operators.contains_key(operator)
    }

    /// Takes a signal in; `None` for an operator that is not watched.
    pub fn hear(&mut self, signal: &HealthSignal, now: Timestamp) -> Option<Heard> {
        let watched = self.operators.get_mut(&signal.operator_id)?;
        let (verdict, change) = watched.step(&signal.operator_id, Input::Signal(signal), now);
        let view = (verdict == Verdict::Accepted).then(|| watched.view.clone());
        Some(Heard { verdict, view, change })
    }

    /// Lets time pass: the operators whose state changes by silence.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Change> {
        // Who is UNKNOWN cannot become so.
        let heard = self.operators.iter_mut().filter(|(_, watched)| watched.view.state != HealthState::Unknown);
        heard.filter_map(|(id, watched)| watched.step(id, Input::Tick, now).1).collect()
    }
}

impl Watched {
    fn step(&mut self, id: &OperatorId, input: Input<'_>, now: Timestamp) -> (Verdict, Option<Change>) {
        let view = std::mem::replace(&mut self.view, HealthView::unheard());
        let step = self.reducer.reduce(view, input, now);
        self.view = step.view;
        let change = |transition| Change {
            operator: id.clone(),
            transition,
            view: self.view.clone(),
            // The span of the signal; a tick has none.
            trace: Trace::current(),
        };
        (step.verdict, step.transition.map(change))
    }
}

#[cfg(test)]
mod tests {
    use bindery_schema::wire::health::BindState;

    use super::*;

    fn signal(operator: &str, second: i64) -> HealthSignal {
        HealthSignal {
            operator_id: operator.parse().unwrap(),
            connector_id: "c1".to_owned(),
            bind_state: BindState::Bound,
            submitted: 0,
            failed: 0,
            throttled: 0,
            p95_millis: 0,
            in_flight: 0,
            at: Timestamp::from_second(second).unwrap().into(),
        }
    }

    #[test]
    fn operators_come_and_go_and_keep_their_state() {
        let ids = |names: &[&str]| names.iter().map(|id| (id.parse().unwrap(), HealthThresholds::default())).collect();
        let (mut board, none) = (Board::default(), BTreeMap::new());
        let at = |second| Timestamp::from_second(second).unwrap();
        board.watch(ids(&["a", "b"]), &none);
        assert!(board.hear(&signal("c", 1), at(1)).is_none());
        let heard = board.hear(&signal("a", 1), at(1)).unwrap();
        assert_eq!(heard.change.unwrap().transition.state, HealthState::Healthy);
        assert_eq!(board.watch(ids(&["a", "c"]), &none), ["b".parse().unwrap()]);
        let states: Vec<_> = board.states().map(|(id, state)| (id.as_str(), state)).collect();
        assert_eq!(states, [("a", HealthState::Healthy), ("c", HealthState::Unknown)]);
        assert!(board.watches(&"c".parse().unwrap()) && !board.watches(&"b".parse().unwrap()));
        assert!(board.hear(&signal("a", 2), at(2)).unwrap().change.is_none(), "a is HEALTHY still");
        let silent: Vec<_> = board.tick(at(62)).into_iter().map(|change| change.operator.to_string()).collect();
        assert_eq!(silent, ["a"]);
        assert!(board.tick(at(63)).is_empty());
    }

    #[test]
    fn a_restart_goes_on_from_what_is_known() {
        let mut board = Board::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let watched = || BTreeMap::from([("a".parse().unwrap(), HealthThresholds::default())]);
        board.watch(watched(), &BTreeMap::new());
        let view = board.hear(&signal("a", 1), at(1)).unwrap().view.unwrap();
        let mut restarted = Board::default();
        restarted.watch(watched(), &BTreeMap::from([("a".parse().unwrap(), view)]));
        let again = restarted.hear(&signal("a", 1), at(2)).unwrap();
        assert_eq!((again.verdict, again.change.is_none()), (Verdict::Stale, true));
    }
}
