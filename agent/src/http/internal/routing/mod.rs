//! `GET /v1/internal/routing-table`: one step's table, in the form that `Accept` asks for.
//!
//! JSON for people and `curl`, one object a line for programs of any language, and the compact encoding
//! ([`bindery_schema::wire::routing`]) for routing engines, which start from it and go on with [`changes`].

mod accept;
mod changes;
mod compact;
mod rows;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use self::accept::Form;
use super::Internal;
use crate::http::error::{Code, Problem};
use crate::store::postgres::{read, sync_state};

pub(super) use changes::changes;
pub(super) use compact::Packed;

/// The table, or 304 where the client has this step's already.
#[tracing::instrument(name = "routing_table.read", skip_all)]
pub(super) async fn table(State(internal): State<Internal>, headers: HeaderMap) -> Result<Response, Problem> {
    let form = Form::wanted(&headers).ok_or_else(|| Problem::new(Code::NotAcceptable))?;
    let shared = &internal.shared;
    if form == Form::Compact {
        let mut connection = shared.stores.postgres.acquire().await?;
        let step = sync_state::read(&mut connection).await?;
        drop(connection);
        if is_known(&headers, &form.tag(step.generation)) {
            return Ok(answer(form, step.generation, None));
        }
        let (generation, bytes) = internal.packed.of(shared, step.generation).await?;
        return Ok(answer(form, generation, Some(bytes.into())));
    }
    let permit = internal.streams.clone().acquire_owned().await.map_err(|_| Problem::new(Code::StoreUnavailable))?;
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let step = sync_state::read(&mut snapshot).await?;
    let generation = step.generation;
    let known = is_known(&headers, &form.tag(generation));
    let body = (!known).then(|| rows::body(form, snapshot, step, permit));
    Ok(answer(form, generation, body))
}

/// The answer with a body, or 304 without one.
fn answer(form: Form, generation: i64, body: Option<Body>) -> Response {
    let mut response = match body {
        Some(body) => ([(CONTENT_TYPE, form.content_type())], body).into_response(),
        None => StatusCode::NOT_MODIFIED.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_name(ACCEPT));
    headers.extend(HeaderValue::from_str(&form.tag(generation)).map(|tag| (ETAG, tag)));
    response
}

/// Whether `If-None-Match` names the tag (RFC 9110, 13.1.2: weak comparison).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
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
