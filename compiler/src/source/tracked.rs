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
    /// Whether the time a file's inode changed counts, which an edit cannot set back as it can the time of its content.
    /// `core.trustctime` says so, for trees whose inodes other programs touch.
    trusts_inode_times: bool,
    /// When the index was written: what was changed since then in the same moment would look unchanged.
    written: (i64, i64),
}

struct Entry {
    blob: Oid,
    /// When the content was written, and when anything of the file was.
    modified: (i64, i64),
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
        let trusts_inode_times = repository.config().and_then(|config| config.get_bool("core.trustctime"));
        // Before the first `git add` there is no file of it.
        let written = index.path().and_then(|path| path.metadata().ok()).map(|metadata| modified(&metadata));
        let written = written.unwrap_or_default();
        let mut files = HashMap::with_capacity(index.len());
        for entry in index.iter().filter(|entry| entry.mode & KIND == REGULAR) {
            let path = std::str::from_utf8(&entry.path).ok().and_then(|path| path.strip_prefix(&prefix));
            if let Some(path) = path {
                let time = |time: IndexTime| (i64::from(time.seconds()), i64::from(time.nanoseconds()));
                let (modified, changed) = (time(entry.mtime), time(entry.ctime));
                let (size, inode) = (entry.file_size, entry.ino);
                files.insert(path.to_owned(), Entry { blob: entry.id, modified, changed, size, inode });
            }
        }
        // A folder of which git holds nothing yet is as good as outside of it.
        let (in_git, trusts_inode_times) = (!files.is_empty(), trusts_inode_times.unwrap_or(true));
        Some(Self { in_git, files, trusts_inode_times, written })
    }

    /// Whether a commit of the working tree may hold a file. Outside of git any may be meant to be in one.
    pub(super) fn may_hold(&self, path: &str) -> bool {
        !self.in_git || self.files.contains_key(path)
    }

    /// The blob of a file that was not touched since git wrote it down.
    pub(super) fn unchanged(&self, path: &str, file: &DirEntry) -> Option<Oid> {
        let entry = self.files.get(path)?;
        let metadata = file.metadata().ok().filter(Metadata::is_file)?;
        let (modified, changed) = (modified(&metadata), (metadata.ctime(), metadata.ctime_nsec()));
        let is_settled = |now: (i64, i64), noted: (i64, i64)| now == noted && now < self.written;
        #[expect(clippy::cast_possible_truncation, reason = "the index keeps the lower half of both")]
        let same = metadata.len() as u32 == entry.size && metadata.ino() as u32 == entry.inode;
        let untouched =
            is_settled(modified, entry.modified) && (!self.trusts_inode_times || is_settled(changed, entry.changed));
        (same && untouched).then_some(entry.blob)
    }
}

fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, FileTimes};
    use std::time::{Duration, SystemTime};

    use super::super::{Content, load_each};
    use super::*;

    /// What is loaded of the only file where every blob is known; nothing where it was not read.
    fn loaded(root: &Path) -> Option<String> {
        let texts = load_each(root, Some(&|_| true), |file| match file.content {
            Content::Text(text) => Some(text.to_string()),
            _ => None,
        });
        texts.unwrap().remove(0)
    }

    fn set_modified(path: &Path, time: SystemTime) {
        File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    #[test]
    fn an_edit_that_keeps_size_and_time_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (root, file) = (folder.path(), folder.path().join("operators/a.yaml"));
        let repository = Repository::init(root).unwrap();
        fs::create_dir(root.join("operators")).unwrap();
        let (now, hour) = (SystemTime::now(), Duration::from_secs(3_600));
        let write = |text: &str| {
            fs::write(&file, text).unwrap();
            set_modified(&file, now - hour);
        };
        write("a: 1\n");
        let mut index = repository.index().unwrap();
        index.add_path(Path::new("operators/a.yaml")).unwrap();
        index.write().unwrap();
        // As if the index had been written long after the file.
        set_modified(&root.join(".git/index"), now + hour);
        assert_eq!(loaded(root), None, "it was not touched");

        let changed = || file.metadata().map(|metadata| (metadata.ctime(), metadata.ctime_nsec())).unwrap();
        let before = changed();
        // Clocks of file systems tick slowly.
        while changed() == before {
            write("a: x\n");
        }
        assert_eq!(loaded(root).as_deref(), Some("a: x\n"));
        // Where git is told that these times mean nothing, it does not see the edit either.
        repository.config().unwrap().set_bool("core.trustctime", false).unwrap();
        assert_eq!(loaded(root), None);
    }
}
