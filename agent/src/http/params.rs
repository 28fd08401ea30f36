//! Parameters behind the question mark, with errors that say which one is wrong.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::{Code, Problem};

/// Longest reason: what follows repeats what the caller sent.
const LONGEST: usize = 200;

/// Parameters of a known form.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(params)| Self(params)).map_err(|rejected| {
            let text = rejected.body_text();
            let reason = text.split_once(": ").map_or(&*text, |(_, reason)| reason);
            Problem::new(Code::BadRequest).detail(reason.chars().take(LONGEST).collect::<String>())
        })
    }
}
