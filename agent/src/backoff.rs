//! How long to wait after a failure: longer each time, within bounds, and never in step with others.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Waits that double from `least` to `most`, each with jitter, without an end.
pub fn between(least: Duration, most: Duration) -> ExponentialBuilder {
    ExponentialBuilder::default().with_jitter().with_min_delay(least).with_max_delay(most).without_max_times()
}

/// The waits of one run of failures.
#[derive(Debug)]
pub struct Delays {
    shape: ExponentialBuilder,
    most: Duration,
    left: ExponentialBackoff,
}

impl Delays {
    /// Waits that double from `least` to `most`.
    pub fn new(least: Duration, most: Duration) -> Self {
        let shape = between(least, most);
        Self { shape, most, left: shape.build() }
    }

    /// The next wait.
    pub fn longer(&mut self) -> Duration {
        self.left.next().unwrap_or(self.most)
    }

    /// It worked: the next failure waits shortly again.
    pub fn reset(&mut self) {
        self.left = self.shape.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_bounds_and_begin_anew() {
        let (least, most) = (Duration::from_millis(100), Duration::from_secs(2));
        let mut delays = Delays::new(least, most);
        let waits: Vec<Duration> = (0..50).map(|_| delays.longer()).collect();
        // Jitter adds up to the wait itself.
        assert!(waits.iter().all(|wait| (least..=2 * most).contains(wait)), "{waits:?}");
        assert!(waits[49] >= most && waits[0] <= 2 * least);
        delays.reset();
        assert!(delays.longer() <= 2 * least);
    }
}
