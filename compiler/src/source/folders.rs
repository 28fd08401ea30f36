//! What the folders of git trees hold: each is read once, however many trees share it.

use std::sync::Arc;

use git2::{ObjectType, Oid, Repository};
use serde::{Deserialize, Serialize};

use super::{ByOid, Error};

/// Mode of a folder in a git tree.
const FOLDER: i32 = 0o040_000;

/// What a folder holds: files, links and folders in git's order. A name that is not UTF-8 has a character in it that stands for
/// what could not be decoded.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Folder(pub(crate) Vec<Entry>);

/// A member of a folder.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: Box<str>,
    #[serde(with = "by_bytes")]
    pub(crate) id: Oid,
    pub(crate) mode: i32,
}

/// Where folders are looked up before git is asked for them.
pub(crate) struct Folders<'f> {
    /// Those of an earlier tree.
    pub(crate) earlier: &'f ByOid<Arc<Folder>>,
    /// What is kept from earlier runs.
    pub(crate) kept: &'f dyn Fn(Oid) -> Option<Folder>,
    /// About how many files the tree has, where that is known.
    pub(crate) expected: usize,
    /// Those of this tree.
    pub(crate) seen: ByOid<Arc<Folder>>,
}

impl Folders<'_> {
    /// Visits every file and link below a folder with its path, in path order. `enters` decides by a folder's path and a
    /// name in it which folders are entered.
    pub(super) fn walk(
        &mut self,
        repository: &Repository,
        root: Oid,
        enters: impl Fn(&str, &str) -> bool,
        mut visit: impl FnMut(&str, &Entry),
    ) -> Result<(), Error> {
        let mut path = String::new();
        // Folders that are open, each with its place in the path and the next of its members.
        let mut open = vec![(self.folder(repository, root)?, 0, 0)];
        while let Some((folder, length, next)) = open.last_mut() {
            path.truncate(*length);
            let Some(entry) = folder.0.get(*next) else {
                open.pop();
                continue;
            };
            *next += 1;
            let is_entered = entry.mode == FOLDER && enters(&path, &entry.name);
            path.push_str(&entry.name);
            if entry.mode != FOLDER {
                visit(&path, entry);
            } else if is_entered {
                path.push('/');
                let folder = self.folder(repository, entry.id)?;
                open.push((folder, path.len(), 0));
            }
        }
        Ok(())
    }

    fn folder(&mut self, repository: &Repository, id: Oid) -> Result<Arc<Folder>, Error> {
        if let Some(folder) = self.seen.get(&id) {
            return Ok(folder.clone());
        }
        let kept = || (self.kept)(id).map(Arc::new);
        let folder = match self.earlier.get(&id).cloned().or_else(kept) {
            Some(folder) => folder,
            None => Arc::new(read(repository, id)?),
        };
        self.seen.insert(id, folder.clone());
        Ok(folder)
    }
}

fn read(repository: &Repository, id: Oid) -> Result<Folder, Error> {
    let tree = repository.find_tree(id)?;
    let is_file_or_folder = |kind| matches!(kind, Some(ObjectType::Blob | ObjectType::Tree));
    let entries = tree.iter().filter(|entry| is_file_or_folder(entry.kind()));
    let entry = |entry: git2::TreeEntry<'_>| {
        let name = String::from_utf8_lossy(entry.name_bytes()).into();
        Entry { name, id: entry.id(), mode: entry.filemode() }
    };
    Ok(Folder(entries.map(entry).collect()))
}

/// Ids of git as the bytes they are.
mod by_bytes {
    use git2::Oid;
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &Oid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(id.as_bytes())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Oid, D::Error> {
        let bytes: &[u8] = serde_bytes::deserialize(deserializer)?;
        Oid::from_bytes(bytes).map_err(D::Error::custom)
    }
}
