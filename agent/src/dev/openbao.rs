//! OpenBao, which speaks Vault's API: initialised, unsealed, with a KV engine and a token for the agent.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures::TryFutureExt as _;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::check_name;
use super::files::{self, Layout};
use super::ports::Ports;
use super::process::Process;
use super::spawn::Launch;
use super::stack::{http_client, timed_start};
use super::{Error, Tools};

const SERVER: &str = "openbao";

/// The mount that the agent uses unless configured otherwise.
const MOUNT: &str = "secret";

/// How long an unsealed server may take to become active. A single raft node has to elect itself first.
const ACTIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// The period of the agent's token: each renewal gives it this long again. Longer than a weekend, so that a
/// stack that slept is usable again; an expired token is replaced at the next start.
const TOKEN_PERIOD: &str = "168h";

/// The two versions of the KV secrets engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvVersion {
    /// One value a path.
    V1,
    /// Versions, soft deletion, check-and-set.
    V2,
}

/// What opens the server; kept in a file with mode 0600.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Keys {
    unseal_key: String,
    root_token: String,
    #[serde(default)]
    agent_token: String,
}

/// An OpenBao server with raft storage on a single node.
pub struct OpenBao {
    process: Process,
    port: u16,
    raft: PathBuf,
    keys_file: PathBuf,
    keys: ArcSwap<Keys>,
}

impl OpenBao {
    pub(super) fn prepare(layout: &Layout, tools: &Tools, ports: Ports) -> Result<Self, Error> {
        let dir = layout.root.join(SERVER);
        let raft = dir.join("raft");
        files::make_dir(&dir, 0o700)?;
        let api = format!("127.0.0.1:{}", ports.openbao);
        let cluster = format!("127.0.0.1:{}", ports.openbao_cluster);
        let settings = json!({
            // The multiplier's default of 5 makes the only node wait 5 to 10 s before it elects itself.
            "storage": { "raft": { "path": raft, "node_id": "dev", "performance_multiplier": "1" } },
            "listener": { "tcp": { "address": api, "cluster_address": cluster, "tls_disable": true } },
            "api_addr": format!("http://{api}"),
            "cluster_addr": format!("https://{cluster}"),
        });
        let config = dir.join("openbao.json");
        files::write_private(&config, settings.to_string())?;
        let launch = Launch {
            server: SERVER,
            program: tools.bao.clone(),
            args: vec!["server".into(), "-config".into(), config.into()],
            dir,
            log: layout.log(SERVER),
            user: None,
            death_signal: "KILL",
            setpriv: tools.setpriv.clone(),
        };
        Ok(Self {
            process: Process::new(launch, layout.pid_file(SERVER), "TERM"),
            port: ports.openbao,
            raft,
            keys_file: layout.secret("openbao.json"),
            keys: ArcSwap::default(),
        })
    }

    /// `http://127.0.0.1:port`, as in `VAULT_ADDR`.
    pub fn addr(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The token that may do everything.
    pub fn root_token(&self) -> String {
        self.keys.load().root_token.clone()
    }

    /// A renewable token that may do what the agent needs below `secret/ops/`, and nothing else.
    pub fn agent_token(&self) -> String {
        self.keys.load().agent_token.clone()
    }

    /// Starts the server unless it runs, on the same port and data, unseals it and waits until it is active.
    /// The first time it initialises the server, mounts KV v2 at `secret/` and makes the agent's token.
    pub async fn start(&self) -> Result<(), Error> {
        timed_start(SERVER, self.port, async {
            if self.pid().await.is_none() {
                self.load_keys()?;
            }
            self.process.start(|| self.health().map_ok(|_| ()).map_err(|error| error.to_string())).await?;
            self.ensure_initialised().await?;
            self.unseal().await?;
            self.ensure_agent_access().await
        })
        .await
    }

    /// Seals the running server: it answers 503 until it is unsealed.
    pub async fn seal(&self) -> Result<(), Error> {
        self.call(Method::PUT, "sys/seal", None).await.map(|_| ())
    }

    /// Unseals the server if it is sealed, and waits until it is active.
    pub async fn unseal(&self) -> Result<(), Error> {
        let keys = self.keys.load_full();
        let begun = Instant::now();
        loop {
            let status = self.health().await?;
            if status == StatusCode::OK {
                return Ok(());
            }
            if status == StatusCode::SERVICE_UNAVAILABLE {
                self.call(Method::PUT, "sys/unseal", Some(json!({ "key": keys.unseal_key }))).await?;
            }
            if begun.elapsed() > ACTIVE_TIMEOUT {
                return Err(Error::refused(SERVER, "become active", &format!("/v1/sys/health says {status}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Mounts a KV engine at `name/` if nothing is mounted there, and answers with a new renewable token that
    /// has the agent's rights in that mount only.
    pub async fn mount_kv(&self, name: &str, version: KvVersion) -> Result<String, Error> {
        check_name(name)?;
        self.ensure_mount(name, version).await?;
        self.make_token(name).await
    }

    /// The status of `/v1/sys/health`: 200 active, 429 standby, 501 not initialised, 503 sealed.
    async fn health(&self) -> Result<StatusCode, Error> {
        let url = format!("{}/v1/sys/health", self.addr());
        let answer = http_client(SERVER)?.get(url).send().await;
        answer.map(|answer| answer.status()).map_err(|error| Error::refused(SERVER, "answer", &error))
    }

    /// Reads the keys that open the data. Data without them can never be opened: a run ended between the
    /// initialisation and keeping its keys, and the server begins anew.
    fn load_keys(&self) -> Result<(), Error> {
        if let Some(text) = files::read_text(&self.keys_file)? {
            let keys = serde_json::from_str(&text)
                .map_err(|error| Error::file("understand", &self.keys_file)(error.into()))?;
            self.keys.store(Arc::new(keys));
        } else {
            files::remove(&self.raft)?;
        }
        files::make_dir(&self.raft, 0o700)
    }

    async fn ensure_initialised(&self) -> Result<(), Error> {
        if self.health().await? != StatusCode::NOT_IMPLEMENTED {
            return Ok(());
        }
        let answer =
            self.call(Method::PUT, "sys/init", Some(json!({ "secret_shares": 1, "secret_threshold": 1 }))).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.keep(Keys {
            unseal_key: text(&answer["keys_base64"][0]),
            root_token: text(&answer["root_token"]),
            agent_token: String::new(),
        })
    }

    async fn ensure_agent_access(&self) -> Result<(), Error> {
        self.ensure_mount(MOUNT, KvVersion::V2).await?;
        let keys = self.keys.load_full();
        let valid = !keys.agent_token.is_empty()
            && self.call_as(&keys.agent_token, Method::GET, "auth/token/lookup-self", None).await.is_ok();
        if valid {
            // The rights of an older build may have been others; the token follows its policy.
            return self.write_policy(MOUNT).await.map(|_| ());
        }
        let agent_token = self.make_token(MOUNT).await?;
        self.keep(Keys { agent_token, ..(*keys).clone() })
    }

    fn keep(&self, keys: Keys) -> Result<(), Error> {
        files::write_private(&self.keys_file, json!(keys).to_string())?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    async fn ensure_mount(&self, name: &str, version: KvVersion) -> Result<(), Error> {
        let mounts = self.call(Method::GET, "sys/mounts", None).await?;
        if mounts["data"].get(format!("{name}/")).is_some() {
            return Ok(());
        }
        let number = if version == KvVersion::V1 { "1" } else { "2" };
        let mount = json!({ "type": "kv", "options": { "version": number } });
        self.call(Method::POST, &format!("sys/mounts/{name}"), Some(mount)).await?;
        if version == KvVersion::V2 {
            // A new v2 mount sets itself up in the background and refuses requests until then.
            let begun = Instant::now();
            while let Err(error) = self.call(Method::GET, &format!("{name}/config"), None).await {
                if begun.elapsed() > ACTIVE_TIMEOUT {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    async fn write_policy(&self, mount: &str) -> Result<String, Error> {
        let name = format!("bindery-agent-{mount}");
        let body = json!({ "policy": agent_policy(mount) });
        self.call(Method::PUT, &format!("sys/policies/acl/{name}"), Some(body)).await?;
        Ok(name)
    }

    async fn make_token(&self, mount: &str) -> Result<String, Error> {
        let policy = self.write_policy(mount).await?;
        let request = json!({
            "policies": [policy], "renewable": true, "period": TOKEN_PERIOD, "no_parent": true,
            "display_name": "bindery-agent",
        });
        let answer = self.call(Method::POST, "auth/token/create", Some(request)).await?;
        Ok(answer["auth"]["client_token"].as_str().unwrap_or_default().to_owned())
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Error> {
        self.call_as(&self.root_token(), method, path, body).await
    }

    async fn call_as(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Result<Value, Error> {
        let action = format!("{method} /v1/{path}");
        let mut request = http_client(SERVER)?.request(method, format!("{}/v1/{path}", self.addr()));
        if !token.is_empty() {
            request = request.header("X-Vault-Token", token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| Error::refused(SERVER, &action, &error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| Error::refused(SERVER, &action, &error))?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        // Only the server's own list of errors is shown, never a body that might hold more.
        Err(Error::refused(SERVER, action, &format!("{status} {}", value["errors"])))
    }
}

super::process::lifecycle!(OpenBao);

/// What the agent may do: read and write secrets below `ops/` in either version of the engine, delete, undelete
/// and destroy them, and read what tells it the engine's version. The default policy lets a token look itself
/// up and renew itself.
fn agent_policy(mount: &str) -> String {
    format!(
        r#"
path "{mount}/data/ops/*"     {{ capabilities = ["create", "read", "update", "patch", "delete"] }}
path "{mount}/metadata/ops"   {{ capabilities = ["list"] }}
path "{mount}/metadata/ops/*" {{ capabilities = ["create", "read", "update", "patch", "delete", "list"] }}
path "{mount}/delete/ops/*"   {{ capabilities = ["update"] }}
path "{mount}/undelete/ops/*" {{ capabilities = ["update"] }}
path "{mount}/destroy/ops/*"  {{ capabilities = ["update"] }}
path "{mount}/ops"            {{ capabilities = ["list"] }}
path "{mount}/ops/*"          {{ capabilities = ["create", "read", "update", "delete", "list"] }}
path "sys/mounts/{mount}"      {{ capabilities = ["read"] }}
path "sys/mounts/{mount}/tune" {{ capabilities = ["read"] }}
path "sys/internal/ui/mounts/{mount}" {{ capabilities = ["read"] }}
"#
    )
}
