//! Bodies of calls: JSON, with errors that say where they are wrong and never what stands there.

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::http::error::{Code, Problem};

/// A body of a known form.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(kind.as_str(), "application/json" | "application/merge-patch+json") {
            return Err(Problem::new(Code::UnsupportedMediaType));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejected| {
            let too_large = rejected.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE;
            Problem::new(if too_large { Code::PayloadTooLarge } else { Code::BadRequest })
        })?;
        read(&bytes).map(Self)
    }
}

/// A body of a known form that may be left out.
pub(super) struct Optional<T>(pub(super) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Optional<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_empty = request.body().is_end_stream();
        if is_empty {
            Ok(Self(T::default()))
        } else {
            Body::from_request(request, state).await.map(|Body(body)| Self(body))
        }
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let bad = |error: &serde_json::Error, path: String| {
        use serde_json::error::Category;
        let at = if path == "." { "the body".to_owned() } else { path };
        let what = match error.classify() {
            Category::Syntax | Category::Eof | Category::Io => format!("the body is no JSON: line {}", error.line()),
            // What serde says of a wrong value repeats the value, which may be a password.
            Category::Data => match error.to_string().split(" at line ").next() {
                Some(text) if text.starts_with("missing field") || text.starts_with("unknown field") => {
                    format!("{at}: {text}")
                }
                _ => format!("{at} has a value of another kind than expected"),
            },
        };
        Problem::new(Code::BadRequest).detail(what)
    };
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| bad(error.inner(), error.path().to_string()))?;
    deserializer.end().map_err(|error| bad(&error, ".".to_owned()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use bindery_schema::wire::admin::{NewOperator, OperatorPatch};

    use super::*;

    fn detail<T: DeserializeOwned>(text: &str) -> String {
        format!("{:?}", read::<T>(text.as_bytes()).err().unwrap())
    }

    #[test]
    fn says_where_a_body_is_wrong_and_never_what_stands_there() {
        assert!(detail::<NewOperator>("{").contains("no JSON: line 1"));
        assert!(detail::<NewOperator>("{}").contains("missing field `mno`"));
        assert!(detail::<OperatorPatch>(r#"{"passwort": "k3y7pq2x"}"#).contains("unknown field `passwort`"));
        let wrong = detail::<OperatorPatch>(r#"{"password": {"is": "k3y7pq2x"}}"#);
        assert!(wrong.contains("password has a value of another kind"), "{wrong}");
        let wrong = detail::<OperatorPatch>(r#"{"mno": "K3Y7PQ2X!"}"#);
        assert!(wrong.contains("mno") && !wrong.contains("K3Y7PQ2X"), "{wrong}");
    }
}
