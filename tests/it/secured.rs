//! The stores as they are run in production: TLS, accounts, roles, fail-over. Each against a real server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bindery_agent::config::{self, AppRole, RedisMode, SecretSource, Tls};
use bindery_agent::metrics::{Metrics, Operation};
use bindery_agent::store::redis::Entry;
use bindery_agent::store::{Nats, Redis, Vault, postgres, vault};
use bindery_agent::telemetry::Trace;
use bindery_schema::secret::Secret;
use bindery_schema::wire::projection::CatalogProjection;
use bindery_tests::listeners::client;
use bindery_tests::servers::{Server, strange_authority};
use bindery_tests::stack::Servers;
use bindery_tests::world::eventually;
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};

fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn trusting(ca: impl Into<PathBuf>) -> Tls {
    Tls { ca: Some(ca.into()), ..Tls::default() }
}

struct Bao {
    server: Server,
    http: Client,
    ca: PathBuf,
}

impl Bao {
    async fn start(dir: &Path) -> Self {
        let server = Server::openbao(dir, "root").await;
        let ca = dir.join("vault-ca.pem");
        let http = client(&ca, None);
        let bao = Self { server, http, ca };
        let health = bao.url("sys/health");
        eventually("OpenBao is unsealed", async || {
            bao.http.get(&health).send().await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        bao
    }

    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}/v1/{path}", self.server.port)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(self.url(path)).header("X-Vault-Token", "root").json(&body);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_takes_a_role_that_logs_in_once() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let bao = Bao::start(dir.path()).await;
    bao.post("sys/mounts/old", json!({ "type": "kv", "options": { "version": "1" } })).await;
    bao.post("sys/mounts/closed", json!({ "type": "kv", "options": { "version": "2" } })).await;
    bao.post("sys/auth/approle", json!({ "type": "approle" })).await;
    let rules = ["secret/data/ops/*", "secret/metadata/ops/*", "old/ops/*"]
        .map(|path| format!(r#"path "{path}" {{ capabilities = ["create", "read", "update", "delete"] }}"#));
    bao.post("sys/policies/acl/agent", json!({ "policy": rules.join("\n") })).await;
    let role = |ttl| json!({ "token_policies": ["agent"], "token_ttl": ttl, "token_max_ttl": ttl });
    bao.post("auth/approle/role/agent", role(3600)).await;
    let role_id = bao.http.get(bao.url("auth/approle/role/agent/role-id")).header("X-Vault-Token", "root");
    let role_id: Value = role_id.send().await.unwrap().json().await.unwrap();
    let secret_id = bao.post("auth/approle/role/agent/secret-id", json!({})).await;
    let secret_id = file(dir.path(), "secret-id", &format!("{}\n", secret_id["data"]["secret_id"].as_str().unwrap()));

    let metrics = Arc::new(Metrics::default());
    let logins = || metrics.vault_requests.get_or_create(&Operation { operation: "login", outcome: "ok" }).get();
    let configured = |mount: &str, tls: Tls| config::Vault {
        addr: format!("https://127.0.0.1:{}", bao.server.port),
        token: None,
        approle: Some(AppRole {
            mount: "approle".to_owned(),
            role_id: role_id["data"]["role_id"].as_str().unwrap().to_owned(),
            secret_id: Some(SecretSource::File(secret_id.clone())),
        }),
        tls,
        mount: mount.to_owned(),
    };
    let store = Vault::new(&configured("secret", trusting(&bao.ca)), metrics.clone()).unwrap();
    let one = "one".parse().unwrap();
    assert_eq!(store.engine().await.unwrap(), vault::Engine::V2);
    // Many at once, before there is a token: one of them logs in for all.
    let reads = futures::future::join_all((0..20).map(|_| store.read_credentials(&one))).await;
    assert!(reads.into_iter().all(|read| read.unwrap().is_none()));
    store.write_credentials(&one, "bindery", &Secret::new("s3cret01"), Some(0)).await.unwrap();
    assert_eq!(store.read_credentials(&one).await.unwrap().unwrap().password.expose(), "s3cret01");
    assert_eq!(logins(), 1);

    // A token that was revoked is replaced, by one log-in.
    let accessors = bao.http.request("LIST".parse().unwrap(), bao.url("auth/token/accessors"));
    let accessors: Value = accessors.header("X-Vault-Token", "root").send().await.unwrap().json().await.unwrap();
    for accessor in accessors["data"]["keys"].as_array().unwrap() {
        let found = bao.post("auth/token/lookup-accessor", json!({ "accessor": accessor })).await;
        if found["data"]["path"] == "auth/approle/login" {
            bao.post("auth/token/revoke-accessor", json!({ "accessor": accessor })).await;
        }
    }
    let reads = futures::future::join_all((0..20).map(|_| store.read_credentials(&one))).await;
    assert!(reads.into_iter().all(|read| read.unwrap().is_some()));
    assert_eq!(logins(), 2);

    // Renewed while that gives it more life, replaced once it does not.
    assert!((3500..=3600).contains(&store.renew_token().await.unwrap().unwrap().as_secs()));
    assert_eq!(logins(), 2);
    bao.post("auth/approle/role/agent", role(60)).await;
    store.renew_token().await.unwrap().unwrap();
    assert_eq!(logins(), 3);

    // A missing permission is none of the token's faults.
    let other = Vault::new(&configured("closed", trusting(&bao.ca)), metrics.clone()).unwrap();
    for _ in 0..3 {
        let refused = other.read_credentials(&one).await;
        assert!(matches!(refused, Err(vault::Error::Refused { status: 403, .. })), "{refused:?}");
    }
    assert_eq!(logins(), 4);

    let versionless = Vault::new(&configured("old", trusting(&bao.ca)), metrics.clone()).unwrap();
    assert_eq!(versionless.engine().await.unwrap(), vault::Engine::V1);
    versionless.write_credentials(&one, "bindery", &Secret::new("s3cret02"), None).await.unwrap();
    assert_eq!(versionless.read_credentials(&one).await.unwrap().unwrap().password.expose(), "s3cret02");

    // Another authority than the server's.
    let strange = configured("secret", trusting(strange(dir.path()).await));
    let deceived = Vault::new(&strange, metrics.clone()).unwrap();
    assert!(matches!(deceived.ping().await, Err(vault::Error::Unreachable(_))));
    // A token from a file.
    let mut given = configured("secret", trusting(&bao.ca));
    (given.approle, given.token) = (None, Some(SecretSource::File(file(dir.path(), "token", "root\n"))));
    let given = Vault::new(&given, metrics.clone()).unwrap();
    assert!(given.read_credentials(&one).await.unwrap().is_some());
}

async fn strange(dir: &Path) -> PathBuf {
    let stack = Servers::shared().await;
    strange_authority(&stack.pki, dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_is_left_alone_while_it_does_not_answer() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = format!("http://{}", silent.local_addr().unwrap());
    drop(silent);
    let config = config::Vault {
        addr,
        token: Some(Secret::new("t").into()),
        approle: None,
        tls: Tls::default(),
        mount: "secret".to_owned(),
    };
    let vault = Vault::new(&config, Arc::default()).unwrap();
    let one = "one".parse().unwrap();
    for _ in 0..3 {
        assert!(matches!(vault.read_credentials(&one).await, Err(vault::Error::Unreachable(_))));
    }
    assert!(matches!(vault.read_credentials(&one).await, Err(vault::Error::Resting)));
}

async fn publishes(nats: &Nats) -> bool {
    nats.ensure_stream().await.is_ok()
        && nats.publish("ops.sync.applied.v1", "1", &Trace::default(), b"{}".to_vec()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_takes_users_and_nkeys_over_tls() {
    let stack = Servers::shared().await;
    let dir = tempfile::tempdir().unwrap();
    let key = nkeys::KeyPair::new_user();
    let users = format!(
        "authorization {{ users: [ {{ user: bindery, password: k3y7pq2x }}, {{ nkey: {} }} ] }}",
        key.public_key()
    );
    let server = Server::nats(&dir.path().join("nats"), &stack.pki.server, &users).await;
    // The first of the list is away.
    let at = |ca: &Path| config::Nats {
        tls: trusting(ca),
        ..config::Nats::at(format!("tls://127.0.0.1:1,tls://127.0.0.1:{}", server.port))
    };
    let user = config::Nats {
        user: Some("bindery".to_owned()),
        password: Some(SecretSource::File(file(dir.path(), "password", "k3y7pq2x\n"))),
        ..at(&stack.pki.ca)
    };
    let nkey = config::Nats { nkey: Some(Secret::new(key.seed().unwrap()).into()), ..at(&stack.pki.ca) };
    for config in [&user, &nkey] {
        let nats = Nats::connect(config).await.unwrap();
        eventually("an event is published", async || publishes(&nats).await).await;
        nats.close().await;
    }
    let stranger = config::Nats { nkey: Some(Secret::new(nkeys::KeyPair::new_user().seed().unwrap()).into()), ..nkey };
    let deceived = config::Nats { tls: trusting(strange(dir.path()).await), ..user };
    for config in [stranger, deceived] {
        let nats = Nats::connect(&config).await.unwrap();
        assert!(!publishes(&nats).await && !nats.is_connected());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_takes_a_file_of_credentials() {
    let stack = Servers::shared().await;
    let dir = tempfile::tempdir().unwrap();
    let [operator, account, user] =
        [nkeys::KeyPair::new_operator(), nkeys::KeyPair::new_account(), nkeys::KeyPair::new_user()];
    // JetStream wants one for its own traffic.
    let system = nkeys::KeyPair::new_account();
    let claims = |issuer: &nkeys::KeyPair, subject: &nkeys::KeyPair, nats: Value| {
        use base64::Engine as _;
        use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
        let body = json!({
            "jti": "T", "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(), "name": "test",
            "nats": nats,
        });
        let head = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
        let text = format!("{}.{}", BASE64.encode(head.to_string()), BASE64.encode(body.to_string()));
        format!("{text}.{}", BASE64.encode(issuer.sign(text.as_bytes()).unwrap()))
    };
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "wildcards": true,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let operator_jwt = claims(&operator, &operator, json!({ "type": "operator", "version": 2 }));
    let account_jwt = claims(&operator, &account, json!({ "type": "account", "version": 2, "limits": limits }));
    let user_jwt =
        claims(&account, &user, json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 }));
    let system_jwt = claims(&operator, &system, json!({ "type": "account", "version": 2 }));
    let settings = format!(
        "operator: {operator_jwt}\nsystem_account: {}\nresolver: MEMORY\n\
         resolver_preload: {{\n{}: {account_jwt}\n{}: {system_jwt}\n}}",
        system.public_key(),
        account.public_key(),
        system.public_key()
    );
    let server = Server::nats(&dir.path().join("nats"), &stack.pki.server, &settings).await;
    let creds = format!(
        "-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    );
    let config = config::Nats {
        creds: Some(file(dir.path(), "bindery.creds", &creds)),
        tls: trusting(&stack.pki.ca),
        ..config::Nats::at(format!("tls://127.0.0.1:{}", server.port))
    };
    let nats = Nats::connect(&config).await.unwrap();
    eventually("an event is published", async || publishes(&nats).await).await;
    nats.close().await;
}

fn step(generation: i64) -> CatalogProjection {
    CatalogProjection { commit: "c0ffee".to_owned(), generation, applied_at: Timestamp::now().into() }
}

fn entries() -> Vec<Entry> {
    let entry = |number| Entry { key: format!("ops:operator:op-{number}"), value: Some("{}".to_owned()) };
    (0..1_200).map(entry).collect()
}

/// Shows a step, and finds all of it again.
async fn shows(redis: &Redis) {
    redis.project(&step(7), &entries()).await.unwrap();
    assert_eq!(redis.catalog().await.unwrap().unwrap().generation, 7);
    let left = redis.leftovers(|key| key == "ops:operator:op-0").await.unwrap();
    assert_eq!(left.len(), 1_199);
    // A full look: the entries and `ops:catalog`.
    assert_eq!(redis.projections().await.unwrap().len(), 1_201);
    assert!(redis.project(&step(6), &[]).await.is_err());
    redis.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_takes_a_user_over_tls() {
    let stack = Servers::shared().await;
    let (dir, pki) = (tempfile::tempdir().unwrap(), &stack.pki);
    // The rights that the example of the configuration names, and no others.
    let settings = format!(
        "port 0\ntls-port PORT\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients yes\n\
         user default off\nuser bindery on >k3y7pq2x ~w:* +@read +@write +@scripting +ping",
        pki.server.certificate.display(),
        pki.server.key.display(),
        pki.ca.display()
    );
    let server = Server::redis(&dir.path().join("redis"), &settings).await;
    let tls = Tls {
        cert: Some(pki.smpp_connector.certificate.clone()),
        key: Some(pki.smpp_connector.key.clone()),
        ..trusting(&pki.ca)
    };
    let config = config::Redis {
        user: Some("bindery".to_owned()),
        password: Some(SecretSource::File(file(dir.path(), "password", "k3y7pq2x\n"))),
        tls,
        key_prefix: "w:".to_owned(),
        ..config::Redis::at(format!("rediss://127.0.0.1:{}/0", server.port))
    };
    shows(&Redis::new(&config).unwrap()).await;
    let without = config::Redis { tls: trusting(&pki.ca), ..config.clone() };
    let guessing = config::Redis { password: Some(Secret::new("guess").into()), ..config.clone() };
    let deceived = config::Redis { tls: Tls { ca: Some(strange(dir.path()).await), ..config.tls.clone() }, ..config };
    for config in [without, guessing, deceived] {
        assert!(Redis::new(&config).unwrap().ping().await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_cluster_shows_steps() {
    let dir = tempfile::tempdir().unwrap();
    let settings = "cluster-enabled yes\ncluster-config-file nodes.conf";
    let nodes =
        [Server::redis(&dir.path().join("a"), settings).await, Server::redis(&dir.path().join("b"), settings).await];
    let [a, b] = nodes.each_ref().map(|node| node.port);
    let ask = async |port: u16, words: &str| -> redis::Value {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        command.query_async(&mut connection).await.unwrap()
    };
    ask(a, "CLUSTER ADDSLOTSRANGE 0 8191").await;
    ask(b, "CLUSTER ADDSLOTSRANGE 8192 16383").await;
    ask(a, &format!("CLUSTER MEET 127.0.0.1 {b}")).await;
    for port in [a, b] {
        eventually("the cluster is whole", async || {
            let state: String = redis::from_redis_value(ask(port, "CLUSTER INFO").await).unwrap();
            state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:2")
        })
        .await;
    }
    // One tag for each node: whichever holds it, and whichever is named.
    for prefix in ["{bindery}:", "{other}:", "{third}:"] {
        let config = config::Redis {
            mode: RedisMode::Cluster,
            key_prefix: prefix.to_owned(),
            ..config::Redis::at(format!("redis://127.0.0.1:{a}"))
        };
        let redis = Redis::new(&config).unwrap();
        eventually("the cluster is reached", async || redis.ping().await.is_ok()).await;
        shows(&redis).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_master_is_found_through_the_sentinel() {
    let dir = tempfile::tempdir().unwrap();
    let mut master = Server::redis(&dir.path().join("master"), "").await;
    let replica = format!("replicaof 127.0.0.1 {}\nrepl-diskless-sync-delay 0", master.port);
    let _replica = Server::redis(&dir.path().join("replica"), &replica).await;
    let sentinel = Server::sentinel(&dir.path().join("sentinel"), "carriers", master.port).await;
    let config = config::Redis {
        mode: RedisMode::Sentinel,
        service: Some("carriers".to_owned()),
        key_prefix: "w:".to_owned(),
        ..config::Redis::at(format!("redis://127.0.0.1:1,redis://127.0.0.1:{}", sentinel.port))
    };
    let redis = Redis::new(&config).unwrap();
    shows(&redis).await;
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", sentinel.port)).unwrap();
    eventually("the Sentinel knows the replica, and the replica is in step", async || {
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let known: Vec<std::collections::HashMap<String, String>> =
            redis::cmd("SENTINEL").arg("REPLICAS").arg("carriers").query_async(&mut connection).await.unwrap();
        known.first().is_some_and(|replica| replica["master-link-status"] == "ok")
    })
    .await;
    master.program.kill();
    eventually("the new master shows a step", async || redis.project(&step(8), &[]).await.is_ok()).await;
    assert_eq!(redis.catalog().await.unwrap().unwrap().generation, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_proves_its_name_over_tls() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let stack = Servers::own().await;
    let dir = tempfile::tempdir().unwrap();
    let superuser = sqlx::PgPool::connect(&stack.postgres.url()).await.unwrap();
    let data: String = sqlx::query_scalar("show data_directory").fetch_one(&superuser).await.unwrap();
    let owner = std::fs::metadata(&data).unwrap();
    for (from, name) in [(&stack.pki.server.certificate, "tls.pem"), (&stack.pki.server.key, "tls.key")] {
        let to = Path::new(&data).join(name);
        std::fs::copy(from, &to).unwrap();
        chown(to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    for sql in [
        "alter system set ssl_cert_file = 'tls.pem'",
        "alter system set ssl_key_file = 'tls.key'",
        "alter system set ssl = on",
        "select pg_reload_conf()",
        "create role bindery login password 'k3y7pq2x'",
    ] {
        sqlx::query(sql).execute(&superuser).await.unwrap();
    }
    let at = |host: &str, ca: &Path| config::Postgres {
        password: Some(SecretSource::File(file(dir.path(), "password", "k3y7pq2x\n"))),
        tls: trusting(ca),
        max_connections: 2,
        acquire_seconds: 1.0,
        ..config::Postgres::at(format!(
            "postgres://bindery@{host}:{}/postgres",
            stack.postgres.addr().rsplit_once(':').unwrap().1
        ))
    };
    let pool = postgres::pool(&at("localhost", &stack.pki.ca)).unwrap();
    eventually("Postgres takes TLS", async || {
        let encrypted = sqlx::query_scalar("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
        encrypted.fetch_one(&pool).await.is_ok_and(|encrypted: bool| encrypted)
    })
    .await;
    // Two connections and no more: the third waits in vain.
    let _taken = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    assert!(matches!(pool.acquire().await, Err(sqlx::Error::PoolTimedOut)));
    let deceived = postgres::pool(&at("localhost", &strange(dir.path()).await)).unwrap();
    assert!(deceived.acquire().await.is_err());
    let missing = at("localhost", Path::new("/nowhere/ca.pem"));
    assert!(postgres::pool(&missing).unwrap_err().to_string().contains("/nowhere/ca.pem cannot be read"));
}
