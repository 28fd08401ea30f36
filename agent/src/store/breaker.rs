//! A store that does not answer is left alone for a while: callers are told at once instead of each waiting in vain.
//!
//! After some failures in a row nobody asks until a jittered back-off has passed; then one caller tries, and what
//! comes of that decides for all. What a failure is, is the store's business: an answer, even a refusal, is none.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::backoff::Delays;

/// Shortest and longest rest. The longest is what an outage lasts longer, at most, than it really does.
const REST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The store is resting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resting;

/// Decides who may ask a store.
#[derive(Debug)]
pub struct Breaker {
    store: &'static str,
    /// Failures in a row before nobody asks.
    patience: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    failures: u32,
    rest_until: Option<Instant>,
    probing: bool,
    delays: Delays,
}

/// Leave to ask once. Dropped without a word, as when the caller gave up, it says nothing about the store.
#[derive(Debug)]
pub struct Leave<'a>(&'a Breaker);

impl Breaker {
    /// A breaker that lets everybody pass until `patience` failures in a row.
    pub fn new(store: &'static str, patience: u32) -> Self {
        let delays = Delays::new(REST.0, REST.1);
        let state = State { failures: 0, rest_until: None, probing: false, delays };
        Self { store, patience, state: Mutex::new(state) }
    }

    /// Leave to ask the store.
    pub fn enter(&self) -> Result<Leave<'_>, Resting> {
        self.enter_at(Instant::now())
    }

    fn enter_at(&self, now: Instant) -> Result<Leave<'_>, Resting> {
        let mut state = self.lock();
        if let Some(until) = state.rest_until {
            if now < until || state.probing {
                return Err(Resting);
            }
            state.probing = true;
        }
        Ok(Leave(self))
    }

    /// The store answers, as was found out in another way.
    pub fn answers(&self) {
        let mut state = self.lock();
        if state.rest_until.take().is_some() {
            tracing::info!(store = self.store, "the store answers again");
        }
        (state.failures, state.probing) = (0, false);
        state.delays.reset();
    }

    fn fails_at(&self, now: Instant) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        state.probing = false;
        if state.failures < self.patience {
            return;
        }
        let rest = state.delays.longer();
        if state.rest_until.replace(now + rest).is_none() {
            tracing::warn!(store = self.store, "the store does not answer and is asked now and then only");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves the state whole, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// What came of it.
    pub fn came_of(self, answered: bool) {
        self.came_of_at(answered, Instant::now());
    }

    fn came_of_at(self, answered: bool, now: Instant) {
        if answered { self.0.answers() } else { self.0.fails_at(now) }
    }
}

impl Drop for Leave<'_> {
    /// Another may try: after a verdict this changes nothing.
    fn drop(&mut self) {
        self.0.lock().probing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_failures_one_tries_for_all() {
        let breaker = Breaker::new("test", 3);
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..3 {
            breaker.enter_at(start).unwrap().came_of_at(false, start);
        }
        assert_eq!(breaker.enter_at(start).err(), Some(Resting));
        let probe = breaker.enter_at(later(10)).unwrap();
        assert!(breaker.enter_at(later(10)).is_err());
        probe.came_of_at(false, later(10));
        assert!(breaker.enter_at(later(10)).is_err());
        // One who gives up leaves the try to the next.
        drop(breaker.enter_at(later(20)).unwrap());
        breaker.enter_at(later(20)).unwrap().came_of_at(true, later(20));
        let (first, second) = (breaker.enter_at(later(20)), breaker.enter_at(later(20)));
        assert!(first.is_ok() && second.is_ok());
    }

    #[test]
    fn failures_that_are_not_in_a_row_do_not_count() {
        let breaker = Breaker::new("test", 2);
        let now = Instant::now();
        for answered in [false, true, false, true, false] {
            breaker.enter_at(now).unwrap().came_of_at(answered, now);
        }
        assert!(breaker.enter_at(now).is_ok());
    }
}
