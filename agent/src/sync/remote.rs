//! The repository's server: who we say we are, and whether it is who it says.
//!
//! Credentials are read for each connection, so that a token that is replaced in its file is used at once. A server is
//! never trusted blindly: HTTPS by its certificate, SSH by a key in a file of known hosts.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use git2::cert::Cert;
use git2::{CertificateCheckStatus, Cred, CredentialType, RemoteCallbacks};

use super::{known_hosts, libgit2};
use crate::config::{Repository, SecretSource};

/// Why the configured way to the repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates cannot be read.
    #[error("the certificates for the configuration repository cannot be used")]
    Certificates(#[source] git2::Error),
    /// A file does not exist or may not be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Settles what holds for every connection, and looks for the files that are needed later.
pub fn prepare(config: &Repository) -> Result<(), Error> {
    for path in [&config.ssh_key, &config.known_hosts, &config.ca].into_iter().flatten() {
        std::fs::File::open(path).map_err(|source| Error::File { path: path.clone(), source })?;
    }
    libgit2::settle(config.timeout(), config.ca.as_deref()).map_err(Error::Certificates)
}

/// Why a server was refused. libgit2 puts words of its own in place of those.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal(Arc<Mutex<Option<String>>>);

impl Refusal {
    fn because(&self, reason: String) -> git2::Error {
        let error = git2::Error::from_str(&reason);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        error
    }

    /// The reason, where there is one, else the error as it is.
    pub(super) fn explain(&self, error: git2::Error) -> git2::Error {
        let reason = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What the SSH library says of a wrong passphrase.
        let reason = reason.or_else(|| {
            let doubtful = error.class() == git2::ErrorClass::Ssh && error.message().contains("private key");
            doubtful.then(|| format!("{}; or the passphrase is wrong", error.message()))
        });
        reason.map_or(error, |reason| git2::Error::from_str(&reason))
    }
}

/// What libgit2 asks while it connects.
pub(super) fn callbacks(config: &Repository, refusal: &Refusal) -> RemoteCallbacks<'static> {
    let mut callbacks = RemoteCallbacks::new();
    let (mut config, mut attempts) = (config.clone(), 0);
    if let Some(hosts) = config.known_hosts.take() {
        let port = port(&config.url);
        let refusal = refusal.clone();
        callbacks.certificate_check(move |certificate, host| {
            check(&hosts, certificate, host, port).map_err(|reason| refusal.because(reason))
        });
    }
    callbacks.credentials(move |url, user, allowed| {
        if allowed.contains(CredentialType::USERNAME) && !allowed.contains(CredentialType::SSH_KEY) {
            return Cred::username(&config.user);
        }
        attempts += 1;
        // libgit2 asks again after every refusal; an SSH agent may have several keys.
        let configured = config.password.is_some() || config.ssh_key.is_some();
        if attempts > if configured { 1 } else { 3 } {
            return Err(git2::Error::from_str("the server refuses the credentials there are"));
        }
        credentials(&config, url, user, allowed)
    });
    callbacks
}

fn credentials(
    config: &Repository,
    url: &str,
    user: Option<&str>,
    allowed: CredentialType,
) -> Result<Cred, git2::Error> {
    let read = |source: &SecretSource| source.read().map_err(|error| git2::Error::from_str(&error.to_string()));
    let name = user.unwrap_or(&config.user);
    if allowed.contains(CredentialType::SSH_KEY) {
        return match &config.ssh_key {
            Some(key) => {
                let passphrase = config.ssh_passphrase.as_ref().map(read).transpose()?;
                Cred::ssh_key(name, None, key, passphrase.as_ref().map(bindery_schema::secret::Secret::expose))
            }
            None => Cred::ssh_key_from_agent(name),
        };
    }
    if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) {
        return match &config.password {
            Some(password) => Cred::userpass_plaintext(name, read(password)?.expose()),
            // As git itself would find them.
            None => Cred::credential_helper(&git2::Config::open_default()?, url, user),
        };
    }
    Cred::default()
}

/// Whether the server's key is in the file of known hosts. Certificates of HTTPS are libgit2's own business.
fn check(
    hosts: &std::path::Path,
    certificate: &Cert<'_>,
    host: &str,
    port: u16,
) -> Result<CertificateCheckStatus, String> {
    let Some(key) = certificate.as_hostkey() else { return Ok(CertificateCheckStatus::CertificatePassthrough) };
    let text =
        std::fs::read_to_string(hosts).map_err(|error| format!("{} cannot be read: {error}", hosts.display()))?;
    let offered = key.hostkey().map(|key| BASE64_STANDARD.encode(key)).unwrap_or_default();
    let verdict = known_hosts::verdict(&text, host, port, &offered);
    let kind = key.hostkey_type().map_or("unknown", |kind| kind.name());
    let refusal = match verdict {
        known_hosts::Verdict::Known => return Ok(CertificateCheckStatus::CertificateOk),
        known_hosts::Verdict::Unknown => format!(
            "{} has no {kind} key of {host}: compare `ssh-keyscan -p {port} {host}` with what the server's owner publishes \
             and add it",
            hosts.display()
        ),
        known_hosts::Verdict::Revoked => format!("the {kind} key of {host} is revoked in {}", hosts.display()),
    };
    Err(refusal)
}

/// The port of an address, 22 where it names none.
fn port(url: &str) -> u16 {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    port.and_then(|port| port.parse().ok()).unwrap_or(22)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_of_the_address() {
        for (url, wanted) in [
            ("ssh://git@git.example:2222/a.git", 2222),
            ("ssh://git@git.example/a.git", 22),
            ("ssh://git@[::1]:2022/a", 2022),
            ("ssh://git@[::1]/a", 22),
            ("git@git.example:carriers.git", 22),
        ] {
            assert_eq!(port(url), wanted, "{url}");
        }
    }
}
