//! Passwords: opened from git, written to Vault before the transaction, deleted after it.
//!
//! A durable intent goes before every write, so whoever comes after a crash knows which passwords may be ahead of
//! Postgres. Where the next plan writes the same operator's password again, that finishes it; where it does not, the
//! version from before is put back. With a version 1 engine there is no version to put back: documented as weaker.

mod delete;
mod open;
mod undo;
mod write;

use std::collections::BTreeMap;

use bindery_schema::value::OperatorId;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::store::postgres;
use crate::store::vault::{self, Vault};

pub use delete::{delete, deletions};
pub use open::{Writes, open, unseal};
pub(crate) use undo::Before;
pub use undo::undo;
pub use write::{write, written};

/// Requests to Vault at a time: enough to hide the round trip, few enough to leave a small server room.
pub(crate) const PARALLEL: usize = 16;

/// Why passwords could not be brought where they belong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`vault::Error`].
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// See [`postgres::Error`].
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error.into())
    }
}

/// A sealed password that cannot be used: the commit is rejected.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

/// The newest version of each operator's secret, see [`Vault::version`].
async fn versions(vault: &Vault, operators: &[OperatorId]) -> Result<BTreeMap<OperatorId, Option<u64>>, vault::Error> {
    let version = |id: &OperatorId| {
        let (vault, id) = (vault.clone(), id.clone());
        async move { vault.version(&id).await.map(|version| (id, version)) }.boxed()
    };
    let versions: Vec<_> = operators.iter().map(version).collect();
    stream::iter(versions).buffer_unordered(PARALLEL).try_collect().await
}
