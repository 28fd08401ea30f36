//! The listeners over rows that a test writes itself, without a sync: each answer for a state of one's choice.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::path::Path;

use bindery_agent::config::Config;
use bindery_agent::dev::KeyPairFiles;
use bindery_agent::http::{self, Listeners};
use bindery_agent::leader::fence::Fence;
use bindery_agent::shared::Shared;
use bindery_agent::store::postgres;
use bindery_schema::secret::Secret;
use bindery_schema::wire::api::{AppliedCommit, SyncPhase, SyncStatus};
use jiff::Timestamp;
use reqwest::{Certificate, Client, Identity, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::world::{READER, World};

/// Password of every operator that has one.
pub const PASSWORD: &str = "k3y7pq2x";

/// Listeners that serve the seventh step, commit `c0ffee`, with the carrier `af-roshan` and no operator yet.
pub struct Served {
    world: World,
    /// What the listeners serve from.
    pub shared: Shared,
    /// Where they listen.
    pub listeners: Listeners,
    /// Ends them.
    pub cancel: CancellationToken,
    /// What the sync is said to do.
    pub status: watch::Sender<SyncStatus>,
    /// Whether the agent is said to lead.
    pub leading: watch::Sender<Option<Fence>>,
    /// Certificate of a client that may read everything but credentials.
    pub reader: KeyPairFiles,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

impl std::ops::Deref for Served {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Served {
    /// In the shared stack.
    pub async fn new() -> Self {
        Box::pin(Self::build(World::new().await)).await
    }

    /// With a stack of one's own, to take servers down.
    pub async fn alone() -> Self {
        Box::pin(Self::build(World::alone().await)).await
    }

    /// With a changed configuration.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut world = World::new().await;
        change(&mut world.config);
        Box::pin(Self::build(world)).await
    }

    async fn build(world: World) -> Self {
        let reader = world.stack.pki.issue_client(world.dir.path(), READER).unwrap();
        postgres::migrate(&world.config.postgres).await.unwrap();
        let applied = AppliedCommit { commit: "c0ffee".to_owned(), generation: 7, at: Timestamp::now().into() };
        let (status, receiver) = watch::channel(SyncStatus {
            phase: SyncPhase::InSync,
            wanted: Some(applied.commit.clone()),
            applied: Some(applied),
            blocked: None,
            last_fetch_at: None,
            leads: true,
            pause: None,
            refused: Vec::new(),
        });
        let (leading, leads) = watch::channel(Some(Fence::new(1)));
        let (shared, _) = Box::pin(Shared::connect(world.config.clone(), leads)).await.unwrap();
        let shared = Shared { status: receiver, ..shared };
        let cancel = CancellationToken::new();
        let listeners = http::serve(shared.clone(), cancel.clone()).await.unwrap();
        let served = Self { world, shared, listeners, cancel, status, leading, reader };
        served.sql("update ops.sync_state set generation = 7, applied_commit = 'c0ffee'").await;
        served
            .sql(
                "insert into ops.mnos (id, name, country, spec, spec_hash, contracts_hash, source_path, source_commit)
             values ('af-roshan', 'Roshan', 'AF', '{}', 'h', 'h', 'f', 'c0ffee')",
            )
            .await;
        served
    }

    /// Executes statements.
    pub async fn sql(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.shared.stores.postgres).await.unwrap();
    }

    /// A number asked of Postgres.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.shared.stores.postgres).await.unwrap()
    }

    /// Inserts an operator as a sync would.
    pub async fn operator(&self, id: &str, status: &str, health: Value) {
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

    /// Sets an operator's password to [`PASSWORD`].
    pub async fn password(&self, id: &str) {
        let vault = &self.shared.stores.vault;
        vault.write_credentials(&id.parse().unwrap(), "bindery", &Secret::new(PASSWORD), Some(0)).await.unwrap();
    }

    /// A client of the internal listener, with or without a certificate.
    pub fn client(&self, identity: Option<&KeyPairFiles>) -> Client {
        client(&self.stack.pki.ca, identity)
    }

    /// Status and JSON of the internal listener.
    pub async fn internal(&self, identity: &KeyPairFiles, path: &str) -> (u16, Value) {
        answer(self.client(Some(identity)).get(self.internal_url(path)).send().await.unwrap()).await
    }

    /// An address of the internal listener.
    pub fn internal_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.listeners.internal.port())
    }

    /// The answer of the ops listener.
    pub async fn ops(&self, path: &str) -> Response {
        reqwest::get(format!("http://{}{path}", self.listeners.ops)).await.unwrap()
    }

    /// The certificate that may read credentials.
    pub fn connector(&self) -> &KeyPairFiles {
        &self.stack.pki.smpp_connector
    }
}

/// A client that trusts one authority.
pub fn client(ca: &Path, identity: Option<&KeyPairFiles>) -> Client {
    let ca = Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
    let mut builder = Client::builder().no_proxy().tls_certs_only([ca]);
    if let Some(files) = identity {
        let pem = [std::fs::read(&files.certificate).unwrap(), std::fs::read(&files.key).unwrap()].concat();
        builder = builder.identity(Identity::from_pem(&pem).unwrap());
    }
    builder.build().unwrap()
}

/// Status and JSON of an answer; of a stream, which has no end, the status alone.
pub async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, if streams(&response) { Value::Null } else { response.json().await.unwrap_or_default() })
}

/// Whether an answer is a stream of events.
pub fn streams(response: &Response) -> bool {
    response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream")
}
