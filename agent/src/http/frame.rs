//! What every answer of every listener has: a request id, a metric, limits of time, size and number, security headers, and
//! errors in one form. A handler that panics is answered for.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

use super::error::{Code, Problem, render};
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::telemetry::Trace;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What a page from the API may load: nothing. The page at `/docs` brings a policy of its own.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// A year, after which a client may try plain HTTP again.
const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Methods that spans name.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// What the frame does beside what it does everywhere.
#[derive(Clone)]
pub(super) struct Frame {
    /// The listener, for metrics.
    pub(super) listener: &'static str,
    /// Where requests are counted.
    pub(super) metrics: Arc<Metrics>,
    /// How long and how large.
    pub(super) limits: Limits,
    /// Places for requests under way; as many as come without them.
    pub(super) places: Option<Arc<Semaphore>>,
    /// Whether it is served over TLS by the agent itself.
    pub(super) tls: bool,
    /// Pages from elsewhere that may ask.
    pub(super) origins: Vec<HeaderValue>,
}

impl Frame {
    /// Puts the frame around a listener's routes.
    pub(super) fn around(self, routes: Router) -> Router {
        let routes = routes
            .fallback(|| async { Problem::new(Code::NotFound) })
            .layer(RequestBodyLimitLayer::new(self.limits.body_bytes))
            .layer(CatchPanicLayer::custom(on_panic));
        // Without the layer no answer allows anything, and the question is answered as an unknown method.
        let routes = if self.origins.is_empty() { routes } else { routes.layer(cors(self.origins.clone())) };
        routes
            .layer(middleware::from_fn_with_state(Arc::new(self), around))
            .layer(PropagateRequestIdLayer::new(REQUEST_ID))
            .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
    }
}

/// What pages of some origins may ask and see. No cookies are involved: a page has to bring a token.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    let [key, event] = ["idempotency-key", "last-event-id"].map(HeaderName::from_static);
    let sent = [AUTHORIZATION, CONTENT_TYPE, IF_MATCH, key, event];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers(sent)
        .expose_headers([ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE, REQUEST_ID])
        .max_age(Duration::from_secs(600))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn on_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of an unknown kind"), "a handler panicked");
    Problem::new(Code::Internal).into_response()
}

async fn around(State(frame): State<Arc<Frame>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    // The template, never the path: ids and whatever else callers write would make endless series.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = frame.span(&request);
    let mut answer = render(frame.answer(request, next).instrument(span.clone()).await, &path);
    frame.secure(answer.headers_mut());
    span.record("http.response.status_code", answer.status().as_u16());
    if answer.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let labels = crate::metrics::Request { listener: frame.listener, route, status: answer.status().as_u16() };
    frame.metrics.http_requests.get_or_create(&labels).inc();
    answer
}

impl Frame {
    /// The span in which a request is answered: a child of what its client says it does. Its path is told as a template.
    fn span(&self, request: &Request) -> Span {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        // Others are anything a client may think of.
        let method = if METHODS.contains(request.method()) { request.method().as_str() } else { "_OTHER" };
        let verb = if method == "_OTHER" { "HTTP" } else { method };
        let span = info_span!(
            parent: None,
            "request",
            otel.name = route.map_or_else(|| verb.to_owned(), |route| format!("{verb} {route}")),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
            url.scheme = if self.tls { "https" } else { "http" },
            bindery.listener = self.listener,
        );
        Trace::of_request(request.headers()).lead_to(&span);
        span
    }

    async fn answer(&self, request: Request, next: Next) -> Response {
        // Refused at once rather than queued: whoever waits in a queue has often given up when its turn comes.
        let place = match &self.places {
            Some(places) => match places.clone().try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => return Problem::new(Code::Overloaded).into_response(),
            },
            None => None,
        };
        let answer = tokio::time::timeout(self.limits.timeout(), next.run(request)).await;
        drop(place);
        answer.unwrap_or_else(|_| Problem::new(Code::Timeout).into_response())
    }

    fn secure(&self, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
        // Configuration and states are never worth a shared cache; a route that can be revalidated says so itself.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        // Plain HTTP may be behind a proxy that ends TLS, which then says it for itself.
        if self.tls {
            headers.insert(STRICT_TRANSPORT_SECURITY, ONLY_TLS);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use tower::ServiceExt as _;

    use super::*;

    const LARGEST: usize = 4_096;

    async fn answer(method: &str, path: &str, body: Body) -> (StatusCode, serde_json::Value, axum::http::HeaderMap) {
        let routes = Router::new()
            .route("/panic", get(|| async { panic!("the password is k3y7pq2x") as () }))
            .route("/post", post(|_: axum::body::Bytes| async { "read" }))
            .route("/slow", get(|| async { std::future::pending::<()>().await }))
            .route("/sql", get(|| async { Problem::from(sqlx::Error::PoolTimedOut) }));
        let metrics = Arc::new(Metrics::default());
        let request = Request::builder().method(method).uri(path).header("content-length", body_length(&body));
        let limits =
            Limits { body_bytes: LARGEST, timeout_seconds: if path == "/slow" { 0 } else { 15 }, ..Limits::default() };
        let frame = Frame { listener: "ops", metrics, limits, places: None, tls: false, origins: Vec::new() };
        let response = frame.around(routes).oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 16).await.unwrap();
        (head.status, serde_json::from_slice(&bytes).unwrap_or_default(), head.headers)
    }

    fn body_length(body: &Body) -> u64 {
        axum::body::HttpBody::size_hint(body).exact().unwrap_or_default()
    }

    #[tokio::test]
    async fn every_error_is_a_problem_document() {
        let large = || Body::from(vec![b'x'; LARGEST + 1]);
        let table = [
            ("GET", "/nowhere", Body::empty(), 404, "NOT_FOUND"),
            ("DELETE", "/post", Body::empty(), 405, "METHOD_NOT_ALLOWED"),
            ("GET", "/panic", Body::empty(), 500, "INTERNAL"),
            ("GET", "/sql", Body::empty(), 503, "STORE_UNAVAILABLE"),
            ("GET", "/slow", Body::empty(), 503, "TIMEOUT"),
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
