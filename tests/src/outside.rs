//! The four stores as somebody sees them who knows their addresses and no code of the agent.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::collections::BTreeMap;

use async_nats::ServerAddr;
use async_nats::jetstream;
use redis::aio::ConnectionManager;
use reqwest::Client;
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

/// Where the stores are, and what is bindery's in them.
#[derive(Clone)]
pub struct Addresses {
    /// `postgres://user:password@host:port/database`.
    pub database_url: String,
    /// `nats://user:password@host:port`.
    pub nats_url: String,
    /// `redis://:password@host:port/`.
    pub redis_url: String,
    /// Base URL of the Vault API.
    pub vault_addr: String,
    /// A token that may read passwords.
    pub vault_token: String,
    /// Mount of a key-value engine of version 2.
    pub vault_mount: String,
    /// Name of the stream.
    pub stream: String,
    /// Put before every subject.
    pub subject_prefix: String,
    /// Put before every key.
    pub key_prefix: String,
}

/// Connections to the four stores; they come back after an outage.
pub struct Outside {
    /// Postgres.
    pub postgres: PgPool,
    /// NATS.
    pub nats: async_nats::Client,
    redis: ConnectionManager,
    http: Client,
    at: Addresses,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside").field("stream", &self.at.stream).finish_non_exhaustive()
    }
}

impl Outside {
    /// Connects to all four.
    pub async fn connect(at: Addresses) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server: ServerAddr = at.nats_url.parse().unwrap();
        let (user, password) = (server.username().unwrap().to_owned(), server.password().unwrap().to_owned());
        let nats = async_nats::ConnectOptions::with_user_and_password(user, password).connect(server).await.unwrap();
        let redis = redis::Client::open(&*at.redis_url).unwrap().get_connection_manager().await.unwrap();
        let postgres = PgPoolOptions::new().max_connections(4).connect(&at.database_url).await.unwrap();
        Self { postgres, nats, redis, http: Client::builder().no_proxy().build().unwrap(), at }
    }

    /// A number asked of Postgres.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.postgres).await.unwrap()
    }

    /// A number asked of Postgres; `None` while it is away or has no such table yet.
    pub async fn count_if_there(&self, sql: &'static str) -> Option<i64> {
        sqlx::query_scalar(sql).fetch_one(&self.postgres).await.ok()
    }

    /// A column of text asked of Postgres.
    pub async fn column(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&self.postgres).await.unwrap()
    }

    /// Every row of every table of bindery's schemas as text, by table.
    pub async fn tables(&self) -> Vec<(String, String)> {
        let names = "select schemaname || '.' || tablename from pg_tables where schemaname in ('ops', 'routing')";
        let mut tables = Vec::new();
        for name in self.column(names).await {
            let sql = format!("select coalesce(string_agg(t::text, E'\\n'), '') from {name} t");
            let text = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.postgres).await.unwrap();
            tables.push((name, text));
        }
        tables
    }

    /// The JSON of a key; `None` where there is none, or while Redis is away.
    pub async fn cached(&self, key: &str) -> Option<Value> {
        let key = format!("{}{key}", self.at.key_prefix);
        let text: Option<String> = redis::cmd("GET").arg(key).query_async(&mut self.redis.clone()).await.ok()?;
        text.map(|text| serde_json::from_str(&text).unwrap())
    }

    /// Seconds a key has left; negative where it lasts or is not there.
    pub async fn time_to_live(&self, key: &str) -> i64 {
        let key = format!("{}{key}", self.at.key_prefix);
        redis::cmd("TTL").arg(key).query_async(&mut self.redis.clone()).await.unwrap()
    }

    /// Keys that begin so, without the installation's prefix, in order, with their values.
    pub async fn cache(&self, beginning: &str) -> Vec<(String, String)> {
        let mut redis = self.redis.clone();
        let pattern = format!("{}{beginning}*", self.at.key_prefix);
        let mut keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.unwrap();
        keys.sort();
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            let value: String = redis::cmd("GET").arg(&key).query_async(&mut redis).await.unwrap();
            entries.push((key.strip_prefix(&self.at.key_prefix).unwrap().to_owned(), value));
        }
        entries
    }

    /// Removes the keys that begin so.
    pub async fn forget(&self, beginning: &str) {
        let keys = self.cache(beginning).await.into_iter().map(|(key, _)| format!("{}{key}", self.at.key_prefix));
        let keys: Vec<String> = keys.collect();
        redis::cmd("DEL").arg(keys).query_async::<()>(&mut self.redis.clone()).await.unwrap();
    }

    /// All messages of the stream, oldest first.
    pub async fn events(&self) -> Vec<Value> {
        events(&self.nats, &self.at.stream).await
    }

    /// The events of one type.
    pub async fn events_of(&self, event_type: &str) -> Vec<Value> {
        self.events().await.into_iter().filter(|event| event["type"] == event_type).collect()
    }

    /// Sends a message of another service, such as a health signal.
    pub async fn publish(&self, subject: &str, payload: &Value) {
        let subject = format!("{}{subject}", self.at.subject_prefix);
        self.nats.publish(subject, payload.to_string().into()).await.unwrap();
        self.nats.flush().await.unwrap();
    }

    /// An operator's secret in Vault: `data` of the newest version and its number; `None` where there is none, or
    /// while Vault is away.
    pub async fn secret(&self, operator: &str) -> Option<(Value, u64)> {
        let path = format!("data/ops/operators/{operator}/credentials");
        let answer = self.vault("GET", &path).await?;
        Some((answer["data"]["data"].clone(), answer["data"]["metadata"]["version"].as_u64().unwrap()))
    }

    /// An operator's password in Vault.
    pub async fn password(&self, operator: &str) -> Option<String> {
        Some(self.secret(operator).await?.0["password"].as_str().unwrap().to_owned())
    }

    /// How many operators Vault holds a secret of.
    pub async fn secrets(&self) -> usize {
        self.secret_names().await.len()
    }

    /// Operators that Vault holds a secret of, or has held one.
    pub async fn secret_names(&self) -> Vec<String> {
        let answer = self.vault("LIST", "metadata/ops/operators").await.unwrap_or_default();
        let keys = answer["data"]["keys"].as_array().into_iter().flatten();
        keys.map(|key| key.as_str().unwrap().trim_end_matches('/').to_owned()).collect()
    }

    /// Deletes the newest version of an operator's secret; whether Vault did so.
    pub async fn delete_secret(&self, operator: &str) -> bool {
        self.call_vault("DELETE", &format!("data/ops/operators/{operator}/credentials")).await.is_some()
    }

    /// What Vault holds of each operator: `data` of every version that can be read, oldest first, each told once where it
    /// was written again, and whether the newest is among them.
    pub async fn secret_history(&self) -> BTreeMap<String, (Vec<Value>, bool)> {
        let answer = self.vault("LIST", "metadata/ops/operators").await.unwrap_or_default();
        let names = answer["data"]["keys"].as_array().cloned().unwrap_or_default();
        let mut histories = BTreeMap::new();
        for name in names.iter().filter_map(|name| name.as_str()?.strip_suffix('/')) {
            let metadata = self.vault("GET", &format!("metadata/ops/operators/{name}/credentials")).await.unwrap();
            let newest = metadata["data"]["current_version"].as_u64().unwrap();
            let (mut contents, mut is_live) = (Vec::new(), false);
            for version in 1..=newest {
                let path = format!("data/ops/operators/{name}/credentials?version={version}");
                let answer = self.vault("GET", &path).await;
                is_live = answer.is_some();
                contents.extend(answer.map(|mut answer| answer["data"]["data"].take()));
            }
            contents.dedup();
            histories.insert(name.to_owned(), (contents, is_live));
        }
        histories
    }

    async fn vault(&self, method: &str, path: &str) -> Option<Value> {
        Some(self.call_vault(method, path).await?.json().await.unwrap())
    }

    async fn call_vault(&self, method: &str, path: &str) -> Option<reqwest::Response> {
        let Addresses { vault_addr, vault_mount, vault_token, .. } = &self.at;
        let url = format!("{vault_addr}/v1/{vault_mount}/{path}");
        let request = self.http.request(method.parse().unwrap(), url).header("X-Vault-Token", vault_token);
        request.send().await.ok()?.error_for_status().ok()
    }
}

/// All messages of a stream, oldest first.
pub async fn events(nats: &async_nats::Client, stream: &str) -> Vec<Value> {
    // What is published to nobody's stream yet is no event yet.
    let Ok(stream) = jetstream::new(nats.clone()).get_stream(stream).await else { return Vec::new() };
    let mut events = Vec::new();
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        events.push(serde_json::from_slice(&message.payload).unwrap());
    }
    events
}
