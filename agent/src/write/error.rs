//! Why a change was not made. Nothing of it is left: no commit, no password in Vault.

use bindery_compiler::{edit, seal, source};
use bindery_schema::value::{DocumentUri, MnoId, OperatorId};
use git2::Oid;
use serde_json::Value;

use crate::store::{documents, postgres, vault};
use crate::sync::{branch, fetch};

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such object.
    #[error("there is no {0}")]
    NotFound(String),
    /// There is one already.
    #[error("there is a {0} already")]
    Exists(String),
    /// An operator had the id and was deleted.
    #[error("`{0}` was the id of an operator that was deleted; an id is never given to another")]
    Retired(OperatorId),
    /// Operators or contracts still belong to the carrier.
    #[error("`{mno}` still has operators: {operators}")]
    InUse {
        /// The carrier.
        mno: MnoId,
        /// Some of them.
        operators: String,
    },
    /// A part of the request cannot be understood.
    #[error("{0}")]
    BadRequest(String),
    /// Somebody changed the object since the caller saw it.
    #[error("the object has changed since it was read")]
    Changed,
    /// The result would not be valid.
    #[error("it would not be valid")]
    Invalid(Vec<Value>),
    /// The branch is not valid as it is.
    #[error("the branch does not compile as it is: mend it first")]
    Broken(Vec<Value>),
    /// Signed documents of contracts are not in the object store.
    #[error("the object store has no {}: put the signed document there first", list(.0))]
    NoDocument(Vec<DocumentUri>),
    /// See [`documents::Error`].
    #[error(transparent)]
    Documents(#[from] documents::Error),
    /// A guardrail would hold the plan.
    #[error("a guardrail would hold the plan {hash}: {}", holds.join("; "))]
    Held {
        /// The plan's hash.
        hash: String,
        /// The guardrails.
        holds: Vec<String>,
    },
    /// The sync is paused.
    #[error("the sync is paused until {until}: {reason}")]
    Paused {
        /// Why.
        reason: String,
        /// When the pause ends by itself.
        until: String,
    },
    /// A file is written in a way that cannot be edited without touching more of it.
    #[error("{path}: {source}")]
    Layout {
        /// The file.
        path: String,
        /// Why.
        source: edit::Error,
    },
    /// The password cannot be sealed.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// Vault does not take the password.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// See [`postgres::Error`].
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    /// See [`fetch::Error`].
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// See [`branch::Error`].
    #[error(transparent)]
    Branch(#[from] branch::Error),
    /// The tip cannot be read.
    #[error("the branch cannot be read")]
    Source(#[from] source::Error),
    /// Many changes are waiting before this one.
    #[error("too many changes are waiting: try again in a moment")]
    Busy,
    /// The server was lost while it took the commit. Where it did, everything follows; else the password goes again.
    #[error("the repository was lost while it took the commit, which may still come: look before you try again")]
    Unknown {
        /// The commit.
        commit: Oid,
        /// How the push ended.
        source: branch::Error,
    },
    /// Others pushed at the same time, again and again.
    #[error("the branch moves too fast")]
    Moving,
    /// The work was cut off.
    #[error("the work was cut off")]
    Cut(#[from] tokio::task::JoinError),
}

fn list(documents: &[DocumentUri]) -> String {
    documents.iter().map(DocumentUri::as_str).collect::<Vec<_>>().join(", ")
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<git2::Error> for Error {
    fn from(error: git2::Error) -> Self {
        Self::Branch(error.into())
    }
}
