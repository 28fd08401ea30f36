//! The table in the compact encoding, made once for each step.
//!
//! Routing engines start together, after a deployment or an outage: the first makes the agent read and pack the table, the
//! others get the same bytes, a few megabytes for a million prefixes. Rows are read without an order and sorted here, as
//! machine words, which spares Postgres the sorting of text.

use std::io::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use bindery_schema::wire::routing::{Encoder, Head};
use tokio::sync::Mutex;

use crate::http::error::{Code, Problem, chain};
use crate::shared::Shared;
use crate::store::postgres::routing::{self, Rows};
use crate::store::postgres::sync_state::{self, SyncState};
use crate::store::postgres::{Error, read};

/// Level of compression: the library's own default. Packing is waited for, so more would cost more than it saves.
const LEVEL: i32 = 3;

/// The newest table that was packed.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Packed(Arc<Mutex<Option<(i64, Bytes)>>>);

impl Packed {
    /// The table of a step or of a newer one, with its number.
    pub(super) async fn of(&self, shared: &Shared, generation: i64) -> Result<(i64, Bytes), Problem> {
        let (latest, shared) = (self.clone(), shared.clone());
        // A task of its own: a client that gives up does not undo what the next one waits for.
        let made = tokio::spawn(async move { latest.make(&shared, generation).await });
        made.await.map_err(|error| {
            tracing::error!(error = chain(&error), "packing a routing table was cut off");
            Problem::new(Code::Internal)
        })?
    }

    async fn make(&self, shared: &Shared, generation: i64) -> Result<(i64, Bytes), Problem> {
        // Held while the table is read, so that it is read once.
        let mut latest = self.0.lock().await;
        if let Some(latest) = &*latest
            && latest.0 >= generation
        {
            return Ok(latest.clone());
        }
        let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
        let step = sync_state::read(&mut snapshot).await?;
        let rows = routing::rows(&mut snapshot).await?;
        snapshot.commit().await?;
        let generation = step.generation;
        let bytes = tokio::task::spawn_blocking(move || pack(&step, rows)).await.map_err(failed)?.map_err(failed)?;
        tracing::info!(generation, bytes = bytes.len(), "packed the routing table");
        Ok(latest.insert((generation, bytes)).clone())
    }
}

fn failed(error: impl std::error::Error) -> Problem {
    tracing::error!(error = chain(&error), "a routing table could not be packed");
    Problem::new(Code::Internal)
}

fn pack(step: &SyncState, rows: Rows) -> Result<Bytes, Error> {
    let encode = |error: Box<dyn std::error::Error + Send + Sync>| Error::Failed(sqlx::Error::Encode(error));
    let Rows { operators, costs, mut rows } = rows;
    let mut order: Vec<usize> = (0..operators.len()).collect();
    order.sort_unstable_by_key(|place| &operators[*place]);
    let mut place = vec![0; operators.len()];
    for (new, old) in (0..).zip(&order) {
        place[*old] = new;
    }
    for (_, route) in &mut rows {
        route.operator = place[route.operator as usize];
    }
    rows.sort_unstable();
    let head = Head {
        generation: step.generation,
        commit: step.commit.clone(),
        operators: order.into_iter().map(|place| operators[place].clone()).collect(),
        costs,
        groups: rows.chunk_by(|a, b| a.0 == b.0).count(),
        routes: rows.len(),
    };
    let mut packer = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).map_err(|error| encode(error.into()))?;
    packer.include_checksum(true).map_err(|error| encode(error.into()))?;
    let mut piece = Vec::with_capacity(1 << 16);
    let mut encoder = Encoder::begin(&head, &mut piece).map_err(|error| encode(error.into()))?;
    let mut routes = Vec::new();
    for same in rows.chunk_by(|a, b| a.0 == b.0) {
        routes.clear();
        routes.extend(same.iter().map(|(_, route)| *route));
        encoder.group(same[0].0, &routes, &mut piece).map_err(|error| encode(error.into()))?;
        if piece.len() >= 1 << 16 {
            packer.write_all(&piece).map_err(|error| encode(error.into()))?;
            piece.clear();
        }
    }
    encoder.end().map_err(|error| encode(error.into()))?;
    packer.write_all(&piece).map_err(|error| encode(error.into()))?;
    Ok(packer.finish().map_err(|error| encode(error.into()))?.into())
}
