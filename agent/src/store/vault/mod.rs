//! The Vault API: where passwords lie, and the only place they are read from.
//!
//! A small client of its own over HTTP: seven requests are needed, each answer's status decides what it means, and no
//! type that could print a password stands between. Key-value engines of version 1 and 2 are told apart by asking the
//! mount. Version 2 writes with check-and-set and deletes softly; version 1 has neither, so a deletion there moves the
//! secret to `ops/deleted/{id}/credentials`, and two writers at once are not told apart.
//!
//! An outage is an error, never an absent secret.

mod session;

use std::sync::Arc;
use std::time::Duration;

use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::config;
use crate::failpoint::{self, Point};
use crate::metrics::Metrics;
use session::Session;

/// How often a version is brought back that cannot be read then: a former leader's deletion of it may have come in between.
const UNDELETIONS: u32 = 2;

/// Why Vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Address, token or certificates of the configuration cannot be used.
    #[error("the configured address, token or certificates of Vault cannot be used")]
    Configuration,
    /// A file of the configuration cannot be used.
    #[error(transparent)]
    File(#[from] config::ReadError),
    /// It did not answer lately.
    #[error("Vault did not answer lately and is asked again shortly")]
    Resting,
    /// No answer.
    #[error("Vault does not answer")]
    Unreachable(#[source] reqwest::Error),
    /// An answer that is no success; 503 while sealed, 403 without permission.
    #[error("Vault answered {status} to {operation}")]
    Refused {
        /// What was asked for.
        operation: &'static str,
        /// The status code.
        status: u16,
    },
    /// Someone else wrote the secret in between.
    #[error("the secret was written by someone else at the same time")]
    Conflict,
    /// An answer that is not what the API promises. The content is left out: it may be a secret.
    #[error("Vault's answer to {0} cannot be read")]
    Malformed(&'static str),
}

/// Which key-value engine a mount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Without versions.
    V1,
    /// With versions, check-and-set and soft deletion.
    V2,
}

/// Whether Vault can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It serves.
    Ready,
    /// It answers and passes requests on to the active server.
    Standby,
    /// It answers and cannot serve until someone unseals it.
    Sealed,
    /// It was never initialised.
    Uninitialized,
}

/// What is stored for an operator.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The SMPP `system_id` the password belongs to.
    pub system_id: String,
    /// The password.
    pub password: Secret,
    /// Version of the secret; absent with a version 1 engine.
    pub version: Option<u64>,
}

impl Stored {
    /// Whether these are the credentials that are stored.
    pub fn is(&self, system_id: &str, password: &Secret) -> bool {
        self.system_id == system_id && self.password.expose() == password.expose()
    }
}

/// A client of one mount. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vault(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    session: Session,
    mount: String,
    engine: OnceCell<Engine>,
}

/// The secret as it lies in Vault.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    system_id: std::borrow::Cow<'a, str>,
    password: std::borrow::Cow<'a, str>,
}

impl Vault {
    /// A client for the configured server; nothing is asked yet.
    pub fn new(config: &config::Vault, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let session = Session::new(config, metrics)?;
        let mount = config.mount.trim_matches('/').to_owned();
        Ok(Self(Arc::new(Inner { session, mount, engine: OnceCell::new() })))
    }

    /// Which engine the mount is; asked once.
    pub async fn engine(&self) -> Result<Engine, Error> {
        self.0.engine.get_or_try_init(|| self.mounted()).await.copied()
    }

    async fn mounted(&self) -> Result<Engine, Error> {
        let path = format!("sys/internal/ui/mounts/{}", self.0.mount);
        let answer = self.0.session.call("mount", Method::GET, &path, None).await?;
        let answer = answer.ok_or(Error::Refused { operation: "mount", status: 404 })?;
        let version = answer.pointer("/data/options/version").and_then(Value::as_str);
        Ok(if version == Some("2") { Engine::V2 } else { Engine::V1 })
    }

    /// Names of the operators that have a secret, deleted ones too where the engine keeps versions.
    pub async fn operators(&self) -> Result<Vec<String>, Error> {
        // A mount that is gone has no keys either, and that is not to be taken for an empty one.
        let path = match self.mounted().await? {
            Engine::V1 => format!("{}/ops/operators?list=true", self.0.mount),
            Engine::V2 => format!("{}/metadata/ops/operators?list=true", self.0.mount),
        };
        let Some(answer) = self.0.session.call("list", Method::GET, &path, None).await? else { return Ok(Vec::new()) };
        let keys = answer.pointer("/data/keys").and_then(Value::as_array).ok_or(Error::Malformed("list"))?;
        Ok(keys.iter().filter_map(|key| key.as_str()?.strip_suffix('/')).map(str::to_owned).collect())
    }

    /// Whether the server can serve.
    pub async fn ping(&self) -> Result<Health, Error> {
        self.0.session.ping().await
    }

    /// The operator's credentials; `None` where there are none or they were deleted.
    pub async fn read_credentials(&self, operator: &OperatorId) -> Result<Option<Stored>, Error> {
        self.read_at(&live(operator), None).await
    }

    /// An older version of the operator's credentials; `None` where there is none or it was deleted. Version 2 only.
    pub async fn read_version(&self, operator: &OperatorId, version: u64) -> Result<Option<Stored>, Error> {
        if version == 0 { Ok(None) } else { self.read_at(&live(operator), Some(version)).await }
    }

    /// The number a check-and-set write has to name: that of the newest version, deleted or not; 0 where there is
    /// none. `None` with a version 1 engine.
    pub async fn version(&self, operator: &OperatorId) -> Result<Option<u64>, Error> {
        if self.engine().await? == Engine::V1 {
            return Ok(None);
        }
        let path = format!("{}/metadata/{}", self.0.mount, live(operator));
        let answer = self.0.session.call("metadata", Method::GET, &path, None).await?;
        let version = |answer: Value| answer.pointer("/data/current_version").and_then(Value::as_u64);
        answer.map_or(Ok(Some(0)), |answer| version(answer).map(Some).ok_or(Error::Malformed("metadata")))
    }

    /// Writes credentials over version `expected` and returns the new version.
    pub async fn write_credentials(
        &self,
        operator: &OperatorId,
        system_id: &str,
        password: &Secret,
        expected: Option<u64>,
    ) -> Result<Option<u64>, Error> {
        self.write_at(&live(operator), system_id, password, expected).await
    }

    /// Deletes a version of the credentials, as [`Vault::version`] told it, so that it can still be brought back. Absent
    /// ones are no error. One that was written since stays: whoever asks late deletes nothing newer than it knew of.
    pub async fn delete_version(&self, operator: &OperatorId, version: Option<u64>) -> Result<(), Error> {
        match version {
            None => self.relocate(&live(operator), &deleted(operator)).await.map(drop),
            Some(0) => Ok(()),
            Some(version) => self.on_version("delete", operator, version).await,
        }
    }

    /// Brings deleted credentials back as a new version; `false` where there are none to bring back. `version` is the
    /// newest one as [`Vault::version`] told it: like a write, this is refused where that is no longer so.
    pub async fn undelete(&self, operator: &OperatorId, version: Option<u64>) -> Result<bool, Error> {
        match version {
            None => self.relocate(&deleted(operator), &live(operator)).await,
            Some(0) => Ok(false),
            Some(version) => {
                for _ in 0..UNDELETIONS {
                    self.on_version("undelete", operator, version).await?;
                    failpoint::reach(Point::Undeleted).await;
                    let Some(kept) = self.read_version(operator, version).await? else { continue };
                    // Under a number of its own, a deletion of the old one that comes late does not reach it.
                    self.write_credentials(operator, &kept.system_id, &kept.password, Some(version)).await?;
                    return Ok(true);
                }
                Ok(false)
            }
        }
    }

    /// Deletes or undeletes one version. Version 2 only.
    async fn on_version(&self, operation: &'static str, operator: &OperatorId, version: u64) -> Result<(), Error> {
        let path = format!("{}/{operation}/{}", self.0.mount, live(operator));
        self.0.session.call(operation, Method::POST, &path, Some(json!({ "versions": [version] }))).await.map(drop)
    }

    /// Destroys deleted credentials for good, with every version before. Absent ones are no error.
    pub async fn destroy(&self, operator: &OperatorId) -> Result<(), Error> {
        let path = match self.engine().await? {
            Engine::V1 => format!("{}/{}", self.0.mount, deleted(operator)),
            Engine::V2 => format!("{}/metadata/{}", self.0.mount, live(operator)),
        };
        self.0.session.call("destroy", Method::DELETE, &path, None).await.map(drop)
    }

    /// Keeps the token alive, and says how long it lasts; `None` for one that does not expire.
    #[tracing::instrument(name = "vault.renew", skip_all, err(level = "debug"))]
    pub async fn renew_token(&self) -> Result<Option<Duration>, Error> {
        self.0.session.renew().await
    }

    async fn read_at(&self, path: &str, version: Option<u64>) -> Result<Option<Stored>, Error> {
        let engine = self.engine().await?;
        let path = self.data(path).await?;
        let path = version.map_or_else(|| path.clone(), |version| format!("{path}?version={version}"));
        let Some(mut answer) = self.0.session.call("read", Method::GET, &path, None).await? else {
            return Ok(None);
        };
        let (pointer, version) = match engine {
            Engine::V1 => ("/data", None),
            Engine::V2 => ("/data/data", answer.pointer("/data/metadata/version").and_then(Value::as_u64)),
        };
        let content = answer.pointer_mut(pointer).map(Value::take).ok_or(Error::Malformed("read"))?;
        let content: Content<'_> = serde_json::from_value(content).map_err(|_| Error::Malformed("read"))?;
        let password = Secret::new(content.password.into_owned());
        Ok(Some(Stored { system_id: content.system_id.into_owned(), password, version }))
    }

    async fn write_at(
        &self,
        path: &str,
        system_id: &str,
        password: &Secret,
        expected: Option<u64>,
    ) -> Result<Option<u64>, Error> {
        let content = Content { system_id: system_id.into(), password: password.expose().into() };
        let body = match (self.engine().await?, expected) {
            (Engine::V1, _) => json!(content),
            (Engine::V2, None) => json!({ "data": content }),
            (Engine::V2, Some(version)) => json!({ "data": content, "options": { "cas": version } }),
        };
        let answer = self.0.session.call("write", Method::POST, &self.data(path).await?, Some(body)).await;
        match answer {
            // The only bad request a well-formed write can be.
            Err(Error::Refused { status: 400, .. }) if expected.is_some() => Err(Error::Conflict),
            answer => Ok(answer?.and_then(|answer| answer.pointer("/data/version").and_then(Value::as_u64))),
        }
    }

    /// Moves a secret of a version 1 engine; `false` where there is none.
    async fn relocate(&self, from: &str, to: &str) -> Result<bool, Error> {
        let Some(stored) = self.read_at(from, None).await? else { return Ok(false) };
        self.write_at(to, &stored.system_id, &stored.password, None).await?;
        self.0.session.call("delete", Method::DELETE, &self.data(from).await?, None).await?;
        Ok(true)
    }

    async fn data(&self, path: &str) -> Result<String, Error> {
        Ok(match self.engine().await? {
            Engine::V1 => format!("{}/{path}", self.0.mount),
            Engine::V2 => format!("{}/data/{path}", self.0.mount),
        })
    }
}

fn live(operator: &OperatorId) -> String {
    format!("ops/operators/{operator}/credentials")
}

fn deleted(operator: &OperatorId) -> String {
    format!("ops/deleted/{operator}/credentials")
}
