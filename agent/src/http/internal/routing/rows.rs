//! The table as JSON, streamed as it is read: one document, or one object a line.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use bindery_schema::wire::routing::{LinesEnd, LinesHead};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use sqlx::PgTransaction;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::accept::Form;
use crate::http::error::chain;
use crate::store::postgres::sync_state::SyncState;
use crate::store::postgres::{Error, routing};

/// Size of the pieces that are sent.
const PIECE: usize = 64 << 10;
/// Pieces that wait for a slow client; more are not read ahead.
const AHEAD: usize = 4;
/// Longest time for a whole table: a million rows over a slow link.
const LONGEST: Duration = Duration::from_secs(120);

type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// The body of an answer. The rows come from the snapshot, so all belong to the step; a stream that breaks off ends the
/// connection, so that a client never takes half a table for a whole one.
pub(super) fn body(
    form: Form,
    snapshot: PgTransaction<'static>,
    step: SyncState,
    permit: OwnedSemaphorePermit,
) -> Body {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(send(form, snapshot, step, sender, permit));
    let pieces =
        stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) });
    Body::from_stream(pieces)
}

async fn send(
    form: Form,
    snapshot: PgTransaction<'static>,
    step: SyncState,
    pieces: Pieces,
    _permit: OwnedSemaphorePermit,
) {
    let sent = tokio::time::timeout(LONGEST, write(form, snapshot, step, &pieces)).await;
    let failure = match sent {
        Ok(Ok(())) => return,
        Ok(Err(error)) => {
            tracing::error!(error = chain(&error), "a routing table broke off");
            io::Error::other("the table broke off")
        }
        Err(_) => io::Error::new(io::ErrorKind::TimedOut, "the table took too long"),
    };
    // Whoever reads no more needs no error either.
    let _ = pieces.try_send(Err(failure));
}

async fn write(
    form: Form,
    mut snapshot: PgTransaction<'static>,
    step: SyncState,
    pieces: &Pieces,
) -> Result<(), Error> {
    let SyncState { generation, commit, .. } = step;
    let mut piece = Vec::with_capacity(PIECE + 512);
    let between: &[u8] = if form == Form::Lines { b"\n" } else { b"," };
    json(&mut piece, &LinesHead { generation, commit })?;
    if form == Form::Json {
        // The same object, which goes on with its rows.
        piece.pop();
        piece.extend_from_slice(br#","rows":["#);
    }
    let mut count = 0;
    {
        let mut rows = std::pin::pin!(routing::table(&mut snapshot));
        while let Some(row) = rows.next().await {
            if count > 0 || form == Form::Lines {
                piece.extend_from_slice(between);
            }
            count += 1;
            json(&mut piece, &row?)?;
            if piece.len() >= PIECE {
                let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE + 512));
                if pieces.send(Ok(full.into())).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    snapshot.commit().await?;
    if form == Form::Lines {
        piece.push(b'\n');
        json(&mut piece, &LinesEnd { rows: count })?;
        piece.push(b'\n');
    } else {
        piece.extend_from_slice(b"]}");
    }
    let _ = pieces.send(Ok(piece.into())).await;
    Ok(())
}

fn json(piece: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Error> {
    serde_json::to_writer(piece, value).map_err(|error| Error::Failed(sqlx::Error::Encode(error.into())))
}
