//! A place of one test's own in a stack, and a repository for an agent to follow.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bindery_agent::cli::dev;
use bindery_agent::cli::token::{DEV_AUDIENCE, DEV_ISSUER, Token};
use bindery_agent::config::Config;
use bindery_agent::dev::KvVersion;
use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use bindery_agent::store::Stores;
use bindery_compiler::seal;
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::{SyncPhase, SyncStatus};
use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, RepositoryInitOptions, Signature};
use jiff::Timestamp;
use serde_json::Value;

use crate::documents;
use crate::outside::{self, Addresses, Outside};
use crate::stack::Servers;

/// Longest wait for anything that has to come true: long, for machines that are slow or busy.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Client that may read everything but credentials.
pub const READER: &str = "routing-engine.bindery.internal";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database, a mount, a stream, prefixes of subjects and keys, and a bare repository, with the configuration of an
/// agent that uses them.
pub struct World {
    /// The servers.
    pub stack: Servers,
    /// What an agent is told.
    pub config: Config,
    /// The repository that plays the forge.
    pub git: Repository,
    /// Gone with the world.
    pub dir: tempfile::TempDir,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl World {
    /// A place in the shared stack.
    pub async fn new() -> Self {
        Self::within(Servers::shared().await, KvVersion::V2).await
    }

    /// A place with a key-value engine of version 1.
    pub async fn with_versionless_vault() -> Self {
        Self::within(Servers::shared().await, KvVersion::V1).await
    }

    /// A stack of one's own, whose servers may be killed.
    pub async fn alone() -> Self {
        Self::within(Servers::own().await, KvVersion::V2).await
    }

    pub(crate) async fn within(stack: Servers, engine: KvVersion) -> Self {
        let name = format!("world_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::tempdir().unwrap();
        let mut bare = RepositoryInitOptions::new();
        bare.bare(true).initial_head("main");
        let git = Repository::init_opts(dir.path().join("forge.git"), &bare).unwrap();
        let database = stack.postgres.create_database(&name).await.unwrap();
        let token = stack.vault.mount_kv(&name, engine).await.unwrap();
        let mut config = dev::config(&stack, git.path(), dir.path());
        "test".clone_into(&mut config.environment);
        config.repository.poll_seconds = 0.1;
        config.postgres.url = Secret::new(stack.postgres.agent_url(&name));
        config.postgres.migrate_url = Some(Secret::new(database));
        config.vault.token = Some(Secret::new(token).into());
        config.vault.mount.clone_from(&name);
        config.nats.stream = format!("OPS_{name}");
        config.nats.subject_prefix = format!("{name}.");
        config.redis.key_prefix = format!("{name}:");
        config.internal.allow_read = vec![READER.to_owned()];
        Self { stack, config, git, dir }
    }

    /// An agent in this process.
    pub async fn agent(&self) -> Agent {
        Agent::start(self.config.clone()).await.unwrap()
    }

    /// Connections of the test's own.
    pub async fn stores(&self) -> Stores {
        Stores::connect(&self.config, &Arc::default()).await.unwrap()
    }

    /// Commits changes of files on top of the branch: a text, or `None` to remove.
    pub fn commit(&self, message: &str, files: &[(&str, Option<String>)]) -> Oid {
        let parent = self.git.refname_to_id("refs/heads/main").ok().map(|tip| self.git.find_commit(tip).unwrap());
        let base = match &parent {
            Some(parent) => parent.tree().unwrap(),
            None => self.git.find_tree(self.git.treebuilder(None).unwrap().write().unwrap()).unwrap(),
        };
        let mut update = TreeUpdateBuilder::new();
        if parent.is_none() {
            update.upsert("policy.yaml", self.git.blob(documents::POLICY.as_bytes()).unwrap(), FileMode::Blob);
        }
        for (path, text) in files {
            match text {
                Some(text) => update.upsert(*path, self.git.blob(text.as_bytes()).unwrap(), FileMode::Blob),
                None => update.remove(*path),
            };
        }
        let tree = self.git.find_tree(update.create_updated(&self.git, &base).unwrap()).unwrap();
        let author = Signature::now("Ada Carrier", "ada@example.org").unwrap();
        let parents: Vec<_> = parent.iter().collect();
        self.git.commit(Some("refs/heads/main"), &author, &author, message, &tree, &parents).unwrap()
    }

    /// A bearer token for the admin listener, of the caller `name`.
    pub fn token(&self, name: &str, role: Role) -> String {
        let token = Token {
            roles: vec![role],
            subject: name.to_owned(),
            tenant: None,
            ttl: Duration::from_secs(3_600),
            key: self.stack.pki.jwt_key.clone(),
            issuer: DEV_ISSUER.to_owned(),
            audience: DEV_AUDIENCE.to_owned(),
        };
        token.sign(Timestamp::now()).unwrap()
    }

    /// The branch's tip.
    pub fn head(&self) -> git2::Commit<'_> {
        self.git.find_commit(self.git.refname_to_id("refs/heads/main").unwrap()).unwrap()
    }

    /// The text of a file at the tip, if it is there.
    pub fn file(&self, path: &str) -> Option<String> {
        let entry = self.head().tree().unwrap().get_path(path.as_ref()).ok()?;
        let blob = entry.to_object(&self.git).unwrap().peel_to_blob().unwrap();
        Some(String::from_utf8(blob.content().to_vec()).unwrap())
    }

    /// Lets every operator be deleted: of a handful, one is more than a guardrail lets go unasked.
    pub async fn let_go(&self, agent: &Agent) {
        let policy = self.file("policy.yaml").unwrap();
        let loose = policy.replace("  guardrails:\n", "  guardrails:\n    maxDeletes: {percent: 100}\n");
        assert_ne!(loose, policy);
        until_applied(agent, self.commit("Let go", &[("policy.yaml", Some(loose))])).await;
    }

    /// What the events of a type say, oldest first.
    pub async fn told(&self, event_type: &str) -> Vec<Value> {
        self.outside().await.events_of(event_type).await.into_iter().map(|event| event["data"].clone()).collect()
    }

    /// Points the branch elsewhere.
    pub fn point_branch_at(&self, commit: Oid) {
        self.git.reference("refs/heads/main", commit, true, "forced").unwrap();
    }

    /// A password sealed for the stack's identity.
    pub fn seal(&self, operator: &str, password: &str) -> String {
        let operator: OperatorId = operator.parse().unwrap();
        seal::seal(&operator, &Secret::new(password), std::slice::from_ref(&self.stack.pki.age_recipient)).unwrap()
    }

    /// The stores as somebody sees them who knows their addresses only.
    pub async fn outside(&self) -> Outside {
        let Config { postgres, vault, nats, redis, .. } = &self.config;
        Outside::connect(Addresses {
            database_url: postgres.migrate_url.as_ref().unwrap_or(&postgres.url).expose().to_owned(),
            nats_url: nats.url.expose().to_owned(),
            redis_url: redis.url.expose().to_owned(),
            vault_addr: vault.addr.clone(),
            vault_token: vault.token.as_ref().unwrap().read().unwrap().expose().to_owned(),
            vault_mount: vault.mount.clone(),
            stream: nats.stream.clone(),
            subject_prefix: nats.subject_prefix.clone(),
            key_prefix: redis.key_prefix.clone(),
        })
        .await
    }

    /// All messages of the stream, oldest first.
    pub async fn events(&self) -> Vec<Value> {
        outside::events(self.stores().await.nats.client(), &self.config.nats.stream).await
    }

    /// The agent's own clone of the repository.
    pub fn clone_of_agent(&self) -> PathBuf {
        self.dir.path().join("agent/repository.git")
    }
}

/// Waits until the agent's status is as wanted.
pub async fn until(agent: &Agent, what: &str, wanted: impl FnMut(&SyncStatus) -> bool) -> SyncStatus {
    let mut status = agent.status();
    let found = tokio::time::timeout(PATIENCE, status.wait_for(wanted)).await.map(|found| found.unwrap().clone());
    found.unwrap_or_else(|_| panic!("the agent never came to {what}; it is at {:?}", *agent.status().borrow()))
}

/// Waits until the agent has applied a commit in full.
pub async fn until_applied(agent: &Agent, commit: Oid) -> SyncStatus {
    let commit = commit.to_string();
    until(agent, &format!("commit {commit}"), |status| {
        status.phase == SyncPhase::InSync && status.applied.as_ref().is_some_and(|applied| applied.commit == commit)
    })
    .await
}

/// Waits until something asked for again and again is true.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let begun = tokio::time::Instant::now();
    while !ask().await {
        assert!(begun.elapsed() < PATIENCE, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
