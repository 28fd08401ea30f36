//! Where files came from, so that one can be read again when a finding needs its text.

use std::path::PathBuf;
use std::sync::Arc;

use git2::Oid;

use super::directory::read_content;
use super::links::WorkingTree;
use super::revision::read_from_revision;
use super::{Content, Error};

/// Where the files of a compile came from.
#[derive(Debug, Clone, Default)]
pub(crate) enum Origin {
    /// Nowhere to go back to: their texts are at hand.
    #[default]
    Memory,
    /// A working tree.
    Directory(PathBuf),
    /// The tree of a commit.
    Revision {
        /// Folder of the git repository.
        repository: PathBuf,
        /// The commit.
        commit: Oid,
    },
}

impl Origin {
    /// Whether a text, loaded with or without its blob, cannot be read from here again.
    pub(crate) fn lacks(&self, blob: Option<Oid>) -> bool {
        match self {
            Self::Memory => true,
            // What a change would make of a file is in no commit yet.
            Self::Revision { .. } => blob.is_none(),
            Self::Directory(_) => false,
        }
    }

    /// What is in a file now.
    pub(crate) fn content(&self, path: &str) -> Content {
        let read = match self {
            Self::Memory => Ok(Content::Text(Arc::default())),
            Self::Directory(root) => {
                let file = root.join(path);
                let real_root = root.canonicalize();
                let read = real_root.and_then(|root| read_content(path, &file, &WorkingTree::new(&root)));
                read.map_err(|source| Error::Read { path: file, source })
            }
            Self::Revision { repository, commit } => read_from_revision(repository, *commit, path),
        };
        read.unwrap_or_else(|error| Content::Unreadable {
            message: format!("it could not be read again: {error}"),
            help: "run the check once more",
        })
    }

    /// The text of a file; empty where there is none any more.
    pub(crate) fn text(&self, path: &str) -> Arc<str> {
        match self.content(path) {
            Content::Text(text) => text,
            Content::Known | Content::Unreadable { .. } => Arc::default(),
        }
    }
}
