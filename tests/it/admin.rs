use std::time::Duration;

use bindery_agent::cli::token::{DEV_AUDIENCE, DEV_ISSUER, Token};
use bindery_agent::http::permissions::Role;
use bindery_schema::wire::api::{SyncPhase, SyncStatus};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use bindery_tests::listeners::{Served, answer};
use bindery_tests::world::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

fn token(world: &Served, roles: &[Role], change: impl FnOnce(&mut Token)) -> String {
    let mut token = Token { roles: roles.to_vec(), ..parts(world) };
    change(&mut token);
    token.sign(Timestamp::now()).unwrap()
}

async fn ask(world: &Served, method: Method, path: &str, token: &str) -> (u16, Value) {
    let url = format!("http://{}{path}", world.listeners.admin);
    answer(reqwest::Client::new().request(method, url).bearer_auth(token).send().await.unwrap()).await
}

#[tokio::test]
async fn only_good_tokens_are_let_in() {
    let world = Served::new().await;
    let url = format!("http://{}/v1/admin/sync", world.listeners.admin);
    let missing = reqwest::get(&url).await.unwrap();
    assert_eq!(missing.status(), 401);
    assert_eq!(missing.headers()["www-authenticate"], r#"Bearer realm="bindery""#);
    assert_eq!(missing.headers()["content-type"], "application/problem+json");
    assert_eq!(answer(missing).await.1["code"], "UNAUTHENTICATED");

    let roles = [Role::CarrierAdmin];
    let stranger = world.dir.path().join("stranger.pem");
    std::fs::write(&stranger, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let old = Token { roles: roles.to_vec(), ..parts(&world) };
    let expired = old.sign(Timestamp::now() - SignedDuration::from_secs(1_000)).unwrap();
    let early = old.sign(Timestamp::now() + SignedDuration::from_secs(300)).unwrap();
    let good = token(&world, &roles, |_| {});
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());
    for (name, bad) in [
        ("expired", expired),
        ("early", early),
        ("audience", token(&world, &roles, |token| token.audience = "other".to_owned())),
        ("issuer", token(&world, &roles, |token| token.issuer = "other".to_owned())),
        ("key", token(&world, &roles, |token| token.key = stranger)),
        ("none", unsigned),
        ("junk", "junk".to_owned()),
    ] {
        let (status, body) = ask(&world, Method::GET, "/v1/admin/sync", &bad).await;
        assert_eq!((status, &body["code"]), (401, &json!("UNAUTHENTICATED")), "{name}: {body}");
    }
    assert_eq!(ask(&world, Method::GET, "/v1/admin/sync", &good).await.0, 200);
}

fn parts(world: &Served) -> Token {
    Token {
        roles: vec![],
        subject: "ana".to_owned(),
        tenant: None,
        ttl: Duration::from_secs(600),
        key: world.stack.pki.jwt_key.clone(),
        issuer: DEV_ISSUER.to_owned(),
        audience: DEV_AUDIENCE.to_owned(),
    }
}

/// An issuer that answers with a text, or with 500 while there is none.
async fn issuer() -> (String, watch::Sender<Option<String>>) {
    let (keys, answer) = watch::channel(None::<String>);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", socket.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let head = if answer.borrow().is_some() { "200 OK" } else { "500 Internal Server Error" };
            let body = answer.borrow().clone().unwrap_or_default();
            let length = body.len();
            let text = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    (url, keys)
}

#[tokio::test]
async fn keys_come_from_a_url_that_may_be_down_at_first() {
    let (url, keys) = issuer().await;
    let world = Served::with(|config| config.admin.jwks = url).await;
    let good = token(&world, &[Role::Sre], |_| {});
    let (status, body) = ask(&world, Method::GET, "/v1/admin/sync", &good).await;
    assert_eq!((status, &body["code"]), (503, &json!("KEYS_UNAVAILABLE")), "{body}");
    keys.send_replace(Some(std::fs::read_to_string(&world.stack.pki.jwks).unwrap()));
    eventually("tokens are checked", || async { ask(&world, Method::GET, "/v1/admin/sync", &good).await.0 == 200 })
        .await;
}

#[tokio::test]
async fn a_file_of_keys_is_read_again_and_a_broken_one_leaves_the_last_in_force() {
    let file = tempfile::tempdir().unwrap().keep().join("jwks.json");
    let other = include_str!("../fixtures/jwks.json");
    std::fs::write(&file, other).unwrap();
    let path = file.display().to_string();
    let world = Served::with(|config| config.admin.jwks = path).await;
    let good = token(&world, &[Role::Sre], |_| {});
    let (status, body) = ask(&world, Method::GET, "/v1/admin/sync", &good).await;
    assert_eq!((status, &body["detail"]), (401, &json!("the token is signed with an unknown key")), "{body}");
    std::fs::copy(&world.stack.pki.jwks, &file).unwrap();
    eventually("the new key is known", || async { ask(&world, Method::GET, "/v1/admin/sync", &good).await.0 == 200 })
        .await;
    std::fs::write(&file, "no keys").unwrap();
    assert_eq!(ask(&world, Method::GET, "/v1/admin/sync", &good).await.0, 200);
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

#[tokio::test]
async fn the_sync_is_shown_and_triggered() {
    let world = Served::new().await;
    let admin = token(&world, &[Role::CarrierAdmin], |_| {});
    let tenant = token(&world, &[Role::Tenant], |_| {});
    let noc = token(&world, &[Role::Noc], |_| {});
    world.status.send_modify(|status| status.phase = SyncPhase::Rejected);
    let (status, body) = ask(&world, Method::GET, "/v1/admin/sync", &noc).await;
    assert_eq!(status, 200);
    let shown: SyncStatus = serde_json::from_value(body).unwrap();
    assert_eq!((shown.phase, shown.applied.unwrap().generation), (SyncPhase::Rejected, 7));

    assert_eq!(ask(&world, Method::GET, "/v1/admin/sync", &tenant).await.1["code"], "FORBIDDEN");
    assert_eq!(ask(&world, Method::POST, "/v1/admin/sync/trigger", &noc).await.0, 403);
    assert_eq!(ask(&world, Method::GET, "/v1/admin/sync/trigger", &admin).await.0, 405);
    assert_eq!(ask(&world, Method::POST, "/v1/admin/sync/drift", &noc).await.0, 403);
    assert_eq!(ask(&world, Method::GET, "/v1/admin/sync/drift", &noc).await.1["asked"], 0);
    let (status, asked) = ask(&world, Method::POST, "/v1/admin/sync/drift", &admin).await;
    assert_eq!((status, &asked["asked"]), (202, &1.into()), "{asked}");
    assert_eq!(ask(&world, Method::POST, "/v1/admin/sync/trigger", &admin).await.0, 202);
    tokio::time::timeout(Duration::from_secs(1), world.shared.trigger.notified()).await.unwrap();
}

#[tokio::test]
async fn operators_are_shown_as_in_yaml() {
    let world = Served::new().await;
    world.operator("af-roshan-1", "ACTIVE", json!({})).await;
    world.operator("af-roshan-2", "ACTIVE", json!({})).await;
    world.sql("update ops.operators set deleted_at = now() where id = 'af-roshan-2'").await;
    let reader = token(&world, &[Role::ReadOnly], |_| {});
    let (status, body) = ask(&world, Method::GET, "/v1/admin/operators/af-roshan-1", &reader).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        (&body["id"], &body["mno"], &body["spec"]["smpp"]["port"]),
        (&json!("af-roshan-1"), &json!("af-roshan"), &json!(2775))
    );
    assert_eq!((&body["commit"], &body["generation"]), (&json!("c0ffee"), &json!(7)));
    assert!(!body.to_string().contains("must never be shown"));
    assert_eq!(ask(&world, Method::GET, "/v1/admin/operators/af-roshan-2", &reader).await.0, 404);
    let ids =
        |body: &Value| body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
    let listed = ask(&world, Method::GET, "/v1/admin/operators", &reader).await.1;
    assert_eq!(ids(&listed), ["af-roshan-1"]);
    let all = ask(&world, Method::GET, "/v1/admin/operators?includeDeleted=true&limit=5", &reader).await.1;
    assert_eq!(ids(&all), ["af-roshan-1", "af-roshan-2"]);
    assert!(all["items"][1]["deletedAt"].is_string() && all["items"][0].get("deletedAt").is_none());
    assert_eq!(ask(&world, Method::GET, "/v1/admin/operators", &token(&world, &[Role::Tenant], |_| {})).await.0, 403);
}
