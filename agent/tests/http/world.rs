//! One private stack for all tests; a database, a mount, a subject prefix and a key prefix for each.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bindery_agent::config::{self, Config};
use bindery_agent::dev::{KeyPairFiles, KvVersion, Pki, Stack, StackOptions, Tools};
use bindery_agent::http::{self, Listeners};
use bindery_agent::leader::fence::Fence;
use bindery_agent::metrics::Metrics;
use bindery_agent::shared::Shared;
use bindery_agent::store::{Stores, postgres};
use bindery_schema::secret::Secret;
use bindery_schema::wire::api::{AppliedCommit, SyncPhase, SyncStatus};
use jiff::Timestamp;
use reqwest::{Certificate, Client, Identity, Response};
use serde_json::{Value, json};
use tokio::sync::{Notify, OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard, watch};
use tokio_util::sync::CancellationToken;

/// Client that may read everything but credentials.
pub(crate) const READER: &str = "routing-engine.bindery.internal";
pub(crate) const PASSWORD: &str = "k3y7pq2x";

static STACK: OnceCell<Stack> = OnceCell::const_new();
/// Taken for writing by tests that take a server down.
static OUTAGE: RwLock<()> = RwLock::const_new(());
static NEXT: AtomicU32 = AtomicU32::new(0);

pub(crate) async fn stack() -> &'static Stack {
    let start = || async {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let tools = Tools::find(&Tools::default_dir(repository)).unwrap();
        let data_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("http-stack");
        Stack::remove(&data_dir, &tools).await.unwrap();
        let stack = Stack::start(StackOptions { data_dir, tools, durable: false }).await.unwrap();
        let template = stack.postgres.create_database("http_template").await.unwrap();
        let config = config::Postgres { url: Secret::new(template), max_connections: 1 };
        let pool = postgres::pool(&config).unwrap();
        postgres::migrate(&pool).await.unwrap();
        pool.close().await;
        stack
    };
    STACK.get_or_init(start).await
}

pub(crate) enum Peace {
    Shared(#[allow(dead_code)] RwLockReadGuard<'static, ()>),
    Alone(#[allow(dead_code)] RwLockWriteGuard<'static, ()>),
}

pub(crate) struct World {
    pub(crate) stack: &'static Stack,
    pub(crate) shared: Shared,
    pub(crate) listeners: Listeners,
    pub(crate) cancel: CancellationToken,
    pub(crate) status: watch::Sender<SyncStatus>,
    pub(crate) leading: watch::Sender<Option<Fence>>,
    pub(crate) reader: KeyPairFiles,
    pub(crate) dir: tempfile::TempDir,
    _peace: Peace,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::build(Peace::Shared(OUTAGE.read().await), |_| {}).await
    }

    /// With the stack for itself, to take servers down.
    pub(crate) async fn alone() -> Self {
        Self::build(Peace::Alone(OUTAGE.write().await), |_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::build(Peace::Shared(OUTAGE.read().await), change).await
    }

    async fn build(peace: Peace, change: impl FnOnce(&mut Config)) -> Self {
        let stack = stack().await;
        let name = format!("http_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::tempdir().unwrap();
        let url = stack.postgres.clone_database(&name, "http_template").await.unwrap();
        let token = stack.vault.mount_kv(&name, KvVersion::V2).await.unwrap();
        let reader = stack.pki.issue_client(dir.path(), READER).unwrap();
        let mut config = config(stack, &name, url, token, dir.path());
        change(&mut config);
        let metrics = Arc::new(Metrics::default());
        let stores = Stores::connect(&config, &metrics).await.unwrap();
        let applied = AppliedCommit { commit: "c0ffee".to_owned(), generation: 7, at: Timestamp::now().into() };
        let (status, receiver) = watch::channel(SyncStatus {
            phase: SyncPhase::InSync,
            wanted: Some(applied.commit.clone()),
            applied: Some(applied),
            blocked: None,
            last_fetch_at: None,
        });
        let (leading, leads) = watch::channel(Some(Fence::new(1)));
        let shared = Shared {
            config: Arc::new(config),
            stores,
            metrics,
            status: receiver,
            trigger: Arc::new(Notify::new()),
            relay: Arc::new(Notify::new()),
            leading: leads,
        };
        let cancel = CancellationToken::new();
        let listeners = http::serve(shared.clone(), cancel.clone()).await.unwrap();
        let world = Self { stack, shared, listeners, cancel, status, leading, reader, dir, _peace: peace };
        world.sql("update ops.sync_state set generation = 7, applied_commit = 'c0ffee'").await;
        world
            .sql(
                "insert into ops.mnos (id, name, country, spec, spec_hash, contracts_hash, source_path, source_commit)
             values ('af-roshan', 'Roshan', 'AF', '{}', 'h', 'h', 'f', 'c0ffee')",
            )
            .await;
        world
    }

    pub(crate) async fn sql(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.shared.stores.postgres).await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.shared.stores.postgres).await.unwrap()
    }

    /// Inserts an operator as a sync would.
    pub(crate) async fn operator(&self, id: &str, status: &str, health: Value) {
        let spec = json!({
            "displayName": id, "status": status, "tps": { "outbound": 10 }, "health": health,
            "smpp": { "host": format!("{id}.smpp.example"), "port": 2775, "systemId": "bindery" },
            "credentials": { "sealed": "must never be shown" },
        });
        sqlx::query(
            "insert into ops.operators (id, mno_id, display_name, status, host, port, system_id, bind_mode, tps_outbound,
                tps_inbound, spec, spec_hash, routes_hash, source_path, source_commit)
             values ($1, 'af-roshan', $1, $2, $1 || '.smpp.example', 2775, 'bindery', 'TRANSCEIVER', 10, 0, $3, 'h', 'h', 'f', 'c0ffee')",
        )
        .bind(id)
        .bind(status)
        .bind(spec)
        .execute(&self.shared.stores.postgres)
        .await
        .unwrap();
    }

    pub(crate) async fn password(&self, id: &str) {
        let vault = &self.shared.stores.vault;
        vault.write_credentials(&id.parse().unwrap(), "bindery", &Secret::new(PASSWORD), Some(0)).await.unwrap();
    }

    /// A client of the internal listener, with or without a certificate.
    pub(crate) fn client(&self, identity: Option<&KeyPairFiles>) -> Client {
        client(&self.stack.pki.ca, identity)
    }

    pub(crate) async fn internal(&self, identity: &KeyPairFiles, path: &str) -> (u16, Value) {
        answer(self.client(Some(identity)).get(self.internal_url(path)).send().await.unwrap()).await
    }

    pub(crate) fn internal_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.listeners.internal.port())
    }

    pub(crate) async fn ops(&self, path: &str) -> Response {
        reqwest::get(format!("http://{}{path}", self.listeners.ops)).await.unwrap()
    }

    pub(crate) fn connector(&self) -> &KeyPairFiles {
        &self.stack.pki.smpp_connector
    }
}

/// A client that trusts one authority.
pub(crate) fn client(ca: &Path, identity: Option<&KeyPairFiles>) -> Client {
    let ca = Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
    let mut builder = Client::builder().no_proxy().tls_certs_only([ca]);
    if let Some(files) = identity {
        let pem = [std::fs::read(&files.certificate).unwrap(), std::fs::read(&files.key).unwrap()].concat();
        builder = builder.identity(Identity::from_pem(&pem).unwrap());
    }
    builder.build().unwrap()
}

pub(crate) async fn answer(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

fn config(stack: &Stack, name: &str, url: String, token: String, dir: &Path) -> Config {
    let listen = ([127, 0, 0, 1], 0).into();
    let pki = &stack.pki;
    Config {
        environment: "test".to_owned(),
        data_dir: dir.to_path_buf(),
        repository: config::Repository { url: String::new(), branch: "main".to_owned(), poll_seconds: 1.0 },
        postgres: config::Postgres { url: Secret::new(url), max_connections: 5 },
        vault: config::Vault { addr: stack.vault.addr(), token: Secret::new(token), mount: name.to_owned() },
        nats: config::Nats {
            url: Secret::new(stack.nats.url()),
            stream: name.to_owned(),
            subject_prefix: format!("{name}."),
        },
        redis: config::Redis { url: Secret::new(stack.redis.url()), key_prefix: format!("{name}:") },
        secrets: config::Secrets::default(),
        admin: config::Admin {
            listen,
            jwks: pki.jwks.display().to_string(),
            issuer: "https://issuer.example".to_owned(),
            audience: "bindery-admin".to_owned(),
            roles_claim: "roles".to_owned(),
        },
        internal: config::Internal {
            listen,
            cert: pki.server.certificate.clone(),
            key: pki.server.key.clone(),
            client_ca: pki.ca.clone(),
            client_crl: None,
            allow_credentials: vec![Pki::SMPP_CONNECTOR.to_owned()],
            allow_read: vec![READER.to_owned()],
        },
        ops: config::Ops { listen },
    }
}

/// Waits until something holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..300 {
        if holds().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("not within 15 s: {what}");
}
