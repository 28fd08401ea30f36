//! The fencing number: what makes two leaders at once harmless.
//!
//! Guarantee: of all agents that ever held the lease, only the one with the largest fencing number that has been seen
//! can commit a step. Each lease brings a number larger than all before; every transaction that changes configuration
//! begins by writing its number into `ops.sync_state` where the number there is not larger, and so also takes that
//! row's lock until it ends. An agent that was paused, lost the lease and goes on finds a larger number and stops.
//! Redis is guarded in the same way by the step its projections carry, Vault by check-and-set.

use sqlx::PgConnection;

use crate::store::postgres::{Error, sync_state};

/// The number of the lease an agent holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(i64);

impl Fence {
    /// The number a lease brought.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn number(self) -> i64 {
        self.0
    }

    /// Begins a guarded part of a transaction; [`Error::Fenced`] where a newer leader has been.
    pub async fn hold(self, connection: &mut PgConnection) -> Result<(), Error> {
        sync_state::hold(connection, self.0).await
    }
}
