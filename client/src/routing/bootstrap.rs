//! Reads a whole table.

use std::time::Duration;

use bindery_schema::wire::routing::COMPACT;
use tokio::task::JoinError;

use super::Routing;
use crate::agent::Failure;
use crate::table::{DecodeError, Table};

/// Longest wait for a table: a million prefixes over a slow link.
const LONGEST: Duration = Duration::from_secs(120);
/// Largest answer: a hundred times a million prefixes, packed.
const LARGEST: usize = 1 << 29;

/// Why there is no table yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// No agent answers, or none as it should.
    #[error("no agent answers with a routing table: {0:?}")]
    Agent(Failure),
    /// The answer broke off.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
    /// The answer is larger than any table.
    #[error("the answer is larger than any table")]
    TooLarge,
    /// See [`DecodeError`].
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Unpacking was cut off.
    #[error("unpacking was cut off")]
    Cut(#[from] JoinError),
}

/// Reads the table of the applied step and puts it in use.
pub(super) async fn bootstrap(routing: &Routing) -> Result<(), Error> {
    let path = "/v1/internal/routing-table";
    let mut response = routing.agents.ask(path, COMPACT, LONGEST).await.map_err(Error::Agent)?;
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut packed = Vec::with_capacity(expected.min(LARGEST));
    while let Some(piece) = response.chunk().await.map_err(Error::Broken)? {
        if packed.len() + piece.len() > LARGEST {
            return Err(Error::TooLarge);
        }
        packed.extend_from_slice(&piece);
    }
    // Tens of milliseconds for a million prefixes, in which nothing else of the service has to wait.
    let table = tokio::task::spawn_blocking(move || Table::decode(&packed)).await??;
    routing.metrics.table_snapshots.add_one();
    routing.replace(table);
    Ok(())
}
