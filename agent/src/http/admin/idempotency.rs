//! `Idempotency-Key`: a call that is sent again gets the first one's answer, from any agent, after a restart too.
//!
//! The key is noted before the change is made and stands in the commit, so that one whose answer was lost between
//! the two is found by its commit.

use axum::http::StatusCode;
use bindery_schema::wire::admin::Operation;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::call::Answer;
use crate::http::error::{Code, Problem};
use crate::shared::Shared;
use crate::store::postgres::idempotency::{self as store, Row};
use crate::write;

/// The header.
pub(super) const HEADER: &str = "idempotency-key";
/// Longest key.
pub(super) const LONGEST: usize = 255;

/// A caller's key and what it stands for.
pub(super) struct Key {
    key: String,
    request: String,
}

/// What is known of a key.
pub(super) enum Begun {
    /// Nothing: the change is to be made.
    First,
    /// It was answered.
    Answered(Answer),
    /// It became a commit, whose answer was lost.
    Committed(write::Found),
}

impl Key {
    /// Of a caller, for a request. Passwords are no part of what is kept.
    pub(super) fn of(subject: &str, key: &str, operations: &[Operation]) -> Self {
        let mut request = serde_json::to_value(operations).unwrap_or_default();
        for operation in request.as_array_mut().into_iter().flatten() {
            if let Some(fields) = operation.as_object_mut() {
                fields.remove("password");
            }
        }
        let digest = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        Self { key: digest(format!("{subject}\0{key}").as_bytes()), request: digest(request.to_string().as_bytes()) }
    }

    /// As the commit has it.
    pub(super) fn trailer(&self) -> String {
        format!("{}: {}", write::TRAILER, self.key)
    }
}

/// Notes a key before its change is made.
pub(super) async fn begin(shared: &Shared, key: &Key) -> Result<Begun, Problem> {
    let mut connection = shared.stores.postgres.acquire().await?;
    if store::begin(&mut connection, &key.key, &key.request).await? {
        return Ok(Begun::First);
    }
    let Some(Row { request, answer, is_recent }) = store::read(&mut connection, &key.key).await? else {
        return Err(Problem::new(Code::RequestInProgress));
    };
    if request != key.request {
        return Err(Problem::new(Code::IdempotencyKeyReused));
    }
    if let Some((status, headers, body)) = answer {
        let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let headers: Vec<(String, String)> = serde_json::from_value(headers).unwrap_or_default();
        let body = Some(body).filter(|body| !body.is_null());
        return Ok(Begun::Answered(Answer::again(status.unwrap_or(StatusCode::OK), body, &headers)));
    }
    drop(connection);
    if let Some(found) = write::find(shared, &key.key).await? {
        return Ok(Begun::Committed(found));
    }
    if is_recent {
        return Err(Problem::new(Code::RequestInProgress).detail("ask again in a moment"));
    }
    // Whoever began it is gone without a commit.
    store::renew(&mut *shared.stores.postgres.acquire().await?, &key.key).await?;
    Ok(Begun::First)
}

/// Keeps the answer; without one the key is as if it had never come.
pub(super) async fn end(shared: &Shared, key: &Key, answer: Option<&Answer>) {
    let kept = async {
        let mut connection = shared.stores.postgres.acquire().await?;
        match answer {
            Some(answer) => {
                let (status, body) = answer.parts();
                let headers = serde_json::to_value(answer.headers()).unwrap_or_default();
                let body = body.unwrap_or(&Value::Null);
                store::end(&mut connection, &key.key, i32::from(status.as_u16()), &headers, body).await
            }
            None => store::forget(&mut connection, &key.key).await,
        }
    };
    if let Err(error) = kept.await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "the answer to a call with an Idempotency-Key could not be kept");
    }
}
