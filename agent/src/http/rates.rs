//! How often a caller may ask: a bucket of requests for each subject of a token (GCRA), which fills up again steadily.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::error::{Code, Problem};
use crate::config::Limits;

/// After so many requests the buckets that are full again are forgotten: they say nothing.
const SWEEP: u32 = 10_000;

/// The buckets.
pub(super) struct Rates {
    buckets: Option<DefaultKeyedRateLimiter<String>>,
    clock: DefaultClock,
    asked: AtomicU32,
}

impl Rates {
    /// As configured.
    pub(super) fn new(limits: &Limits) -> Self {
        let quota = |second: NonZeroU32, burst: NonZeroU32| Quota::per_second(second).allow_burst(burst);
        let rate = NonZeroU32::new(limits.requests_per_second).zip(NonZeroU32::new(limits.burst));
        let buckets = rate.map(|(second, burst)| RateLimiter::keyed(quota(second, burst)));
        Self { buckets, clock: DefaultClock::default(), asked: AtomicU32::new(0) }
    }

    /// Takes one request out of a subject's bucket.
    pub(super) fn take(&self, subject: &str) -> Result<(), Problem> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            buckets.retain_recent();
        }
        buckets.check_key(&subject.to_owned()).map_err(|early| {
            let wait = early.wait_time_from(self.clock.now());
            // Whole seconds, rounded up: sent again earlier it would be refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let detail = format!("you ask more often than you may: wait {seconds} s");
            Problem::new(Code::TooManyRequests).detail(detail).after(seconds)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_has_a_bucket_of_its_own() {
        let limits = Limits { requests_per_second: 1, burst: 3, ..Limits::default() };
        let rates = Rates::new(&limits);
        for _ in 0..3 {
            assert!(rates.take("ana").is_ok());
        }
        assert_eq!(rates.take("ana").unwrap_err().code(), Code::TooManyRequests);
        assert!(rates.take("ben").is_ok());
        let unlimited = Rates::new(&Limits { requests_per_second: 0, ..limits });
        assert!((0..1_000).all(|_| unlimited.take("ana").is_ok()));
    }
}
