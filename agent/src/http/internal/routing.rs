//! `GET /v1/internal/routing-table`: one step's table, streamed as it is read.
//!
//! The rows come from one snapshot of the database, so all belong to the generation the answer begins with. A stream
//! that breaks off ends the connection: a client never takes half a table for a whole one.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};
use sqlx::PgTransaction;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Internal;
use crate::http::error::{Code, Problem, chain};
use crate::store::postgres::sync_state::{self, SyncState};
use crate::store::postgres::{Error, read};

/// Size of the pieces that are sent.
const PIECE: usize = 64 << 10;
/// Pieces that wait for a slow client; more are not read ahead.
const AHEAD: usize = 4;
/// Longest time for a whole table: a million rows over a slow link.
const LONGEST: Duration = Duration::from_secs(120);

/// The table, or 304 where the client has this step's already.
pub(super) async fn table(State(internal): State<Internal>, headers: HeaderMap) -> Result<Response, Problem> {
    let permit = internal.streams.clone().acquire_owned().await.map_err(|_| Problem::new(Code::StoreUnavailable))?;
    let mut snapshot = read::snapshot(&internal.shared.stores.postgres).await?;
    let step = sync_state::read(&mut snapshot).await?;
    let tag = format!("\"g{}\"", step.generation);
    let mut response = if is_known(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::spawn(send(snapshot, step, sender, permit));
        let pieces =
            stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) });
        let mut response = Body::from_stream(pieces).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.extend(HeaderValue::from_str(&tag).map(|tag| (ETAG, tag)));
    Ok(response)
}

/// Whether `If-None-Match` names the tag (RFC 9110, 13.1.2: weak comparison).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

async fn send(snapshot: PgTransaction<'static>, step: SyncState, pieces: Pieces, _permit: OwnedSemaphorePermit) {
    let sent = tokio::time::timeout(LONGEST, write(snapshot, step, &pieces)).await;
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

async fn write(mut snapshot: PgTransaction<'static>, step: SyncState, pieces: &Pieces) -> Result<(), Error> {
    let encode = |error: serde_json::Error| Error::Failed(sqlx::Error::Encode(error.into()));
    let commit = serde_json::to_string(&step.commit).map_err(encode)?;
    let mut piece = Vec::with_capacity(PIECE + 512);
    piece.extend_from_slice(format!(r#"{{"generation":{},"commit":{commit},"rows":["#, step.generation).as_bytes());
    {
        let mut rows = std::pin::pin!(read::routing_table(&mut snapshot));
        let mut first = true;
        while let Some(row) = rows.next().await {
            if !std::mem::take(&mut first) {
                piece.push(b',');
            }
            serde_json::to_writer(&mut piece, &row?).map_err(encode)?;
            if piece.len() >= PIECE {
                let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE + 512));
                if pieces.send(Ok(full.into())).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    snapshot.commit().await?;
    piece.extend_from_slice(b"]}");
    let _ = pieces.send(Ok(piece.into())).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_is_a_list() {
        let known = |value: &str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap())]);
            is_known(&headers, "\"g7\"")
        };
        for (value, expected) in [
            ("\"g7\"", true),
            ("W/\"g7\"", true),
            ("\"g6\", \"g7\"", true),
            ("*", true),
            ("\"g70\"", false),
            ("g7", false),
        ] {
            assert_eq!(known(value), expected, "{value}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"g7\""));
    }
}
