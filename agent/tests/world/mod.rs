//! An agent with a place of its own in a stack that all tests of a binary share, and a repository it follows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bindery_agent::config::{Admin, Config, Internal, Nats, Ops, Postgres, Redis, Repository, Secrets, Vault};
use bindery_agent::dev::{KvVersion, Stack, StackOptions, Tools};
use bindery_agent::runtime::Agent;
use bindery_agent::store::Stores;
use bindery_compiler::seal;
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::{SyncPhase, SyncStatus};
use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository as Git, Signature};
use serde_json::Value;
use tokio::sync::OnceCell;

/// Longest wait for anything that has to come true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static STACK: OnceCell<Stack> = OnceCell::const_new();

/// The stack of this test binary. It ends with the process, as its servers do not outlive their owner.
async fn stack() -> &'static Stack {
    STACK.get_or_init(start_stack).await
}

async fn start_stack() -> Stack {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let tools = Tools::find(&Tools::default_dir(repository)).unwrap();
    let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sync-stack");
    Stack::remove(&data_dir, &tools).await.unwrap();
    Stack::start(StackOptions { data_dir, tools, durable: false }).await.unwrap()
}

/// A stack's servers as one test sees them, and what it makes of them.
pub(crate) struct World {
    pub(crate) stack: Servers,
    pub(crate) config: Config,
    pub(crate) git: Git,
    dir: tempfile::TempDir,
}

/// Either the stack all tests share or one that a test may kill.
pub(crate) enum Servers {
    Shared(&'static Stack),
    Own(Box<Stack>),
}

impl std::ops::Deref for Servers {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        match self {
            Self::Shared(stack) => stack,
            Self::Own(stack) => stack,
        }
    }
}

impl World {
    /// A place in the shared stack: a database, a mount, a stream and a key prefix of one's own.
    pub(crate) async fn new(name: &str) -> Self {
        Self::within(Servers::Shared(stack().await), name, KvVersion::V2).await
    }

    /// A place with a key-value engine of version 1.
    pub(crate) async fn with_versionless_vault(name: &str) -> Self {
        Self::within(Servers::Shared(stack().await), name, KvVersion::V1).await
    }

    /// A stack of one's own, whose servers may be killed.
    pub(crate) async fn alone(name: &str) -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let tools = Tools::find(&Tools::default_dir(repository)).unwrap();
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sync-{name}"));
        Stack::remove(&data_dir, &tools).await.unwrap();
        let stack = Stack::start(StackOptions { data_dir, tools, durable: false }).await.unwrap();
        Self::within(Servers::Own(Box::new(stack)), name, KvVersion::V2).await
    }

    async fn within(stack: Servers, name: &str, engine: KvVersion) -> Self {
        // Shown where a test fails; the first test of the binary sets it up for all.
        let _ = tracing_subscriber::fmt().with_test_writer().with_env_filter("bindery_agent=info,warn").try_init();
        let dir = tempfile::tempdir().unwrap();
        let git = Git::init_bare(dir.path().join("forge.git")).unwrap();
        let database = stack.postgres.create_database(name).await.unwrap();
        let token = stack.vault.mount_kv(name, engine).await.unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let pki = &stack.pki;
        let config = Config {
            environment: "test".to_owned(),
            data_dir: dir.path().join("agent"),
            repository: Repository {
                url: git.path().display().to_string(),
                branch: "main".to_owned(),
                poll_seconds: 0.1,
            },
            postgres: Postgres { url: Secret::new(database), max_connections: 8 },
            vault: Vault { addr: stack.vault.addr(), token: Secret::new(token), mount: name.to_owned() },
            nats: Nats {
                url: Secret::new(stack.nats.url()),
                stream: format!("OPS_{name}"),
                subject_prefix: format!("{name}."),
            },
            redis: Redis { url: Secret::new(stack.redis.url()), key_prefix: format!("{name}:") },
            secrets: Secrets { identity_file: Some(pki.age_identity.clone()) },
            admin: Admin {
                listen: any,
                jwks: pki.jwks.display().to_string(),
                issuer: "https://issuer.bindery.example/test".to_owned(),
                audience: "bindery-admin".to_owned(),
                roles_claim: "roles".to_owned(),
            },
            internal: Internal {
                listen: any,
                cert: pki.server.certificate.clone(),
                key: pki.server.key.clone(),
                client_ca: pki.ca.clone(),
                client_crl: None,
                allow_credentials: vec!["smpp-connector".to_owned()],
                allow_read: Vec::new(),
            },
            ops: Ops { listen: any },
        };
        Self { stack, config, git, dir }
    }

    pub(crate) async fn agent(&self) -> Agent {
        Agent::start(self.config.clone()).await.unwrap()
    }

    /// Connections of the test's own.
    pub(crate) async fn stores(&self) -> Stores {
        Stores::connect(&self.config, &std::sync::Arc::default()).await.unwrap()
    }

    /// Commits changes of files on top of the branch: a text, or `None` to remove.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, Option<String>)]) -> Oid {
        let parent = self.git.refname_to_id("refs/heads/main").ok().map(|tip| self.git.find_commit(tip).unwrap());
        let base = match &parent {
            Some(parent) => parent.tree().unwrap(),
            None => self.git.find_tree(self.git.treebuilder(None).unwrap().write().unwrap()).unwrap(),
        };
        let mut update = TreeUpdateBuilder::new();
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

    /// Where the branch points.
    pub(crate) fn point_branch_at(&self, commit: Oid) {
        self.git.reference("refs/heads/main", commit, true, "forced").unwrap();
    }

    pub(crate) fn seal(&self, operator: &str, password: &str) -> String {
        let operator: OperatorId = operator.parse().unwrap();
        seal::seal(&operator, &Secret::new(password), std::slice::from_ref(&self.stack.pki.age_recipient)).unwrap()
    }

    /// All messages of the stream, oldest first.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let stores = self.stores().await;
        let jetstream = async_nats::jetstream::new(stores.nats.client().clone());
        let stream = jetstream.get_stream(&self.config.nats.stream).await.unwrap();
        let mut events = Vec::new();
        for sequence in 1..=stream.cached_info().state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            events.push(serde_json::from_slice(&message.payload).unwrap());
        }
        events
    }

    /// The configuration as a file, for an agent in a process of its own.
    pub(crate) fn config_file(&self) -> PathBuf {
        let Config { data_dir, repository, postgres, vault, nats, redis, secrets, admin, internal, ops, environment } =
            &self.config;
        let text = serde_json::json!({
            "environment": environment,
            "data_dir": data_dir,
            "repository": { "url": repository.url, "branch": repository.branch, "poll_seconds": repository.poll_seconds },
            "postgres": { "url": postgres.url.expose(), "max_connections": postgres.max_connections },
            "vault": { "addr": vault.addr, "token": vault.token.expose(), "mount": vault.mount },
            "nats": { "url": nats.url.expose(), "stream": nats.stream, "subject_prefix": nats.subject_prefix },
            "redis": { "url": redis.url.expose(), "key_prefix": redis.key_prefix },
            "secrets": { "identity_file": secrets.identity_file },
            "admin": { "listen": admin.listen, "jwks": admin.jwks, "issuer": admin.issuer, "audience": admin.audience },
            "internal": {
                "listen": internal.listen, "cert": internal.cert, "key": internal.key,
                "client_ca": internal.client_ca, "allow_credentials": internal.allow_credentials,
            },
            "ops": { "listen": ops.listen },
        });
        // Keys of a table, each on a line with its value as JSON, are TOML too as long as no value is an object.
        let mut toml = String::new();
        let (tables, plain): (Vec<_>, Vec<_>) =
            text.as_object().unwrap().iter().partition(|(_, value)| value.is_object());
        for (key, value) in plain {
            toml = format!("{toml}{key} = {value}\n");
        }
        for (table, values) in tables {
            let lines: Vec<String> =
                values.as_object().unwrap().iter().map(|(key, value)| format!("{key} = {value}")).collect();
            toml = format!("{toml}[{table}]\n{}\n", lines.join("\n"));
        }
        let file = self.dir.path().join("agent.toml");
        std::fs::write(&file, toml).unwrap();
        file
    }

    pub(crate) fn clone_of_agent(&self) -> PathBuf {
        self.dir.path().join("agent/repository.git")
    }
}

/// Waits until the agent's status is as wanted.
pub(crate) async fn until(agent: &Agent, what: &str, wanted: impl FnMut(&SyncStatus) -> bool) -> SyncStatus {
    let mut status = agent.status();
    let found = tokio::time::timeout(PATIENCE, status.wait_for(wanted)).await.map(|found| found.unwrap().clone());
    found.unwrap_or_else(|_| panic!("the agent never came to {what}; it is at {:?}", *agent.status().borrow()))
}

/// Waits until the agent has applied a commit in full.
pub(crate) async fn until_applied(agent: &Agent, commit: Oid) -> SyncStatus {
    let commit = commit.to_string();
    until(agent, &format!("commit {commit}"), |status| {
        status.phase == SyncPhase::InSync && status.applied.as_ref().is_some_and(|applied| applied.commit == commit)
    })
    .await
}

/// Waits until something asked for again and again is true.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let begun = tokio::time::Instant::now();
    while !ask().await {
        assert!(begun.elapsed() < PATIENCE, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn mno(id: &str) -> String {
    format!(
        "apiVersion: bindery/v1\nkind: Mno\nmetadata: {{id: {id}}}\nspec:\n  name: Carrier {id}\n  country: AF\n  \
         contacts:\n    t1: [{{name: NOC}}]\n    t2: [{{name: Engineering}}]\n    t3: [{{name: Management}}]\n"
    )
}

pub(crate) fn contract(mno: &str, tps: u32) -> String {
    format!(
        "apiVersion: bindery/v1\nkind: TpsContract\nmetadata: {{mno: {mno}}}\nspec:\n  contracts:\n    \
         - {{ref: OUT, direction: OUTBOUND, contractedTps: {tps}, effectiveFrom: \"2026-01-01\", \
         document: \"s3://contracts/{mno}.pdf\"}}\n  reservations:\n    \
         - {{tenant: bank, direction: OUTBOUND, reservedTps: 10}}\n"
    )
}

pub(crate) fn operator(id: &str, mno: &str, host: &str, sealed: Option<&str>) -> String {
    let mut text = format!(
        "apiVersion: bindery/v1\nkind: Operator\nmetadata: {{id: {id}, mno: {mno}}}\nspec:\n  displayName: Bind {id}\n  \
         smpp: {{host: {host}, port: 2775, systemId: sys-{id}, bindMode: TRANSMITTER}}\n  tps: {{outbound: 20}}\n"
    );
    if let Some(sealed) = sealed {
        let lines: Vec<String> = sealed.lines().map(|line| format!("      {line}")).collect();
        text = format!("{text}  credentials:\n    sealed: |\n{}\n", lines.join("\n"));
    }
    text
}

pub(crate) fn routes(operator: &str, prefixes: &[&str]) -> String {
    let rules: Vec<String> = prefixes.iter().map(|prefix| format!("{{prefix: \"+{prefix}\"}}")).collect();
    let rules = rules.join(", ");
    format!("apiVersion: bindery/v1\nkind: Routes\nmetadata: {{operator: {operator}}}\nspec: {{rules: [{rules}]}}\n")
}
