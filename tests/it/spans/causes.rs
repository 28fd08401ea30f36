//! What causes the spans: one use case each.

use bindery_tests::api::{PASSWORD, premium};
use bindery_tests::document::Document;
use bindery_tests::documents::operator;
use bindery_tests::listeners::client;
use bindery_tests::spans::Span;
use bindery_tests::world::eventually;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;

use super::traced::{TRIGGER, Traced, WEBHOOK};

/// Asks every route of every listener, as somebody who sends nothing; the names of their spans.
pub(super) async fn ask_every_route(traced: &Traced) -> Vec<String> {
    let mut names = Vec::new();
    for base in [&traced.agent.admin, &traced.agent.ops] {
        for operation in Document::of(base).await.operations() {
            let request =
                traced.http.request(operation.method.parse().unwrap(), format!("{base}{}", operation.example_path()));
            request.bearer_auth(&traced.token).send().await.unwrap();
            names.push(operation.name());
        }
    }
    let pki = &traced.world.stack.pki;
    let connector = client(&pki.ca, Some(&pki.smpp_connector));
    let document = connector.get(format!("{}/openapi.json", traced.agent.internal)).send().await.unwrap();
    for operation in Document(document.json().await.unwrap()).operations() {
        let url = format!("{}{}", traced.agent.internal, operation.example_path());
        connector.request(operation.method.parse().unwrap(), url).send().await.unwrap();
        names.push(operation.name());
    }
    assert!(names.len() > 40, "{}", names.len());
    // Neither a route nor a method anybody knows.
    let url = format!("{}/{PASSWORD}", traced.agent.admin);
    traced.http.request("BREW".parse().unwrap(), url).send().await.unwrap();
    names.push("HTTP".to_owned());
    names
}

/// A change, one that is only looked at, one that git makes and that does not compile, and one that a guardrail holds.
pub(super) async fn change(traced: &Traced) {
    let preview = traced.admin(Method::POST, "/operators?dryRun=true", Some(premium("premium.example"))).await;
    assert_eq!(preview.0, 200, "{}", preview.1);
    let made = traced.admin(Method::POST, "/operators", Some(premium("premium.example"))).await;
    assert_eq!(made.0, 201, "{}", made.1);
    let path = "operators/carrier/carrier-premium.yaml";
    assert!(traced.world.file(path).is_some());

    traced.world.commit("Delete one of two", &[(path, None)]);
    let hash = async || traced.admin(Method::GET, "/sync/held", None).await.1["planHash"].as_str().map(str::to_owned);
    eventually("the plan is held", async || hash().await.is_some()).await;
    let path = format!("/sync/held/{}/release", hash().await.unwrap());
    assert_eq!(traced.admin(Method::POST, &path, None).await.0, 202);
    eventually("it is applied", async || {
        traced.admin(Method::GET, "/operators/carrier-premium", None).await.0 == 404
            && traced.outside.password("carrier-premium").await.is_none()
    })
    .await;
}

/// A pause, and a commit that is taken back and allowed again.
pub(super) async fn control(traced: &Traced) {
    let pause = json!({"reason": "INC-1", "seconds": 600});
    assert_eq!(traced.admin(Method::POST, "/sync/pause", Some(pause)).await.0, 200);
    assert_eq!(traced.admin(Method::DELETE, "/sync/pause", None).await.0, 204);
    let text = operator("second", "carrier", "second.example", None);
    let revision = traced.world.commit("A second", &[("operators/carrier/second.yaml", Some(text))]).to_string();
    traced.until_applied("second").await;
    let path = "operators/carrier/second.yaml";
    let text = operator("second", "carrier", "other.example", None);
    let revision2 = traced.world.commit("Elsewhere", &[(path, Some(text))]).to_string();
    assert_ne!(revision, revision2);
    let back = traced.admin(Method::POST, "/sync/rollback", Some(json!({"revision": revision2}))).await;
    assert_eq!(back.0, 200, "{}", back.1);
    assert_eq!(traced.admin(Method::DELETE, &format!("/sync/refused/{revision2}"), None).await.0, 204);
}

/// A trigger of each kind.
pub(super) async fn trigger(traced: &Traced) {
    let hook = traced.http.post(format!("{}/v1/hooks/git", traced.agent.admin)).header("x-gitlab-token", WEBHOOK);
    assert_eq!(hook.json(&json!({"ref": "refs/heads/main"})).send().await.unwrap().status(), 202);
    let consumed = |span: &Span| span.name == format!("process {TRIGGER}");
    eventually("a trigger is heard", async || {
        traced.message(TRIGGER, "now".to_owned(), None).await;
        traced.collector.spans().iter().any(consumed)
    })
    .await;
}

/// What other services read.
pub(super) async fn read(traced: &Traced) {
    for path in
        ["/operators/first/health", "/routing-table", "/routing-table/changes?since=1", "/operators/first/credentials"]
    {
        let status = traced.internal(path).send().await.unwrap().status();
        // There is no password of that operator.
        assert_eq!(status.as_u16(), if path.ends_with("credentials") { 404 } else { 200 }, "{path}");
    }
}

/// A row that somebody changed by hand is healed.
pub(super) async fn drift(traced: &Traced) {
    let changed = "update ops.operators set host = 'evil.example' where id = 'first'";
    sqlx::query(changed).execute(&traced.outside.postgres).await.unwrap();
    assert_eq!(traced.admin(Method::POST, "/sync/drift", None).await.0, 202);
    let evil = "select count(*) from ops.operators where host = 'evil.example'";
    eventually("it is healed", async || traced.outside.count(evil).await == 0).await;
}

/// A cache that shows a later step than Postgres.
pub(super) async fn overtake(traced: &Traced) {
    let redis = redis::Client::open(traced.world.config.redis.url.expose()).unwrap();
    let mut redis = redis.get_connection_manager().await.unwrap();
    let key = format!("{}ops:catalog", traced.world.config.redis.key_prefix);
    let generation = async || traced.outside.count("select generation from ops.sync_state").await;
    let later = generation().await + 20;
    let shown = json!({"commit": "0".repeat(40), "generation": later, "appliedAt": Timestamp::now().to_string()});
    redis::cmd("SET").arg(key).arg(shown.to_string()).query_async::<()>(&mut redis).await.unwrap();
    eventually("the numbers go on after it", async || generation().await > later).await;
}
