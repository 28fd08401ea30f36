//! Which files of a working tree git's index holds, and which of them are what it says, told without reading them.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use git2::{ErrorCode, IndexTime, Oid, Repository};
use walkdir::DirEntry;

/// A regular file in git's index.
const REGULAR: u32 = 0o100_000;
/// Kind of an entry, without its permissions.
const KIND: u32 = 0o170_000;

/// Files that git tracks, by path below the root of the configuration.
#[derive(Default)]
pub(super) struct Tracked {
    /// Whether git holds anything of the folder, or may hold what could not be read.
    in_git: bool,
    files: HashMap<String, Entry>,
    /// When the index was written: what was changed since then in the same moment would look unchanged.
    written: (i64, i64),
}

struct Entry {
    blob: Oid,
    changed: (i64, i64),
    size: u32,
    inode: u32,
}

impl Tracked {
    /// What the index of the repository around a folder says of the files below it. Outside of git that is nothing.
    pub(super) fn below(root: &Path) -> Self {
        match Repository::discover(root) {
            // Where the index cannot be read, nothing is known to be tracked.
            Ok(repository) => {
                let in_git = repository.workdir().is_some();
                Self::read(root, &repository).unwrap_or(Self { in_git, ..Self::default() })
            }
            Err(error) => Self { in_git: error.code() != ErrorCode::NotFound, ..Self::default() },
        }
    }

    fn read(root: &Path, repository: &Repository) -> Option<Self> {
        let top = repository.workdir()?.canonicalize().ok()?;
        let below = root.strip_prefix(top).ok()?.to_str()?;
        let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
        let index = repository.index().ok()?;
        // Before the first `git add` there is no file of it.
        let written = index.path().and_then(|path| path.metadata().ok()).map(|metadata| moment(&metadata));
        let written = written.unwrap_or_default();
        let mut files = HashMap::with_capacity(index.len());
        for entry in index.iter().filter(|entry| entry.mode & KIND == REGULAR) {
            let path = std::str::from_utf8(&entry.path).ok().and_then(|path| path.strip_prefix(&prefix));
            if let Some(path) = path {
                let time = |time: IndexTime| (i64::from(time.seconds()), i64::from(time.nanoseconds()));
                let (size, inode) = (entry.file_size, entry.ino);
                files.insert(path.to_owned(), Entry { blob: entry.id, changed: time(entry.mtime), size, inode });
            }
        }
        // A folder of which git holds nothing yet is as good as outside of it.
        Some(Self { in_git: !files.is_empty(), files, written })
    }

    /// Whether a commit of the working tree may hold a file. Outside of git any may be meant to be in one.
    pub(super) fn may_hold(&self, path: &str) -> bool {
        !self.in_git || self.files.contains_key(path)
    }

    /// The blob of a file that was not touched since git wrote it down.
    pub(super) fn unchanged(&self, path: &str, file: &DirEntry) -> Option<Oid> {
        let entry = self.files.get(path)?;
        let metadata = file.metadata().ok().filter(Metadata::is_file)?;
        let changed = moment(&metadata);
        #[expect(clippy::cast_possible_truncation, reason = "the index keeps the lower half of both")]
        let same =
            changed == entry.changed && metadata.len() as u32 == entry.size && metadata.ino() as u32 == entry.inode;
        (same && changed < self.written).then_some(entry.blob)
    }
}

fn moment(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}
