//! The states of all operators at once, kept up to date by events and by regular looks.
//!
//! A look reads Redis in batches. Where Redis is away, or has lost the state of an operator it had, the agents are asked;
//! an operator that was never heard of is asked for once. What nobody tells stays as it was last known.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::event::OperatorHealth;
use bindery_schema::wire::health::{HealthState, HealthView};
use futures::{StreamExt as _, stream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Health;
use crate::agent::Failure;
use crate::routing::Routing;
use crate::table;

/// Operators of one question to Redis.
const BATCH: usize = 500;
/// Questions to the agents at a time.
const AT_ONCE: usize = 8;

/// States of operators at one moment; never changes.
#[derive(Debug, Clone, Default)]
pub struct States {
    states: HashMap<OperatorId, HealthState>,
    unhealthy: HashSet<OperatorId>,
}

impl States {
    /// The state of an operator, UNKNOWN where nobody was ever heard.
    pub fn of(&self, operator: &OperatorId) -> HealthState {
        self.states.get(operator).copied().unwrap_or_default()
    }

    /// Operators that take no traffic.
    pub fn unhealthy(&self) -> &HashSet<OperatorId> {
        &self.unhealthy
    }
}

/// Only UNHEALTHY is skipped: UNKNOWN says that nobody measures, which is no reason to send nothing.
impl table::Health for States {
    fn takes_traffic(&self, operator: &OperatorId) -> bool {
        self.unhealthy.is_empty() || !self.unhealthy.contains(operator)
    }
}

/// What is known of every operator.
#[derive(Debug, Default)]
pub(crate) struct Board {
    states: ArcSwap<States>,
    seen: Mutex<HashMap<OperatorId, Seen>>,
    /// Wakes the looks.
    pub(crate) wake: Notify,
}

#[derive(Debug, Clone)]
struct Seen {
    view: HealthView,
    at: Instant,
    /// Redis had no state of it when it was last asked, and the agents were asked instead.
    missed: bool,
}

impl Board {
    pub(super) fn states(&self) -> Arc<States> {
        self.states.load_full()
    }

    pub(super) fn remembered(&self, operator: &OperatorId) -> Option<(HealthView, Instant)> {
        self.seen().get(operator).map(|seen| (seen.view.clone(), seen.at))
    }

    /// Takes over what a source said. An answer may be older than an event that came meanwhile: the state that began
    /// later stays.
    pub(super) fn remember(&self, operator: &OperatorId, view: &HealthView, at: Instant) {
        self.remember_all([(operator.clone(), view.clone(), false)], at);
    }

    fn remember_all(&self, views: impl IntoIterator<Item = (OperatorId, HealthView, bool)>, at: Instant) {
        let mut seen = self.seen();
        let mut changed = false;
        for (operator, view, missed) in views {
            if let Some(before) = seen.get_mut(&operator) {
                before.missed = missed;
                if before.view.since > view.since {
                    continue;
                }
            }
            changed |= seen.get(&operator).map(|before| before.view.state) != Some(view.state);
            seen.insert(operator, Seen { view, at, missed });
        }
        if changed {
            let states: HashMap<_, _> = seen.iter().map(|(id, seen)| (id.clone(), seen.view.state)).collect();
            let unhealthy = states.iter().filter(|(_, state)| **state == HealthState::Unhealthy);
            let unhealthy = unhealthy.map(|(id, _)| id.clone()).collect();
            self.states.store(Arc::new(States { states, unhealthy }));
        }
    }

    /// Takes over a change that an event tells.
    pub(crate) fn hear(&self, event: &OperatorHealth) {
        let before = self.remembered(&event.operator_id).map_or_else(HealthView::unheard, |(view, _)| view);
        let (reason, since) = (event.reason.clone(), Some(event.at));
        self.remember(&event.operator_id, &HealthView { state: event.state, since, reason, ..before }, Instant::now());
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<OperatorId, Seen>> {
        // A map is whole after each insertion, whoever panicked.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at all operators of the table until cancelled.
pub(crate) async fn run(health: Arc<Health>, routing: Arc<Routing>, every: Duration, cancel: CancellationToken) {
    let mut generation = routing.generations();
    let looks = async {
        loop {
            look(&health, routing.table().operators()).await;
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = health.board.wake.notified() => {}
                // New operators are not known yet.
                changed = generation.changed() => if changed.is_err() { return },
            }
        }
    };
    cancel.run_until_cancelled(looks).await;
}

async fn look(health: &Health, operators: &[OperatorId]) {
    for batch in operators.chunks(BATCH) {
        let shown = match &health.redis {
            Some(redis) => redis.read(batch).await,
            None => None,
        };
        let is_away = shown.is_none();
        let shown = shown.unwrap_or_else(|| vec![None; batch.len()]);
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for (operator, view) in batch.iter().zip(shown) {
            match view {
                Some(view) => found.push((operator.clone(), view, false)),
                None => missing.push(operator.clone()),
            }
        }
        health.metrics.health_redis.add(found.len() as u64);
        health.board.remember_all(found, Instant::now());
        if !is_away {
            let seen = health.board.seen();
            missing.retain(|operator| seen.get(operator).is_none_or(|seen| !seen.missed));
        }
        if !ask_agents(health, missing).await && is_away {
            // Neither answers: what was known of all operators stays.
            return;
        }
    }
}

/// Asks the agents for operators; `false` where none answers.
async fn ask_agents(health: &Health, operators: Vec<OperatorId>) -> bool {
    let answers = stream::iter(operators).map(|operator| async move {
        let view = health.ask_agent(&operator).await;
        (operator, view)
    });
    let mut answers = std::pin::pin!(answers.buffer_unordered(AT_ONCE));
    while let Some((operator, view)) = answers.next().await {
        let view = match view {
            Ok(view) => view,
            // It has gone, or goes by another id: the table says so soon.
            Err(Failure::Refused(_)) => HealthView::unheard(),
            Err(Failure::Outage(_)) => {
                let known = health.board.seen().contains_key(&operator);
                if known { &health.metrics.health_last_known } else { &health.metrics.health_never_known }.add_one();
                return false;
            }
        };
        health.metrics.health_agent.add_one();
        health.board.remember_all([(operator, view, true)], Instant::now());
    }
    true
}

#[cfg(test)]
mod tests {
    use bindery_schema::value::Instant as Moment;

    use super::*;
    use crate::table::Health as _;

    fn view(state: HealthState, since: &str) -> HealthView {
        HealthView { state, since: Some(since.parse::<Moment>().unwrap()), ..HealthView::unheard() }
    }

    #[test]
    fn the_state_that_began_later_stays() {
        let (board, one) = (Board::default(), "one".parse::<OperatorId>().unwrap());
        let (early, late) = ("2026-11-26T10:00:00.000Z", "2026-11-26T10:00:05.000Z");
        assert!(board.states().takes_traffic(&one));
        board.remember(&one, &HealthView::unheard(), Instant::now());
        board.remember(&one, &view(HealthState::Unhealthy, late), Instant::now());
        board.remember(&one, &view(HealthState::Healthy, early), Instant::now());
        assert_eq!(board.states().of(&one), HealthState::Unhealthy);
        assert!(!board.states().takes_traffic(&one));
        board.remember(&one, &view(HealthState::Degraded, late), Instant::now());
        assert!(board.states().takes_traffic(&one) && board.states().unhealthy().is_empty());
    }
}
