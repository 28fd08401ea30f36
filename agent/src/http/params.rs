//! Parameters behind the question mark, with errors that say which one is wrong.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use bindery_schema::value::Instant;
use serde::Deserialize;
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

/// A part of a history: `?since=` and `?until=`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Period {
    since: Option<String>,
    until: Option<String>,
}

impl Period {
    /// Its bounds, in RFC 3339.
    pub(super) fn bounds(self) -> Result<(Option<String>, Option<String>), Problem> {
        Ok((instant("since", self.since)?, instant("until", self.until)?))
    }
}

fn instant(name: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    let bad = |_| Problem::new(Code::BadRequest).detail(format!("{name} is an instant, such as 2026-12-01T22:00:00Z"));
    text.map(|text| text.parse::<Instant>().map(|instant| instant.to_string()).map_err(bad)).transpose()
}
