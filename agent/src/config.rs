//! What an agent is told: a TOML file, each key also an environment variable.
//!
//! `postgres.url` in the file is `BINDERY_AGENT_POSTGRES__URL` in the environment, which wins.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bindery_schema::secret::Secret;
use bindery_schema::wire::drift::{DriftPolicy, Store};
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::{Deserialize, Deserializer};

/// Everything an agent needs to know before it starts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the environment: selects overlays of that name and stands in the source of every event.
    #[serde(default = "defaults::environment")]
    pub environment: String,
    /// Where the agent keeps its bare clone.
    pub data_dir: PathBuf,
    /// The configuration repository.
    pub repository: Repository,
    /// Postgres.
    pub postgres: Postgres,
    /// The Vault API.
    pub vault: Vault,
    /// NATS.
    pub nats: Nats,
    /// Redis.
    pub redis: Redis,
    /// How sealed passwords are opened.
    #[serde(default)]
    pub secrets: Secrets,
    /// Full looks at the stores.
    #[serde(default)]
    pub drift: Drift,
    /// Admin listener: bearer tokens.
    pub admin: Admin,
    /// Internal listener: mutual TLS.
    pub internal: Internal,
    /// Ops listener: health and metrics.
    pub ops: Ops,
}

/// The configuration repository.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// A path or a URL git can fetch from.
    pub url: String,
    /// The branch to follow.
    #[serde(default = "defaults::branch")]
    pub branch: String,
    /// Seconds between two fetches when nothing else triggers one.
    #[serde(default = "defaults::poll_seconds")]
    pub poll_seconds: f64,
}

impl Repository {
    /// Time between two fetches, at least 50 ms.
    pub fn poll(&self) -> Duration {
        Duration::try_from_secs_f64(self.poll_seconds).unwrap_or_default().max(Duration::from_millis(50))
    }
}

/// Postgres.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// `postgres://user:password@host:port/database`.
    #[serde(deserialize_with = "secret")]
    pub url: Secret,
    /// Most connections at a time.
    #[serde(default = "defaults::max_connections")]
    pub max_connections: u32,
}

/// The Vault API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// Base URL, such as `https://vault.example:8200`.
    pub addr: String,
    /// A token that may write below the mount's `ops/`.
    #[serde(deserialize_with = "secret")]
    pub token: Secret,
    /// Mount of the key-value engine; version 1 and 2 are told apart by asking.
    #[serde(default = "defaults::mount")]
    pub mount: String,
}

/// NATS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// `nats://user:password@host:port`.
    #[serde(deserialize_with = "secret")]
    pub url: Secret,
    /// Name of the JetStream stream; created when missing.
    #[serde(default = "defaults::stream")]
    pub stream: String,
    /// Put before every subject, with its trailing dot: for several installations on one account.
    #[serde(default)]
    pub subject_prefix: String,
}

/// Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// `redis://:password@host:port/database`.
    #[serde(deserialize_with = "secret")]
    pub url: Secret,
    /// Put before every key.
    #[serde(default)]
    pub key_prefix: String,
}

/// How sealed passwords are opened.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// File with age identities. Without one, a commit with sealed passwords cannot be applied.
    pub identity_file: Option<PathBuf>,
}

/// Full looks at the stores, and what becomes of what they find.
///
/// Postgres is healed by default: what is not healed there is undone without a word by the next commit that touches the
/// row, so the choice is only when, and healing leaves the old value in the audit trail. Vault is told by default: a
/// password set by hand may be the one the carrier accepts now, and putting git's in its place would break the bind.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// Seconds between two looks, give or take a tenth; 0 looks only when asked.
    pub every_seconds: f64,
    /// Configuration tables.
    pub postgres: DriftPolicy,
    /// Passwords that git holds sealed.
    pub vault: DriftPolicy,
    /// Projections. An empty cache is filled whatever this says.
    pub redis: DriftPolicy,
    /// Subjects and duplicate window of the stream.
    pub nats: DriftPolicy,
}

impl Default for Drift {
    fn default() -> Self {
        use DriftPolicy::{Heal, Report};
        Self { every_seconds: 900.0, postgres: Heal, vault: Report, redis: Heal, nats: Heal }
    }
}

impl Drift {
    /// Time between two looks; none where only people ask.
    pub fn every(&self) -> Option<Duration> {
        let every = Duration::try_from_secs_f64(self.every_seconds).unwrap_or_default();
        (!every.is_zero()).then_some(every)
    }

    /// What becomes of drift in a store.
    pub fn policy(&self, store: Store) -> DriftPolicy {
        match store {
            Store::Postgres => self.postgres,
            Store::Vault => self.vault,
            Store::Redis => self.redis,
            Store::Nats => self.nats,
        }
    }
}

/// Admin listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// File or URL of the JSON Web Key Set that signs tokens.
    pub jwks: String,
    /// The `iss` a token must have.
    pub issuer: String,
    /// The `aud` a token must have.
    pub audience: String,
    /// Claim that lists the caller's roles.
    #[serde(default = "defaults::roles_claim")]
    pub roles_claim: String,
}

/// Internal listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Internal {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Server certificate chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Certificates that sign client certificates, PEM.
    pub client_ca: PathBuf,
    /// Revocation lists, PEM.
    #[serde(default)]
    pub client_crl: Option<PathBuf>,
    /// DNS or URI names (SAN) of clients that may read credentials.
    pub allow_credentials: Vec<String>,
    /// Names of further clients that may read everything but credentials.
    #[serde(default)]
    pub allow_read: Vec<String>,
}

/// Ops listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ops {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
}

impl Config {
    /// Reads a file, where one is named, and the environment over it.
    pub fn load(file: Option<&Path>) -> Result<Self, Box<figment::Error>> {
        let base = file.map_or_else(Figment::new, |file| Figment::from(Toml::file_exact(file)));
        base.merge(Env::prefixed("BINDERY_AGENT_").split("__")).extract().map_err(Box::new)
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

mod defaults {
    //! Values most installations keep.

    pub(super) fn environment() -> String {
        "production".to_owned()
    }

    pub(super) fn branch() -> String {
        "main".to_owned()
    }

    /// Short, since a fetch of an unchanged branch is one small round trip and a lost webhook must not matter.
    pub(super) fn poll_seconds() -> f64 {
        5.0
    }

    pub(super) fn max_connections() -> u32 {
        10
    }

    pub(super) fn mount() -> String {
        "secret".to_owned()
    }

    pub(super) fn stream() -> String {
        "OPS".to_owned()
    }

    pub(super) fn roles_claim() -> String {
        "roles".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_every_key() {
        let text = include_str!("../agent.example.toml");
        let config = Config::load(Some(Path::new("agent.example.toml"))).unwrap();
        assert_eq!(config.environment, defaults::environment());
        assert_eq!(config.repository.branch, defaults::branch());
        // Keys with a default could be left out unseen; those without one are what `load` insists on.
        for key in [
            "environment",
            "branch",
            "poll_seconds",
            "max_connections",
            "mount",
            "stream",
            "subject_prefix",
            "key_prefix",
            "identity_file",
            "every_seconds",
            "roles_claim",
            "client_crl",
            "allow_read",
        ] {
            assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
        }
        let sections = text.split("\n\n");
        for section in sections.filter(|section| section.contains(" = ")) {
            let comments = section.lines().filter(|line| line.starts_with('#')).count();
            let keys = section.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count();
            assert!(comments >= keys, "a key without a comment: {section}");
        }
    }
}
