//! What an agent is told: a TOML file, each key also an environment variable.
//!
//! `postgres.url` in the file is `BINDERY_AGENT_POSTGRES__URL` in the environment, which wins. A variable is text and
//! stays text where a key wants one: a password of digits keeps its leading zeros. Secrets are a type that is not
//! printed, and most may come from a file or another variable instead ([`SecretSource`]).

mod documents;
mod drift;
mod limits;
mod listeners;
mod repository;
mod retention;
mod secret;
mod stores;
mod telemetry;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Deserialize;

pub use documents::Documents;
pub use drift::Drift;
pub use limits::Limits;
pub(crate) use listeners::clock_skew;
pub use listeners::{Admin, Internal, Ops};
pub use repository::{Repository, Triggers};
pub use retention::Retention;
pub use secret::{ReadError, SecretSource};
pub use stores::{AppRole, Nats, Postgres, Redis, RedisMode, Tls, TlsFiles, Vault};
pub use telemetry::Telemetry;

/// What the names of all variables begin with.
const VARIABLES: &str = "BINDERY_AGENT_";

/// Everything an agent needs to know before it starts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the environment: selects overlays of that name and stands in the source of every event.
    #[serde(default = "production")]
    pub environment: String,
    /// Where the agent keeps its bare clone.
    pub data_dir: PathBuf,
    /// The configuration repository.
    pub repository: Repository,
    /// What may hurry a fetch.
    #[serde(default)]
    pub triggers: Triggers,
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
    /// How long history is kept.
    #[serde(default)]
    pub retention: Retention,
    /// Where signed contracts lie, to see whether one is there.
    pub documents: Option<Documents>,
    /// Full looks at the stores.
    #[serde(default)]
    pub drift: Drift,
    /// What the listeners take at most.
    #[serde(default)]
    pub limits: Limits,
    /// Where spans go.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// Admin listener: bearer tokens.
    pub admin: Admin,
    /// Internal listener: mutual TLS.
    pub internal: Internal,
    /// Ops listener: health and metrics.
    pub ops: Ops,
}

/// How sealed passwords are opened.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// File with age identities. Without one, a commit with sealed passwords cannot be applied.
    pub identity_file: Option<PathBuf>,
}

impl Config {
    /// Reads a file, where one is named, and the environment over it.
    pub fn load(file: Option<&Path>) -> Result<Self, Box<figment::Error>> {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::read(file, std::env::vars_os().filter_map(text))
    }

    fn read(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Box<figment::Error>> {
        let base = file.map_or_else(Figment::new, |file| Figment::from(Toml::file_exact(file)));
        let variables = environment.filter_map(|(name, value)| {
            let key = name.strip_prefix(VARIABLES)?.to_ascii_lowercase().replace("__", ".");
            (!key.split('.').any(str::is_empty)).then_some(Variable { name, key, value })
        });
        // Lossy: a number or a truth value in a variable is text first.
        let config: Self = variables.fold(base, Figment::merge).extract_lossy().map_err(Box::new)?;
        config.check().map_err(|message| Box::new(figment::Error::from(message.to_owned())))?;
        Ok(config)
    }

    /// What no single key can be wrong about.
    fn check(&self) -> Result<(), &'static str> {
        let Self { repository, postgres, vault, nats, redis, telemetry, .. } = self;
        if repository.url.split_once("://").is_some_and(|(_, rest)| {
            rest.split('/').next().and_then(|host| host.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':'))
        }) {
            return Err("repository.url is shown in logs: put its password into repository.password");
        }
        if !self.admin.origins_are_origins() {
            return Err("admin.cors_origins lists origins, such as https://console.example, without a path");
        }
        self.limits.check()?;
        telemetry.check()?;
        if vault.token.is_some() == vault.approle.is_some() {
            return Err("vault needs either a `token` or a section [vault.approle]");
        }
        let pairs = [&postgres.tls, &vault.tls, &nats.tls, &redis.tls, &telemetry.tls];
        if pairs.iter().any(|tls| tls.cert.is_some() != tls.key.is_some()) {
            return Err("in a section tls, `cert` and `key` go together");
        }
        if [nats.password.is_some(), nats.nkey.is_some(), nats.creds.is_some()].iter().filter(|is| **is).count() > 1 {
            return Err("nats takes one of `password`, `nkey` and `creds`");
        }
        if nats.user.is_some() != nats.password.is_some() {
            return Err("nats.user and nats.password go together");
        }
        if redis.mode == RedisMode::Sentinel && redis.service.is_none() {
            return Err("redis.service has to name the servers that the Sentinels watch");
        }
        if redis.mode == RedisMode::Cluster && !has_hash_tag(&redis.key_prefix) {
            return Err("a step is shown by one script, whose keys have to lie on one node of a Redis Cluster: give \
                        redis.key_prefix a hash tag, such as `{bindery}:`");
        }
        Ok(())
    }
}

/// Whether Redis Cluster places all keys with this prefix together: a part in braces that is not empty.
fn has_hash_tag(prefix: &str) -> bool {
    prefix.split_once('{').and_then(|(_, rest)| rest.split_once('}')).is_some_and(|(tag, _)| !tag.is_empty())
}

/// One environment variable, as the text it is.
struct Variable {
    name: String,
    key: String,
    value: String,
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("environment variable {}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(&self.key, Value::from(self.value.clone()));
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}

fn production() -> String {
    "production".to_owned()
}

/// A number of seconds; what is none, or negative, counts as none.
fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or_default()
}
