//! The configuration repository, and what may hurry a fetch.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{SecretSource, seconds};

/// The configuration repository.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// A path or a URL git can fetch from: `https://…`, `ssh://…` or `user@host:path`.
    pub url: String,
    /// The branch to follow.
    #[serde(default = "defaults::branch")]
    pub branch: String,
    /// Seconds between two fetches when nothing else triggers one.
    #[serde(default = "defaults::poll_seconds")]
    pub poll_seconds: f64,
    /// Seconds of silence after which a server that was asked counts as gone.
    #[serde(default = "defaults::timeout_seconds")]
    pub timeout_seconds: f64,
    /// User for HTTPS, and for SSH where the URL names none.
    #[serde(default = "defaults::user")]
    pub user: String,
    /// Password or access token for HTTPS.
    pub password: Option<SecretSource>,
    /// File with the certificates that sign an HTTPS server's, PEM, besides those of the system.
    pub ca: Option<PathBuf>,
    /// Private key for SSH; without one an SSH agent is asked.
    pub ssh_key: Option<PathBuf>,
    /// Passphrase of that key.
    pub ssh_passphrase: Option<SecretSource>,
    /// Host keys of SSH servers, as `ssh-keyscan` prints them; without one `~/.ssh/known_hosts` counts.
    pub known_hosts: Option<PathBuf>,
}

impl Repository {
    /// A repository that needs no credentials, with everything else as it is unless configured.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            branch: defaults::branch(),
            poll_seconds: defaults::poll_seconds(),
            timeout_seconds: defaults::timeout_seconds(),
            user: defaults::user(),
            password: None,
            ca: None,
            ssh_key: None,
            ssh_passphrase: None,
            known_hosts: None,
        }
    }

    /// Time between two fetches, at least 50 ms.
    pub fn poll(&self) -> Duration {
        seconds(self.poll_seconds).max(Duration::from_millis(50))
    }

    /// Longest silence of a server, at least a tenth of a second.
    pub fn timeout(&self) -> Duration {
        seconds(self.timeout_seconds).max(Duration::from_millis(100))
    }
}

/// What may hurry a fetch, besides the poll that always runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triggers {
    /// The secret the forge signs its webhooks with. Without one `/v1/hooks/git` is not there.
    pub webhook_secret: Option<SecretSource>,
    /// Subject on NATS, below the prefix, on which any message has the branch fetched. Without one nothing is listened to.
    pub nats_subject: Option<String>,
}

mod defaults {
    pub(super) fn branch() -> String {
        "main".to_owned()
    }

    /// Short, since a fetch of an unchanged branch is one small round trip and a lost webhook must not matter.
    pub(super) fn poll_seconds() -> f64 {
        5.0
    }

    /// Longer than a forge needs to count the objects of a large first clone.
    pub(super) fn timeout_seconds() -> f64 {
        60.0
    }

    /// What every large forge takes: with a token the name does not matter, with SSH it is this one.
    pub(super) fn user() -> String {
        "git".to_owned()
    }
}
