//! Parsed files kept on disk by content, so that the next run parses only what changed.
//!
//! One file holds an entry for each git blob in which nothing was wrong, one for each folder of a git tree, and an empty one
//! for each set of rules in which nothing was found. It is only added to, in one write under a lock,
//! and written anew, by renaming, when most of it is out of use or part of it is spoilt. It may be deleted at any time. Its
//! name carries the version of the compiler and of the encoding: another version begins its own. An entry that does not
//! decode counts as absent. Whoever can write the folder decides what a check sees: it deserves the care of any build cache.

mod archive;
mod encode;
mod rules;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use bindery_schema::hash::Digest;
use git2::Oid;

use crate::parse::ParsedFile;
use crate::source::{ByOid, Folder, by_oid};
use archive::{Added, Archive, Head};
pub(crate) use rules::Again;

/// To be raised whenever the same text parses to something else, is encoded otherwise, or rules that were clean are so no
/// longer.
const FORMAT: u32 = 5;
/// Start of the names of all such files, whatever their version.
const STEM: &str = "bindery-parsed-";
/// Entries out of use that are kept beside as many in use before the file is written anew.
const SPARE: usize = 1000;

/// The cache as it was when the run began.
#[derive(Debug)]
pub struct Cache {
    archive: Archive,
    entries: ByOid<Head>,
}

impl Cache {
    /// Reads the cache of a folder; an absent one is empty.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let archive = Archive::open(folder.join(format!("{STEM}{}-{FORMAT}", env!("CARGO_PKG_VERSION"))))?;
        let mut entries = by_oid(archive.entries().count());
        entries.extend(archive.entries());
        Ok(Self { archive, entries })
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a blob has an entry.
    pub(crate) fn contains(&self, blob: Oid) -> bool {
        self.entries.contains_key(&blob)
    }

    /// What a blob parses to, where its entry is whole. Rules that turn out not to be are parsed again.
    pub(crate) fn get(&self, blob: Oid, again: &Again) -> Option<ParsedFile> {
        let head = self.entries.get(&blob)?;
        encode::decode(&self.archive.head(head)?, |place| self.archive.tail(head, place), again)
    }

    /// What a folder of a git tree holds, where its entry is whole.
    pub(crate) fn folder(&self, tree: Oid) -> Option<Folder> {
        rmp_serde::from_slice(&self.archive.head(self.entries.get(&tree)?)?).ok()
    }

    /// A file whose rules were lost on the way: nothing that was said of them can be relied on.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.archive.lost()
    }

    /// Adds what is new.
    pub(crate) fn save(&self, Worth { parsed, folders, clean }: &Worth<'_>) -> io::Result<()> {
        let in_use = parsed.keys().chain(folders.keys()).filter(|key| self.contains(**key)).count();
        let anew = self.entries.len() > 2 * in_use + SPARE || self.archive.is_damaged();
        let wanted = |key: Oid| anew || !self.contains(key);
        let mut added = Added::default();
        for (blob, parsed) in parsed.iter().filter(|(blob, _)| wanted(**blob)) {
            if let Some(head) = encode::encode(parsed, &mut added) {
                added.head(*blob, &head);
            }
        }
        for (tree, folder) in folders.iter().filter(|(tree, _)| wanted(**tree)) {
            if let Ok(head) = rmp_serde::to_vec(&**folder) {
                added.head(*tree, &head);
            }
        }
        clean.iter().map(|digest| key(*digest)).filter(|key| wanted(*key)).for_each(|key| added.head(key, &[]));
        if self.lost().is_some() || added.is_empty() && !anew {
            return Ok(());
        }
        self.make_folder()?;
        if anew { self.archive.replace(&added) } else { self.archive.append(&added) }
    }

    /// Makes the folder and takes the files of other versions out of it.
    fn make_folder(&self) -> io::Result<()> {
        let path = self.archive.path();
        let (Some(folder), Some(own)) = (path.parent(), path.file_name().and_then(|own| own.to_str())) else {
            return Ok(());
        };
        fs::create_dir_all(folder)?;
        for other in fs::read_dir(folder)? {
            let other = other?.path();
            let name = other.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // What another run is just writing anew is of this version too.
            let is_own = name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            if name.starts_with(STEM) && !is_own {
                fs::remove_file(&other)?;
            }
        }
        Ok(())
    }
}

/// What is worth keeping of a run.
pub(crate) struct Worth<'w> {
    /// The files of the present tree, by blob.
    pub(crate) parsed: &'w ByOid<Arc<ParsedFile>>,
    /// Its folders, where it is one of git.
    pub(crate) folders: &'w ByOid<Arc<Folder>>,
    /// Rules that were found clean.
    pub(crate) clean: &'w BTreeSet<Digest>,
}

/// Where it is kept that nothing was found in some rules: a key like those of blobs, which are digests as well.
pub(crate) fn key(clean: Digest) -> Oid {
    let mut key = [0; 20];
    key.copy_from_slice(&clean.bytes()[..20]);
    Oid::from_bytes(&key).unwrap_or(Oid::ZERO_SHA1)
}

#[cfg(test)]
mod tests;
