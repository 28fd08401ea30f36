//! The stack itself, tried with its real servers.

use std::path::{Path, PathBuf};

use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::{Error, KvVersion, Stack, StackOptions, Tools};

fn options(data_dir: &Path) -> StackOptions {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let tools = Tools::find(&Tools::default_dir(repository)).unwrap();
    StackOptions { data_dir: data_dir.to_path_buf(), tools, durable: false }
}

/// Processes that work somewhere below the folder, or, as Postgres may be elsewhere, in `also`.
fn processes_in(data_dir: &Path, also: &[u32]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // The link of a process that ended, but was not yet waited for, cannot be read.
        let Ok(cwd) = std::fs::read_link(entry.path().join("cwd")) else {
            continue;
        };
        if cwd.starts_with(data_dir) || also.contains(&pid) {
            found.push(format!("{pid} in {}", cwd.display()));
        }
    }
    found
}

/// Stops a stack and leaves nothing of it, wherever Postgres kept its data.
async fn finish(stack: Stack) {
    let data_dir = stack.data_dir().to_path_buf();
    stack.stop().await;
    Stack::remove(&data_dir, &options(&data_dir).tools).await.unwrap();
    assert!(!data_dir.exists());
}

async fn pids(stack: &Stack) -> Vec<u32> {
    let pids = [stack.postgres.pid().await, stack.nats.pid().await, stack.redis.pid().await, stack.vault.pid().await];
    pids.map(|pid| pid.expect("the server runs")).to_vec()
}

async fn vault(stack: &Stack, token: &str, path: &str, body: Option<serde_json::Value>) -> (u16, serde_json::Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1/{path}", stack.vault.addr());
    let request = match body {
        Some(body) => client.post(url).json(&body),
        None => client.get(url),
    };
    let answer = request.header("X-Vault-Token", token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn connect_nats(stack: &Stack) -> Result<async_nats::Client, async_nats::ConnectError> {
    let (user, password) = (stack.nats.user().to_owned(), stack.nats.password().to_owned());
    async_nats::ConnectOptions::with_user_and_password(user, password).connect(stack.nats.addr()).await
}

async fn jetstream(stack: &Stack) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(connect_nats(stack).await.unwrap())
}

async fn redis_get(stack: &Stack, key: &str) -> Option<String> {
    let client = redis::Client::open(stack.redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap()
}

const SECRET: &str = "secret/data/ops/operators/x/credentials";

async fn fill(stack: &Stack) {
    let url = stack.postgres.create_database("kept").await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let sql = "CREATE EXTENSION btree_gist; CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();

    let context = jetstream(stack).await;
    let config = async_nats::jetstream::stream::Config {
        name: "KEPT".into(),
        subjects: vec!["kept".into()],
        ..Default::default()
    };
    context.create_stream(config).await.unwrap();
    context.publish("kept", "kept".into()).await.unwrap().await.unwrap();

    let client = redis::Client::open(stack.redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("SET").arg("cached").arg("yes").exec_async(&mut connection).await.unwrap();
    assert_eq!(redis_get(stack, "cached").await.as_deref(), Some("yes"));

    let (status, _) = vault(stack, &stack.vault.agent_token(), SECRET, Some(json!({"data": {"a": "b"}}))).await;
    assert_eq!(status, 200);
}

async fn check_kept(stack: &Stack) {
    let mut connection = PgConnection::connect(&stack.postgres.database_url("kept")).await.unwrap();
    let n: i32 = sqlx::query_scalar("SELECT n FROM kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(n, 42);
    let messages = jetstream(stack).await.get_stream("KEPT").await.unwrap().cached_info().state.messages;
    assert_eq!(messages, 1);
    let (status, secret) = vault(stack, &stack.vault.agent_token(), SECRET, None).await;
    assert_eq!((status, &secret["data"]["data"]), (200, &json!({"a": "b"})));
}

#[tokio::test]
async fn servers_survive_kills_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir: PathBuf = dir.path().canonicalize().unwrap();
    let stack = Stack::start(options(&data_dir)).await.unwrap();
    fill(&stack).await;

    assert!(matches!(Stack::start(options(&data_dir)).await, Err(Error::InUse { .. })), "one stack a folder");

    let before = pids(&stack).await;
    let urls = [stack.postgres.url(), stack.nats.url(), stack.redis.url(), stack.vault.addr()];
    stack.postgres.kill().await;
    assert!(PgConnection::connect(&stack.postgres.url()).await.is_err());
    stack.postgres.start().await.unwrap();
    stack.nats.kill().await;
    assert!(connect_nats(&stack).await.is_err());
    stack.nats.start().await.unwrap();
    assert!(async_nats::connect(stack.nats.addr()).await.is_err(), "a password is needed");
    stack.redis.kill().await;
    stack.redis.start().await.unwrap();
    assert_eq!(redis_get(&stack, "cached").await, None, "a cache restarts empty");
    stack.vault.kill().await;
    stack.vault.start().await.unwrap();
    let after = pids(&stack).await;
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{before:?} {after:?}");
    check_kept(&stack).await;

    let killed_from_elsewhere = stack.postgres.pid().await.unwrap();
    super::spawn::signal(killed_from_elsewhere, "KILL");
    while stack.postgres.pid().await.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(stack.ensure_running().await.unwrap(), ["postgres"]);
    assert_eq!(stack.ensure_running().await.unwrap(), [""; 0]);
    check_kept(&stack).await;
    let after = pids(&stack).await;

    let token = stack.vault.agent_token();
    let recipient = stack.pki.age_recipient.clone();
    stack.stop().await;
    assert_eq!(processes_in(&data_dir, &after), Vec::<String>::new());

    let stack = Stack::start(options(&data_dir)).await.unwrap();
    check_kept(&stack).await;
    assert_eq!([stack.postgres.url(), stack.nats.url(), stack.redis.url(), stack.vault.addr()], urls);
    assert_eq!(stack.vault.agent_token(), token);
    assert_eq!(stack.pki.age_recipient, recipient);

    let last = pids(&stack).await;
    drop(stack);
    assert_eq!(processes_in(&data_dir, &last), Vec::<String>::new(), "a dropped stack leaves nothing");
    Stack::remove(&data_dir, &options(&data_dir).tools).await.unwrap();
    assert!(!data_dir.exists());
}

#[tokio::test]
async fn vault_and_databases_for_each_test() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::start(options(dir.path())).await.unwrap();

    for (name, version, path) in [("one", KvVersion::V1, "one/ops/x"), ("two", KvVersion::V2, "two/data/ops/x")] {
        let token = stack.vault.mount_kv(name, version).await.unwrap();
        let (status, _) = vault(&stack, &token, path, Some(json!({"data": {"a": "b"}}))).await;
        assert!(status == 200 || status == 204, "{name}: {status}");
        let (status, mount) = vault(&stack, &token, &format!("sys/internal/ui/mounts/{name}"), None).await;
        assert_eq!(
            (status, &mount["data"]["options"]["version"]),
            (200, &json!(if name == "one" { "1" } else { "2" }))
        );
        let (status, _) = vault(&stack, &token, SECRET, None).await;
        assert_eq!(status, 403, "a token is good for its own mount only");
        let (status, _) = vault(&stack, &token, "auth/token/renew-self", Some(json!({}))).await;
        assert_eq!(status, 200);
    }

    let token = stack.vault.agent_token();
    stack.vault.seal().await.unwrap();
    assert_eq!(vault(&stack, &token, SECRET, None).await.0, 503);
    stack.vault.unseal().await.unwrap();
    assert_eq!(vault(&stack, &token, SECRET, None).await.0, 404);
    let (status, _) = vault(&stack, &token, "sys/policies/acl/root", None).await;
    assert_eq!(status, 403);

    let url = stack.postgres.create_database("template").await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (n int)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let copy = stack.postgres.clone_database("copy", "template").await.unwrap();
    let mut connection = PgConnection::connect(&copy).await.unwrap();
    sqlx::raw_sql("INSERT INTO t VALUES (1)").execute(&mut connection).await.unwrap();
    stack.postgres.drop_database("copy").await.unwrap();
    assert!(PgConnection::connect(&copy).await.is_err());
    assert!(matches!(stack.postgres.create_database("x\"y").await, Err(Error::Name { .. })));
    let without = copy.replace(&copy[copy.find("postgres:").unwrap()..copy.find('@').unwrap()], "postgres:wrong");
    assert!(PgConnection::connect(&without).await.is_err(), "a password is needed");

    finish(stack).await;
}

#[tokio::test]
async fn keys_serve_their_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let layout = super::files::Layout::create(dir.path()).unwrap();
    let pki = super::Pki::open(&layout).unwrap();

    // A token signed by the key is accepted by the published set.
    let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&std::fs::read(&pki.jwks).unwrap()).unwrap();
    let jwk = jwks.find(&pki.jwt_kid).unwrap();
    let signing = jsonwebtoken::EncodingKey::from_ec_pem(&std::fs::read(&pki.jwt_key).unwrap()).unwrap();
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    let token = jsonwebtoken::encode(&header, &json!({"sub": "x", "exp": 4_000_000_000_u64}), &signing).unwrap();
    let verifying = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
    let rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    let claims = jsonwebtoken::decode::<serde_json::Value>(&token, &verifying, &rules).unwrap().claims;
    assert_eq!(claims["sub"], "x");

    // What is sealed for the recipient is opened by the identity.
    let recipient: age::x25519::Recipient = pki.age_recipient.parse().unwrap();
    let identity = std::fs::read_to_string(&pki.age_identity).unwrap();
    let identity: age::x25519::Identity = identity.lines().last().unwrap().parse().unwrap();
    let sealed = age::encrypt(&recipient, b"hello").unwrap();
    assert_eq!(age::decrypt(&identity, &sealed).unwrap(), b"hello");

    // Certificates are signed by the authority and name who they are for; all is kept at the next opening.
    let again = super::Pki::open(&layout).unwrap();
    assert_eq!(again.jwt_kid, pki.jwt_kid);
    let extra = pki.issue_client(dir.path(), "third.bindery.internal").unwrap();
    let ca = std::fs::read(&pki.ca).unwrap();
    let (_, ca) = x509_parser::pem::parse_x509_pem(&ca).unwrap();
    let ca = ca.parse_x509().unwrap();
    for (files, name) in [(&pki.smpp_connector, super::Pki::SMPP_CONNECTOR), (&extra, "third.bindery.internal")] {
        let pem = std::fs::read(&files.certificate).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
        let certificate = pem.parse_x509().unwrap();
        certificate.verify_signature(Some(ca.public_key())).unwrap();
        assert!(certificate.validity().is_valid());
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        let expected = x509_parser::extensions::GeneralName::DNSName(name);
        assert_eq!(names.value.general_names, [expected]);
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&files.key).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// Set for the process that holds a stack until it is killed.
const HOLD: &str = "BINDERY_TEST_HOLD_STACK";

#[tokio::test]
async fn a_killed_owner_leaves_no_server() {
    if let Some(data_dir) = std::env::var_os(HOLD) {
        let stack = Stack::start(options(Path::new(&data_dir))).await.unwrap();
        fill(&stack).await;
        let pids = json!(pids(&stack).await).to_string();
        std::fs::write(stack.data_dir().join("filled.new"), pids).unwrap();
        std::fs::rename(stack.data_dir().join("filled.new"), stack.data_dir().join("filled")).unwrap();
        std::future::pending::<()>().await;
    }
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().canonicalize().unwrap();
    let mut owner = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "dev::tests::a_killed_owner_leaves_no_server"])
        .env(HOLD, &data_dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let filled = data_dir.join("filled");
    while !filled.exists() {
        assert!(owner.try_wait().unwrap().is_none(), "the owner of the stack failed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let pids: Vec<u32> = serde_json::from_slice(&std::fs::read(&filled).unwrap()).unwrap();
    assert_ne!(processes_in(&data_dir, &pids), Vec::<String>::new());
    owner.kill().unwrap();
    owner.wait().unwrap();
    let begun = std::time::Instant::now();
    while !processes_in(&data_dir, &pids).is_empty() {
        assert!(begun.elapsed().as_secs() < 30, "{:?}", processes_in(&data_dir, &pids));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let stack = Stack::start(options(&data_dir)).await.unwrap();
    check_kept(&stack).await;
    finish(stack).await;
}

/// Callers spawn these on a runtime of several threads; that they can is settled when this compiles.
#[test]
fn futures_move_between_threads() {
    fn is_send<T: Send>(_: impl FnOnce(&'static Stack) -> T) {}
    fn is_sync<T: Send + Sync>() {}
    is_send(Stack::ensure_running);
    is_send(|stack| stack.vault.restart());
    is_send(|stack| stack.vault.mount_kv("x", KvVersion::V2));
    is_send(|stack| stack.postgres.create_database("x"));
    is_send(|_| Stack::start(options(Path::new("/nowhere"))));
    is_sync::<Stack>();
}
