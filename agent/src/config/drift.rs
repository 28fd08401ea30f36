//! Full looks at the stores, and what becomes of what they find.

use std::time::Duration;

use bindery_schema::wire::drift::{DriftPolicy, Store};
use serde::Deserialize;

/// Full looks at the stores, and what becomes of what they find.
///
/// Postgres is healed by default: what is not healed there is undone without a word by the next commit that touches the
/// row, so the choice is only when, and healing leaves the old value in the audit trail. Vault is told by default: a
/// password set by hand may be the one the carrier accepts now, and putting git's in its place would break the bind.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// Seconds between two looks, give or take a tenth; 0 looks only when asked.
    pub every_seconds: f64,
    /// Configuration tables.
    pub postgres: DriftPolicy,
    /// Passwords that git holds sealed.
    pub vault: DriftPolicy,
    /// Projections. An empty cache is filled whatever this says.
    pub redis: DriftPolicy,
    /// Subjects and duplicate window of the stream.
    pub nats: DriftPolicy,
}

impl Default for Drift {
    fn default() -> Self {
        use DriftPolicy::{Heal, Report};
        Self { every_seconds: 900.0, postgres: Heal, vault: Report, redis: Heal, nats: Heal }
    }
}

impl Drift {
    /// Time between two looks; none where only people ask.
    pub fn every(&self) -> Option<Duration> {
        let every = super::seconds(self.every_seconds);
        (!every.is_zero()).then_some(every)
    }

    /// What becomes of drift in a store.
    pub fn policy(&self, store: Store) -> DriftPolicy {
        match store {
            Store::Postgres => self.postgres,
            Store::Vault => self.vault,
            Store::Redis => self.redis,
            Store::Nats => self.nats,
        }
    }
}
