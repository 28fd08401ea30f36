//! Where configuration files come from: a directory, or any revision of a git repository without a checkout.

mod loader;
mod map;
mod origin;
mod tracked;

use std::path::PathBuf;
use std::sync::Arc;

pub use loader::{POLICY, ROOTS, SHORT_POLICY, load_directory, load_revision, resolve_revision};
pub use map::{FileId, Position, SourceMap, Span};
pub(crate) use origin::Origin;

/// Largest configuration file. A generated routes file of 100,000 rules has 10 MB; more is a mistake.
pub const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// Why the files could not be had at all. What is wrong with a single file is a finding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory or a file in it cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Neither `operators/`, `contracts/` nor `policy.yaml` is there.
    #[error("{} holds no configuration: expected operators/, contracts/ or policy.yaml", path.display())]
    NoConfiguration {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The revision names no commit.
    #[error("`{revision}` names no commit of the repository")]
    UnknownRevision {
        /// What was asked for.
        revision: String,
    },
    /// The repository cannot be read.
    #[error("cannot read the git repository")]
    Git(#[from] git2::Error),
}

/// A configuration file as loaded.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Path relative to the repository's root, with `/`.
    pub path: Arc<str>,
    /// The git blob, where the file came from a revision.
    pub blob: Option<git2::Oid>,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// UTF-8 text, a leading byte order mark removed.
    Text(Arc<str>),
    /// The reader has this blob already; it was not read again.
    Known,
    /// No text: why, and what to do.
    Unreadable {
        /// What is wrong.
        message: String,
        /// What to do.
        help: &'static str,
    },
}

impl Content {
    /// Takes bytes for text.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        if size > LARGEST_FILE {
            return Self::too_large(size);
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text.strip_prefix('\u{feff}').unwrap_or(&text).into()),
            Err(error) => {
                if error.as_bytes().starts_with(b"\xff\xfe") || error.as_bytes().starts_with(b"\xfe\xff") {
                    let message = "the file is UTF-16".to_owned();
                    return Self::Unreadable { message, help: "save the file as UTF-8" };
                }
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = valid.split(|byte| *byte == b'\n').count();
                Self::Unreadable {
                    message: format!("the file is not UTF-8: line {line} has a byte that does not decode"),
                    help: "save the file as UTF-8",
                }
            }
        }
    }

    pub(crate) fn too_large(size: u64) -> Self {
        Self::Unreadable {
            message: format!("the file has {size} bytes, more than the {LARGEST_FILE} bindery reads"),
            help: "split it; any number of files may hold documents",
        }
    }
}
