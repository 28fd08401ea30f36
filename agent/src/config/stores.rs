//! The four stores: addresses, credentials, TLS and limits.

use std::path::PathBuf;
use std::time::Duration;

use bindery_schema::secret::Secret;
use serde::Deserialize;

use super::secret::{optional_text, text};
use super::{ReadError, SecretSource, seconds};

/// Files for TLS, PEM. Which connections use TLS is told by the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificates that sign the server's, instead of those of the system.
    pub ca: Option<PathBuf>,
    /// Certificate chain to show to the server.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// What those files hold.
#[derive(Debug)]
pub struct TlsFiles {
    /// Certificates that sign the server's.
    pub ca: Option<Vec<u8>>,
    /// Certificate chain and key to show to the server.
    pub identity: Option<(Vec<u8>, Secret)>,
}

impl Tls {
    /// Reads the files.
    pub fn read(&self) -> Result<TlsFiles, ReadError> {
        let file = |path: &PathBuf| {
            std::fs::read_to_string(path).map_err(|source| ReadError::File { path: path.clone(), source })
        };
        let ca = self.ca.as_ref().map(file).transpose()?.map(String::into_bytes);
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some((file(cert)?.into_bytes(), Secret::new(file(key)?))),
            _ => None,
        };
        Ok(TlsFiles { ca, identity })
    }
}

/// Postgres.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// `postgres://user:password@host:port/database?sslmode=verify-full`.
    #[serde(deserialize_with = "text")]
    pub url: Secret,
    /// Password, instead of one in the address.
    pub password: Option<SecretSource>,
    /// The same database for the role that owns the tables: migrations are run as that role, and the role of `url` gets
    /// the rights it needs and none to change the audit trail.
    #[serde(default, deserialize_with = "optional_text")]
    pub migrate_url: Option<Secret>,
    /// With `ca` the server has to prove its name unless `sslmode` in the address says otherwise.
    #[serde(default)]
    pub tls: Tls,
    /// Most connections at a time.
    #[serde(default = "defaults::max_connections")]
    pub max_connections: u32,
    /// Longest wait for a connection, a new one included, in seconds.
    #[serde(default = "defaults::acquire_seconds")]
    pub acquire_seconds: f64,
    /// Longest statement, in seconds.
    #[serde(default = "defaults::statement_seconds")]
    pub statement_seconds: f64,
}

impl Postgres {
    /// The server at an address, with everything else as it is unless configured.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: Secret::new(url),
            password: None,
            migrate_url: None,
            tls: Tls::default(),
            max_connections: defaults::max_connections(),
            acquire_seconds: defaults::acquire_seconds(),
            statement_seconds: defaults::statement_seconds(),
        }
    }

    /// Longest wait for a connection.
    pub fn acquire(&self) -> Duration {
        seconds(self.acquire_seconds).max(Duration::from_millis(100))
    }

    /// Longest statement.
    pub fn statement(&self) -> Duration {
        seconds(self.statement_seconds).max(Duration::from_secs(1))
    }
}

/// The Vault API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// Base URL, such as `https://vault.example:8200`.
    pub addr: String,
    /// A token that may write below the mount's `ops/`. Either this or `approle`.
    pub token: Option<SecretSource>,
    /// A role to log in with.
    pub approle: Option<AppRole>,
    /// TLS of an `https://` address.
    #[serde(default)]
    pub tls: Tls,
    /// Mount of the key-value engine; version 1 and 2 are told apart by asking.
    #[serde(default = "defaults::mount")]
    pub mount: String,
}

/// A role of Vault's auth method `approle`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppRole {
    /// Where the method is mounted, below `auth/`.
    #[serde(default = "defaults::approle")]
    pub mount: String,
    /// The role's id.
    pub role_id: String,
    /// The secret that goes with it; a role may be bound by network instead.
    pub secret_id: Option<SecretSource>,
}

/// NATS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// `nats://user:password@host:port`, or `tls://…`; several are separated by commas.
    #[serde(deserialize_with = "text")]
    pub url: Secret,
    /// User, instead of one in the address.
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<SecretSource>,
    /// Seed of an nkey, `SU…`, instead of a user.
    pub nkey: Option<SecretSource>,
    /// File with the JWT and the seed of a user, as `nsc` writes it, instead of a user.
    pub creds: Option<PathBuf>,
    /// TLS, which is demanded where `ca` is set or an address begins with `tls://`.
    #[serde(default)]
    pub tls: Tls,
    /// Name of the JetStream stream; created when missing.
    #[serde(default = "defaults::stream")]
    pub stream: String,
    /// Put before every subject, with its trailing dot: for several installations on one account.
    #[serde(default)]
    pub subject_prefix: String,
}

impl Nats {
    /// The servers at addresses, with everything else as it is unless configured.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: Secret::new(url),
            user: None,
            password: None,
            nkey: None,
            creds: None,
            tls: Tls::default(),
            stream: defaults::stream(),
            subject_prefix: String::new(),
        }
    }
}

/// How Redis is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedisMode {
    /// One server.
    #[default]
    Single,
    /// Redis Cluster; the address names some of its nodes.
    Cluster,
    /// Servers watched by Sentinels; the address names those.
    Sentinel,
}

/// Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// `redis://user:password@host:port/database`, or `rediss://…`; several nodes or Sentinels are separated by commas.
    #[serde(deserialize_with = "text")]
    pub url: Secret,
    /// How Redis is run.
    #[serde(default)]
    pub mode: RedisMode,
    /// The name Sentinels know the servers by.
    pub service: Option<String>,
    /// User of the access control list, instead of one in the address.
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<SecretSource>,
    /// Password of the Sentinels themselves.
    pub sentinel_password: Option<SecretSource>,
    /// TLS of `rediss://` addresses.
    #[serde(default)]
    pub tls: Tls,
    /// Put before every key. With Redis Cluster it has to contain a hash tag, such as `{bindery}:`.
    #[serde(default)]
    pub key_prefix: String,
}

impl Redis {
    /// The server at an address, with everything else as it is unless configured.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: Secret::new(url),
            mode: RedisMode::Single,
            service: None,
            user: None,
            password: None,
            sentinel_password: None,
            tls: Tls::default(),
            key_prefix: String::new(),
        }
    }
}

mod defaults {
    pub(super) fn max_connections() -> u32 {
        10
    }

    pub(super) fn acquire_seconds() -> f64 {
        5.0
    }

    /// A statement that takes longer hangs on a lock or a lost server; the largest merge stays far below.
    pub(super) fn statement_seconds() -> f64 {
        120.0
    }

    pub(super) fn mount() -> String {
        "secret".to_owned()
    }

    pub(super) fn approle() -> String {
        "approle".to_owned()
    }

    pub(super) fn stream() -> String {
        "OPS".to_owned()
    }
}
