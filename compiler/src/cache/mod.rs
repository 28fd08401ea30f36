//! Parsed files kept on disk by content, so that the next run parses only what changed.
//!
//! One file holds an entry for each git blob in which nothing was wrong, one for each folder of a git tree, and an empty one
//! for each set of rules in which nothing was found. It is only added to, in one write under a lock,
//! and written anew, by renaming, when most of it is out of use. It may be deleted at any time. Its name carries the
//! version of the compiler and of the encoding: another version begins its own. An entry that does not decode counts as
//! absent. Whoever can write the folder decides what a check sees: it deserves the care of any build cache.

mod encode;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bindery_schema::hash::Digest;
use bytes::Bytes;
use git2::Oid;

use crate::parse::ParsedFile;
use crate::source::{ByOid, Folder};

/// To be raised whenever the same text parses to something else, or is encoded otherwise.
const FORMAT: u32 = 3;
/// Start of the names of all such files, whatever their version.
const STEM: &str = "bindery-parsed-";
/// Bytes of a blob id, of a length and of a checksum.
const HEADER: usize = 20 + 4 + 4;
/// Entries out of use that are kept beside as many in use before the file is written anew.
const SPARE: usize = 1000;

/// The cache as it was when the run began.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    bytes: Bytes,
    entries: ByOid<Range<usize>>,
}

impl Cache {
    /// Reads the cache of a folder; an absent one is empty.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("{STEM}{}-{FORMAT}", env!("CARGO_PKG_VERSION")));
        let bytes: Bytes = match fs::read(&path) {
            Ok(bytes) => bytes.into(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Bytes::new(),
            Err(error) => return Err(error),
        };
        let mut entries = ByOid::default();
        let mut at = 0;
        // A write that was cut off leaves a torn end, and what is behind it cannot be told apart.
        while let Some((blob, payload)) = header(&bytes, at) {
            at = payload.end;
            entries.insert(blob, payload);
        }
        Ok(Self { path, bytes, entries })
    }

    /// Whether a blob has an entry.
    pub(crate) fn contains(&self, blob: Oid) -> bool {
        self.entries.contains_key(&blob)
    }

    /// What a blob parses to, where its entry is whole.
    pub(crate) fn get(&self, blob: Oid) -> Option<ParsedFile> {
        encode::decode(&self.payload(blob)?)
    }

    /// What a folder of a git tree holds, where its entry is whole.
    pub(crate) fn folder(&self, tree: Oid) -> Option<Folder> {
        rmp_serde::from_slice(&self.payload(tree)?).ok()
    }

    fn payload(&self, key: Oid) -> Option<Bytes> {
        let payload = self.entries.get(&key)?;
        let sum = self.bytes.get(payload.start - 4..payload.start)?;
        let bytes = self.bytes.slice(payload.clone());
        (crc32fast::hash(&bytes).to_le_bytes() == sum).then_some(bytes)
    }

    /// Adds what is new.
    pub(crate) fn save(&self, Worth { parsed, folders, clean }: &Worth<'_>) -> io::Result<()> {
        let in_use = parsed.keys().chain(folders.keys()).filter(|key| self.contains(**key)).count();
        let anew = self.entries.len() > 2 * in_use + SPARE;
        let wanted = |key: Oid| anew || !self.contains(key);
        let mut entries: Vec<u8> = Vec::new();
        let files = parsed.iter().filter(|(blob, _)| wanted(**blob));
        let files = files.filter_map(|(blob, parsed)| Some((*blob, encode::encode(parsed)?)));
        let folders = folders.iter().filter(|(tree, _)| wanted(**tree));
        let folders = folders.filter_map(|(tree, folder)| Some((*tree, rmp_serde::to_vec(&**folder).ok()?)));
        files.chain(folders).for_each(|(key, payload)| entries.extend(framed(key, &payload)));
        entries.extend(
            clean.iter().map(|digest| key(*digest)).filter(|key| wanted(*key)).flat_map(|key| framed(key, &[])),
        );
        match entries.is_empty() {
            _ if anew => self.write_anew(&entries),
            true => Ok(()),
            false => self.append(&entries),
        }
    }

    /// Adds entries, unless another run is at it: then this one's are for the next to write.
    fn append(&self, added: &[u8]) -> io::Result<()> {
        self.make_folder()?;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(()),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        // Behind a torn end nothing would be found again.
        let whole = self.entries.values().map(|payload| payload.end).max().unwrap_or_default();
        if whole < self.bytes.len() {
            file.set_len(whole as u64)?;
        }
        file.write_all(added)
    }

    fn write_anew(&self, bytes: &[u8]) -> io::Result<()> {
        self.make_folder()?;
        let mut fresh = self.path.clone().into_os_string();
        fresh.push(format!(".{}", std::process::id()));
        let fresh = PathBuf::from(fresh);
        let written = File::create(&fresh).and_then(|mut file| file.write_all(bytes));
        written.and_then(|()| fs::rename(&fresh, &self.path)).inspect_err(|_| _ = fs::remove_file(&fresh))
    }

    /// Makes the folder and takes the files of other versions out of it.
    fn make_folder(&self) -> io::Result<()> {
        let (Some(folder), Some(own)) = (self.path.parent(), self.path.file_name().and_then(|own| own.to_str())) else {
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

/// The blob of the entry that begins at a byte, and where its content is.
fn header(bytes: &[u8], at: usize) -> Option<(Oid, Range<usize>)> {
    let header = bytes.get(at..at + HEADER)?;
    let blob = Oid::from_bytes(&header[..20]).ok()?;
    let length = u32::from_le_bytes(header[20..24].try_into().ok()?) as usize;
    let payload = at + HEADER..(at + HEADER).checked_add(length)?;
    (payload.end <= bytes.len()).then_some((blob, payload))
}

fn framed(blob: Oid, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default();
    [blob.as_bytes(), &length.to_le_bytes(), &crc32fast::hash(payload).to_le_bytes(), payload].concat()
}

#[cfg(test)]
mod tests;
