//! Where configuration files come from: a directory, or any revision of a git repository without a checkout.

mod blobs;
mod directory;
mod folders;
mod links;
mod map;
mod origin;
mod revision;
mod tracked;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use directory::load_each;
pub use directory::{load_directory, read_text};
pub(crate) use folders::{Folder, Folders};
pub use map::{FileId, Position, SourceMap, Span};
pub(crate) use origin::Origin;
pub(crate) use revision::load_revision;
pub use revision::resolve_revision;

/// By an id of git, which is a hash already.
pub(crate) type ByOid<V> = rustc_hash::FxHashMap<git2::Oid, V>;

/// An empty map with room for so many: one that grows is copied again and again.
pub(crate) fn by_oid<V>(room: usize) -> ByOid<V> {
    ByOid::with_capacity_and_hasher(room, rustc_hash::FxBuildHasher)
}

/// Folders whose YAML files are configuration; below them folders carry no meaning.
pub const ROOTS: [&str; 2] = ["operators", "contracts"];
/// The one file at the root.
pub const POLICY: &str = "policy.yaml";
/// What it is not called. Left out in silence, its guardrails would be thought to hold.
pub const SHORT_POLICY: &str = "policy.yml";

pub(crate) fn is_configuration(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return [POLICY, SHORT_POLICY].contains(&path) };
    let below_root = folder.split('/').next().is_some_and(|root| ROOTS.contains(&root));
    // A name of nothing but the extension is that of a hidden file.
    below_root && matches!(name.rsplit_once('.'), Some((stem, "yaml" | "yml")) if !stem.is_empty())
}

/// Whether a path is not the name of its file, which could not be decoded, but what is shown in its place. A file with this
/// very character in its name is treated alike.
fn is_undecoded(path: &str) -> bool {
    path.contains(char::REPLACEMENT_CHARACTER)
}

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
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let size = bytes.len() as u64;
        if size > LARGEST_FILE {
            return Self::too_large(size);
        }
        // A byte that is zero is UTF-8, and a character of no text.
        let zero = bytes.contains(&0);
        let line = |before: &[u8]| before.split(|byte| *byte == b'\n').count();
        match std::str::from_utf8(bytes) {
            Ok(text) if !zero => Self::Text(text.strip_prefix('\u{feff}').unwrap_or(text).into()),
            _ if is_utf16(bytes) => {
                let message = "the file is UTF-16".to_owned();
                Self::Unreadable { message, help: "save the file as UTF-8" }
            }
            Ok(_) => {
                let line = line(bytes.split(|byte| *byte == 0).next().unwrap_or_default());
                let message = format!("the file is no text: line {line} has a NUL byte");
                Self::Unreadable { message, help: "remove the byte, or save the file as UTF-8 text" }
            }
            Err(error) => {
                let line = line(&bytes[..error.valid_up_to()]);
                let message = format!("the file is not UTF-8: line {line} has a byte that does not decode");
                Self::Unreadable { message, help: "save the file as UTF-8" }
            }
        }
    }

    pub(crate) fn too_large(size: u64) -> Self {
        Self::Unreadable {
            message: format!("the file has {size} bytes, more than the {LARGEST_FILE} bindery reads"),
            help: "split it; any number of files may hold documents",
        }
    }

    pub(super) fn bad_link() -> Self {
        Self::Unreadable {
            message: "the file is a symbolic link that leads to no file of this tree".to_owned(),
            help: "replace the link by the file itself, or let it lead to a file that git tracks",
        }
    }

    pub(super) fn bad_name() -> Self {
        Self::Unreadable {
            message: "the file's name holds what is not UTF-8".to_owned(),
            help: "rename the file; a name in ASCII works everywhere",
        }
    }

    pub(super) fn misnamed_policy() -> Self {
        Self::Unreadable {
            message: format!("`{SHORT_POLICY}` is not read: the policy of a repository is `{POLICY}`"),
            help: "rename the file, or delete it",
        }
    }
}

/// Whether bytes are UTF-16: by a byte order mark, or because every other of the first is zero, as in any text of Latin letters.
fn is_utf16(bytes: &[u8]) -> bool {
    const ENOUGH: usize = 64;
    let beginning = &bytes[..bytes.len().min(ENOUGH)];
    let zeros = |from: usize| beginning.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let most = beginning.len() / 2 * 3 / 4;
    let has_mark = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    has_mark || most > 1 && zeros(0).max(zeros(1)) >= most && zeros(0).min(zeros(1)) < most
}

#[cfg(test)]
mod tests;
