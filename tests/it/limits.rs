//! What the listeners refuse, and the headers every answer has.

use bindery_agent::http::permissions::Role;
use bindery_tests::listeners::{Served, answer};
use bindery_tests::world::eventually;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

fn ask(world: &Served, method: Method, path: &str) -> RequestBuilder {
    let url = format!("http://{}{path}", world.listeners.admin);
    Client::new().request(method, url).bearer_auth(world.token("ana", Role::CarrierAdmin))
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_problem_with_a_code() {
    let world = Served::with(|config| config.limits.body_bytes = 4_096).await;
    world.commit("Begin", &[]);
    let text = |method: Method, path: &str, kind: &str, body: String| {
        ask(&world, method, path).header("content-type", kind).body(body)
    };
    let post = |kind: &str, body: &str| text(Method::POST, "/v1/admin/sync/pause", kind, body.to_owned());
    let json = "application/json";
    let table = [
        (ask(&world, Method::GET, "/v1/admin/nowhere"), 404, "NOT_FOUND"),
        (ask(&world, Method::PUT, "/v1/admin/operators"), 405, "METHOD_NOT_ALLOWED"),
        (post(json, "{"), 400, "BAD_REQUEST"),
        (post(json, r#"{"reason": 1, "seconds": 1}"#), 400, "BAD_REQUEST"),
        (post(json, r#"{"reason": "x", "seconds": 1} more"#), 400, "BAD_REQUEST"),
        (post(json, ""), 400, "BAD_REQUEST"),
        (post("text/plain", "{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (post(json, &format!("{{\"reason\": \"{}\"}}", "x".repeat(5_000))), 413, "PAYLOAD_TOO_LARGE"),
        (ask(&world, Method::POST, "/v1/admin/sync/drift").body("{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (text(Method::POST, "/v1/admin/sync/drift", json, r#"{"dry": 1}"#.to_owned()), 400, "BAD_REQUEST"),
        (ask(&world, Method::GET, "/v1/admin/operators?limit=many"), 400, "BAD_REQUEST"),
        (ask(&world, Method::GET, "/v1/admin/operators?stauts=ACTIVE"), 400, "BAD_REQUEST"),
        (ask(&world, Method::GET, "/v1/admin/operators?q=%00"), 400, "BAD_REQUEST"),
        (ask(&world, Method::GET, "/v1/admin/operators?q=a%0Ab"), 400, "BAD_REQUEST"),
        (ask(&world, Method::GET, "/v1/admin/operators?mno=No+Id"), 400, "BAD_REQUEST"),
        (ask(&world, Method::GET, "/v1/admin/mnos?country=Kenya"), 400, "BAD_REQUEST"),
        (text(Method::PATCH, "/v1/admin/tps-contracts/a:OUTBOUND:b", json, "[]".to_owned()), 400, "BAD_REQUEST"),
        (ask(&world, Method::GET, "/v1/admin/operators/%00"), 400, "BAD_REQUEST"),
        (ask(&world, Method::DELETE, "/v1/admin/operators/none?dryrun=true"), 400, "BAD_REQUEST"),
        (
            text(Method::POST, "/v1/admin/sync/rollback", json, r#"{"revision": "a\u0000b"}"#.to_owned()),
            404,
            "REVISION_NOT_FOUND",
        ),
    ];
    for (request, status, code) in table {
        let shown = format!("{request:?}");
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "content-type"), "application/problem+json", "{shown}");
        if status == 405 {
            assert_eq!(header(&response, "allow"), "GET,HEAD,POST", "{shown}");
        }
        let (answered, body) = answer(response).await;
        assert_eq!((answered, &body["code"]), (status, &json!(code)), "{shown}: {body}");
        assert!(status >= 404 || body["detail"].is_string(), "{shown}: {body}");
    }
}

#[tokio::test]
async fn a_caller_that_asks_too_often_waits_and_others_do_not() {
    let world = Served::with(|config| (config.limits.requests_per_second, config.limits.burst) = (1, 3)).await;
    let mut refused = None;
    // The bucket fills up by one a second: on any machine a few requests are faster than that.
    for _ in 0..200 {
        let response = ask(&world, Method::GET, "/v1/admin/sync").send().await.unwrap();
        if response.status() != 200 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(answer(refused).await.1["code"], "TOO_MANY_REQUESTS");
    let url = format!("http://{}/v1/admin/sync", world.listeners.admin);
    let other = Client::new().get(&url).bearer_auth(world.token("ben", Role::Noc)).send().await.unwrap();
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn more_than_the_places_are_refused_at_once_while_probes_are_answered() {
    let world = Served::with(|config| config.limits.concurrent = 1).await;
    let sync = || async { ask(&world, Method::GET, "/v1/admin/sync").send().await.unwrap() };
    // A request whose body never comes takes the only place.
    let mut slow = TcpStream::connect(world.listeners.admin).await.unwrap();
    let token = world.token("ana", Role::CarrierAdmin);
    let head = format!(
        "POST /v1/admin/sync/pause HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    eventually("a full listener refuses", || async { sync().await.status() == 503 }).await;
    let refused = sync().await;
    // The request that waits is ended by the time limit at last: until then there is no place.
    if refused.status() == 503 {
        assert_eq!(header(&refused, "retry-after"), "1");
        assert_eq!(answer(refused).await.1["code"], "OVERLOADED");
    }
    assert_eq!(world.ops("/health/ready").await.status(), 200);
    drop(slow);
    eventually("the place is free again", || async { sync().await.status() == 200 }).await;
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_careful() {
    let world = Served::new().await;
    let inside = world.client(Some(world.connector())).get(world.internal_url("/v1/internal/operators"));
    let url = |path: &str| format!("http://{}{path}", world.listeners.admin);
    let answers = [
        (ask(&world, Method::GET, "/v1/admin/sync").send().await.unwrap(), false),
        (reqwest::get(url("/v1/admin/sync")).await.unwrap(), false),
        (reqwest::get(url("/nowhere")).await.unwrap(), false),
        (reqwest::get(url("/openapi.json")).await.unwrap(), false),
        (reqwest::get(url("/docs")).await.unwrap(), false),
        (world.ops("/health/live").await, false),
        (inside.send().await.unwrap(), true),
    ];
    for (response, over_tls) in answers {
        let shown = response.url().to_string();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(header(&response, name), value, "{shown}");
        }
        let policy = header(&response, "content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{shown}: {policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{shown}: {policy}");
        assert_eq!(response.headers().contains_key("strict-transport-security"), over_tls, "{shown}");
        assert!(!response.headers().contains_key("access-control-allow-origin"), "{shown}");
    }
}

#[tokio::test]
async fn pages_from_elsewhere_may_ask_where_they_are_listed_only() {
    const CONSOLE: &str = "https://console.example";
    let preflight = |world: &Served, origin: &str| {
        ask(world, Method::OPTIONS, "/v1/admin/operators")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .send()
    };
    let closed = Served::new().await;
    let refused = preflight(&closed, CONSOLE).await.unwrap();
    assert_eq!(refused.status(), 405);
    let read = ask(&closed, Method::GET, "/v1/admin/sync").header("origin", CONSOLE).send().await.unwrap();
    for response in [refused, read] {
        assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control")), "{response:?}");
    }

    let open = Served::with(|config| config.admin.cors_origins = vec![CONSOLE.to_owned()]).await;
    let allowed = preflight(&open, CONSOLE).await.unwrap();
    assert_eq!((allowed.status().as_u16(), header(&allowed, "access-control-allow-origin")), (200, CONSOLE));
    assert!(header(&allowed, "access-control-allow-methods").contains("POST"));
    for name in ["authorization", "if-match", "idempotency-key", "last-event-id"] {
        assert!(header(&allowed, "access-control-allow-headers").contains(name), "{name}");
    }
    assert!(!allowed.headers().contains_key("access-control-allow-credentials"));
    let stranger = preflight(&open, "https://console.example.evil.example").await.unwrap();
    assert_eq!(header(&stranger, "access-control-allow-origin"), "");
    let read = ask(&open, Method::GET, "/v1/admin/sync").header("origin", CONSOLE).send().await.unwrap();
    assert_eq!(header(&read, "access-control-allow-origin"), CONSOLE);
    assert!(header(&read, "access-control-expose-headers").contains("etag"));
}
