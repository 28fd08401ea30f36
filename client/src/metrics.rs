//! Counters for whatever a service exports its metrics with.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $name:ident,)+) => {
        /// What a client has done since it was started. Cheap to count, and read with [`Metrics::snapshot`].
        #[derive(Debug, Default)]
        pub struct Metrics {
            $(pub(crate) $name: Counter,)+
        }

        /// The counters at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Snapshot {
            $($(#[doc = $help])+ pub $name: u64,)+
        }

        impl Metrics {
            /// The counters as they are now.
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.0.load(Ordering::Relaxed),)+ }
            }
        }

        impl Snapshot {
            /// Name, help and value of each counter, for registering them elsewhere.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($help),+).trim_ascii(), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Routing tables read in whole.
    table_snapshots,
    /// Routing tables made from the one before and what changed.
    table_changes,
    /// Events of steps that did not come, found by the numbers of those that came.
    table_gaps,
    /// Routing tables that had to be read anew, since their changes were not to be had.
    table_resyncs,
    /// Looks for changes that failed; the last table stays in use.
    table_failures,
    /// Credentials an agent answered with.
    credentials_read,
    /// Credentials handed out from memory, fresh enough.
    credentials_remembered,
    /// Credentials handed out from memory since no agent answered.
    credentials_stale_agent,
    /// Credentials handed out from memory since Vault was not available.
    credentials_stale_vault,
    /// Credentials handed out from memory since the agents' database was not available.
    credentials_stale_store,
    /// Requests for credentials that could not be met.
    credentials_failed,
    /// States of operators read from Redis.
    health_redis,
    /// States of operators an agent answered with, since Redis did not have them.
    health_agent,
    /// States of operators that were handed out from memory, since neither answered.
    health_last_known,
    /// States of operators that nobody could tell and that were never known.
    health_never_known,
    /// Events that came.
    events,
    /// Events that could not be read.
    events_unreadable,
    /// Connections to NATS that were opened, the first included.
    events_connections,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_told_by_its_name() {
        let metrics = Metrics::default();
        metrics.table_gaps.add(2);
        metrics.events.add_one();
        let snapshot = metrics.snapshot();
        assert_eq!((snapshot.table_gaps, snapshot.events), (2, 1));
        let told: Vec<_> = snapshot.iter().filter(|(_, _, value)| *value > 0).collect();
        assert_eq!(told[0].0, "table_gaps");
        assert_eq!(told[1], ("events", "Events that came.", 1));
        assert!(snapshot.iter().all(|(_, help, _)| help.ends_with('.')));
    }
}
