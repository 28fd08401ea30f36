//! What every answer of every listener has: a request id, a metric, a time limit, security headers, and errors in one
//! form. A handler that panics is answered for.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

use super::error::{Code, Problem, render};
use crate::metrics::Metrics;

/// Longest time until an answer begins. Longer than any store's own limit, so that the store's error is the answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Largest request body: a few times the largest operator that was ever written down.
const LARGEST_BODY: usize = 1 << 20;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the frame around a listener's routes.
pub(super) fn frame(listener: &'static str, metrics: &Arc<Metrics>, routes: Router) -> Router {
    routes
        .fallback(|| async { Problem::new(Code::NotFound) })
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(middleware::from_fn_with_state((listener, metrics.clone()), around))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn on_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of an unknown kind"), "a handler panicked");
    Problem::new(Code::Internal).into_response()
}

async fn around(
    State((listener, metrics)): State<(&'static str, Arc<Metrics>)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    // The template, never the path: ids and whatever else callers write would make endless series.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let answer = tokio::time::timeout(TIMEOUT, next.run(request)).await;
    let answer = answer.unwrap_or_else(|_| Problem::new(Code::Timeout).into_response());
    let mut answer = render(answer, &path);
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Configuration and states are never worth a shared cache; a route that can be revalidated says so itself.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let labels = crate::metrics::Request { listener, route, status: answer.status().as_u16() };
    metrics.http_requests.get_or_create(&labels).inc();
    answer
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use tower::ServiceExt as _;

    use super::*;

    async fn answer(method: &str, path: &str, body: Body) -> (StatusCode, serde_json::Value, axum::http::HeaderMap) {
        let routes = Router::new()
            .route("/panic", get(|| async { panic!("the password is k3y7pq2x") as () }))
            .route("/post", post(|_: axum::body::Bytes| async { "read" }))
            .route("/sql", get(|| async { Problem::from(sqlx::Error::PoolTimedOut) }));
        let metrics = Arc::new(Metrics::default());
        let request = Request::builder().method(method).uri(path).header("content-length", body_length(&body));
        let response = frame("ops", &metrics, routes).oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 16).await.unwrap();
        (head.status, serde_json::from_slice(&bytes).unwrap_or_default(), head.headers)
    }

    fn body_length(body: &Body) -> u64 {
        axum::body::HttpBody::size_hint(body).exact().unwrap_or_default()
    }

    #[tokio::test]
    async fn every_error_is_a_problem_document() {
        let large = || Body::from(vec![b'x'; LARGEST_BODY + 1]);
        let table = [
            ("GET", "/nowhere", Body::empty(), 404, "NOT_FOUND"),
            ("DELETE", "/post", Body::empty(), 405, "METHOD_NOT_ALLOWED"),
            ("GET", "/panic", Body::empty(), 500, "INTERNAL"),
            ("GET", "/sql", Body::empty(), 503, "STORE_UNAVAILABLE"),
            ("POST", "/post", large(), 413, "PAYLOAD_TOO_LARGE"),
        ];
        for (method, path, body, status, code) in table {
            let (answered, document, headers) = answer(method, path, body).await;
            assert_eq!((answered.as_u16(), &document["code"]), (status, &code.into()), "{method} {path}: {document}");
            assert_eq!(document["status"], status);
            assert_eq!(document["instance"], path);
            assert_eq!(headers["content-type"], "application/problem+json");
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["cache-control"], "no-store");
            assert!(headers.contains_key("x-request-id"));
            assert!(!document.to_string().contains("k3y7pq2x") && !document.to_string().contains("pool"));
        }
    }

    #[tokio::test]
    async fn good_answers_pass() {
        let (status, _, headers) = answer("POST", "/post", Body::from("{}")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(headers.contains_key("x-request-id"));
    }
}
