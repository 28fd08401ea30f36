//! What a step works on, how it ends, and why it may not come to its end.

use bindery_compiler::{plan, seal, source};
use git2::Oid;
use jiff::Timestamp;

use super::fetch::{self, History};
use super::secrets;
use crate::store::postgres::{self, sync_state::SyncState};

/// Why a step did not come to its end. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`fetch::Error`].
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// The tree of a commit could not be read.
    #[error("the commit cannot be read from the agent's clone")]
    Source(#[source] source::Error),
    /// See [`postgres::Error`].
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    /// See [`secrets::Error`].
    #[error(transparent)]
    Secrets(#[from] secrets::Error),
    /// The identities cannot be read.
    #[error("the file of age identities cannot be used")]
    Identities(#[source] seal::Error),
    /// The planner was not given what it asked for.
    #[error("the plan lacks an observation")]
    Plan(#[from] plan::MissingDetail),
    /// Work on another thread was cut off.
    #[error("the step was cut off")]
    Cut(#[from] tokio::task::JoinError),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error.into())
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The tip was applied.
    Applied,
    /// There was nothing to do.
    Unchanged,
    /// The tip does not compile, or a password of it cannot be opened.
    Rejected,
    /// A guardrail holds the plan.
    Held,
    /// The tip would be applied, were the sync not paused.
    Paused,
}

impl Outcome {
    /// As metrics and run rows call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
            Self::Held => "held",
            Self::Paused => "paused",
        }
    }
}

/// The tip with all that was found out about it.
#[derive(Debug)]
pub struct Candidate {
    /// The tip.
    pub commit: Oid,
    /// What is known of it.
    pub history: History,
    /// The step the stores are equal to.
    pub before: SyncState,
    /// When the look at it began.
    pub now: Timestamp,
}
