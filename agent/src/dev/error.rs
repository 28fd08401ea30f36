//! What can go wrong with the private stack.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A failure to start, stop or use the private stack.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program of the stack is not installed.
    #[error("`{tool}` was not found (looked in {looked}); run `make install`")]
    MissingTool {
        /// The program's name.
        tool: &'static str,
        /// The places that were searched, for the reader.
        looked: String,
    },
    /// Another stack, perhaps of another process, holds the data folder.
    #[error("another stack is running in {}", data_dir.display())]
    InUse {
        /// The folder in question.
        data_dir: PathBuf,
    },
    /// Postgres refuses to run as root, and the system user that would run it does not exist.
    #[error("as root, Postgres is run by the system user `postgres`, which does not exist; run `make install`")]
    MissingUser,
    /// A file or folder of the stack could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried, as an infinitive.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// No free port was found on 127.0.0.1.
    #[error("no free port on 127.0.0.1 in {low}-{high}")]
    NoPort {
        /// First port tried.
        low: u16,
        /// Last port tried.
        high: u16,
    },
    /// A program could not be started at all.
    #[error("cannot start {server}")]
    Spawn {
        /// The server or program.
        server: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// A server ended before it answered.
    #[error("{server} ended with {status} before it was ready; {} says:\n{tail}", log.display())]
    Exited {
        /// The server.
        server: &'static str,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A server runs, but did not answer in time.
    #[error("{server} was not ready after {} s ({reason}); {} says:\n{tail}", waited.as_secs(), log.display())]
    NotReady {
        /// The server.
        server: &'static str,
        /// How long it was waited for.
        waited: Duration,
        /// What the last attempt to reach it said.
        reason: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A server answered a set-up request with an error.
    #[error("{server} refused to {action}: {message}")]
    Refused {
        /// The server.
        server: &'static str,
        /// What was asked, as an infinitive.
        action: String,
        /// Its answer.
        message: String,
    },
    /// A name for a database or mount that is not `[a-z][a-z0-9_]{0,62}`.
    #[error("`{name}` is no usable name: lower-case letters, digits and `_`, at most 63, a letter first")]
    Name {
        /// The name.
        name: String,
    },
    /// A certificate or key could not be made or read.
    #[error("cannot make or read a certificate or key")]
    Certificate(#[from] rcgen::Error),
}

impl Error {
    /// For `map_err`: wraps an I/O error with what was tried on which path.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, source }
    }

    /// A server's refusal.
    pub(super) fn refused(server: &'static str, action: impl Into<String>, message: &dyn std::fmt::Display) -> Self {
        Self::Refused { server, action: action.into(), message: message.to_string() }
    }
}

/// Names become parts of SQL and of URLs unquoted, so they are kept to what needs no quoting anywhere.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let usable = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if usable { Ok(()) } else { Err(Error::Name { name: name.to_owned() }) }
}
