//! What a listener takes, so that one caller cannot take it all.

use std::time::Duration;

use serde::Deserialize;

/// Shortest time for an answer: a change is answered within that, whatever it waits for.
const LEAST_SECONDS: u64 = 15;
/// Longest time for an answer: beyond that clients and proxies have given up.
const MOST_SECONDS: u64 = 300;
/// Smallest largest body: any single operator.
const LEAST_BYTES: usize = 4 << 10;

/// What each listener takes at most.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest body of a request, in bytes.
    pub body_bytes: usize,
    /// Requests a second of one caller of the admin listener, in the long run; 0 sets no limit.
    pub requests_per_second: u32,
    /// Requests a caller may send at once, after a pause.
    pub burst: u32,
    /// Requests under way at a time, on the admin and on the internal listener each.
    pub concurrent: usize,
    /// Longest time until an answer begins, in seconds.
    pub timeout_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A few times the largest operator that was ever written down.
            body_bytes: 1 << 20,
            // More than a person or a page asks, less than what would keep Postgres busy.
            requests_per_second: 100,
            burst: 200,
            // Each may wait for one of a few connections to Postgres: more would wait in vain.
            concurrent: 256,
            // Longer than any store's own limit, so that the store's error is the answer.
            timeout_seconds: LEAST_SECONDS,
        }
    }
}

impl Limits {
    /// Longest time until an answer begins.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.burst == 0 {
            return Err("limits.burst is at least 1; limits.requests_per_second = 0 sets no limit");
        }
        if self.concurrent == 0 {
            return Err("limits.concurrent is at least 1");
        }
        if self.body_bytes < LEAST_BYTES {
            return Err("limits.body_bytes is at least 4096: an operator has to fit");
        }
        if !(LEAST_SECONDS..=MOST_SECONDS).contains(&self.timeout_seconds) {
            return Err(
                "limits.timeout_seconds is a number from 15 to 300: a change is answered after 12 at the latest",
            );
        }
        Ok(())
    }
}
