//! Contents of git blobs.
//!
//! libgit2 maps every object that lies in a file of its own, and taking a map away interrupts every processor: with ten
//! thousand of them that is a tenth of a compile. So such files are read and inflated here. Whatever is in a pack, in
//! another repository's store or not as expected is libgit2's.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::{Decompress, FlushDecompress, Status};
use git2::{Oid, Repository};

use super::{Content, Error, LARGEST_FILE};

/// Longest header of an object: its kind, its size in digits and a zero byte.
const LONGEST_HEADER: usize = 32;
/// Most bytes of an object that are inflated here.
const MOST: u64 = LARGEST_FILE + LONGEST_HEADER as u64;
/// How much larger than its file an object is taken to be at first, and up to which size.
const USUAL: (usize, usize) = (6, 1 << 20);

/// Reads blobs of a repository, on one thread.
pub(super) struct Blobs {
    repository: Repository,
    loose: Loose,
}

impl Blobs {
    /// Opens the repository of a `.git` folder.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let repository = Repository::open(folder)?;
        let loose = Loose::below(&repository.commondir().join("objects"));
        Ok(Self { repository, loose })
    }

    /// The repository they are in.
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// What is in a blob.
    pub(super) fn read(&mut self, blob: Oid) -> Result<Content, Error> {
        if let Some(bytes) = self.loose.read(blob) {
            return Ok(Content::from_bytes(bytes));
        }
        let database = self.repository.odb()?;
        let (size, _) = database.read_header(blob)?;
        Ok(if size as u64 > LARGEST_FILE {
            Content::too_large(size as u64)
        } else {
            Content::from_bytes(database.read(blob)?.data())
        })
    }
}

/// Objects that lie in files of their own.
struct Loose {
    folder: PathBuf,
    /// Whether there is a folder for ids that begin with a byte: in a fresh clone there is none.
    beginnings: [bool; 256],
    file: Vec<u8>,
    object: Vec<u8>,
    inflate: Decompress,
}

impl Loose {
    fn below(folder: &Path) -> Self {
        let mut beginnings = [false; 256];
        // A folder that cannot be listed counts as empty: libgit2 says what is wrong with it.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let beginning = entry.file_name().to_str().and_then(|name| u8::from_str_radix(name, 16).ok());
            if let Some(beginning) = beginning {
                beginnings[usize::from(beginning)] = true;
            }
        }
        let (file, object) = (Vec::new(), Vec::new());
        Self { folder: folder.to_owned(), beginnings, file, object, inflate: Decompress::new(true) }
    }

    /// The content of a blob; nothing where it is not here, not whole, or too large.
    fn read(&mut self, blob: Oid) -> Option<&[u8]> {
        let beginning = *blob.as_bytes().first()?;
        if !self.beginnings[usize::from(beginning)] {
            return None;
        }
        let id = blob.to_string();
        let (folder, name) = id.split_at_checked(2)?;
        let file = File::open(self.folder.join(folder).join(name)).ok()?;
        self.file.clear();
        file.take(MOST).read_to_end(&mut self.file).ok()?;
        self.inflate()?;
        let header = self.object.iter().take(LONGEST_HEADER).position(|byte| *byte == 0)?;
        let (header, content) = (std::str::from_utf8(&self.object[..header]).ok()?, &self.object[header + 1..]);
        let size: usize = header.strip_prefix("blob ")?.parse().ok()?;
        (size == content.len()).then_some(content)
    }

    /// The object a file holds; nothing where its checksum is wrong or it is larger than a configuration file.
    fn inflate(&mut self) -> Option<()> {
        self.inflate.reset(true);
        self.object.clear();
        self.object.reserve((USUAL.0 * self.file.len()).clamp(LONGEST_HEADER, USUAL.1));
        loop {
            let read = usize::try_from(self.inflate.total_in()).ok()?;
            let rest = self.file.get(read..)?;
            match self.inflate.decompress_vec(rest, &mut self.object, FlushDecompress::Finish).ok()? {
                Status::StreamEnd => return (self.object.len() as u64 <= MOST).then_some(()),
                // Nothing more came out although there was room: the file is cut off.
                _ if self.object.len() < self.object.capacity() => return None,
                _ if self.object.len() as u64 >= MOST => return None,
                _ => self.object.reserve(self.object.len()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use git2::ObjectType;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Each case makes a repository.
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_lies_loose_reads_as_libgit2_reads_it(content in "[a-c\n]{0,300}", times in 0usize..300) {
            let folder = tempfile::tempdir().unwrap();
            let repository = Repository::init_bare(folder.path()).unwrap();
            let content = content.repeat(times);
            let blob = repository.odb().unwrap().write(ObjectType::Blob, content.as_bytes()).unwrap();
            let mut blobs = Blobs::open(folder.path()).unwrap();
            prop_assert_eq!(blobs.loose.read(blob), Some(content.as_bytes()));
            let read = blobs.read(blob).unwrap();
            prop_assert!(matches!(read, Content::Text(text) if *text == *content));
        }
    }

    #[test]
    fn what_is_not_a_whole_small_blob_is_left_to_libgit2() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        let database = repository.odb().unwrap();
        let (small, large) = (b"kind: Mno\n".repeat(1000), b" ".repeat(usize::try_from(MOST).unwrap()));
        let whole = database.write(ObjectType::Blob, &small).unwrap();
        let large = database.write(ObjectType::Blob, &large).unwrap();
        let tree = repository.treebuilder(None).unwrap().write().unwrap();
        let absent = Oid::from_str("00112233445566778899aabbccddeeff00112233").unwrap();
        let mut blobs = Blobs::open(folder.path()).unwrap();
        assert!(blobs.loose.read(whole).is_some());
        for other in [large, tree, absent] {
            assert_eq!(blobs.loose.read(other), None);
        }
        assert!(matches!(blobs.read(large).unwrap(), Content::Unreadable { .. }));
        assert!(blobs.read(absent).is_err());

        let id = whole.to_string();
        let path = folder.path().join("objects").join(&id[..2]).join(&id[2..]);
        let bytes = fs::read(&path).unwrap();
        let damaged = |bytes: &[u8]| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
        };
        damaged(&bytes[..bytes.len() - 3]);
        assert_eq!(blobs.loose.read(whole), None, "a file that is cut off");
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        damaged(&flipped);
        assert_eq!(blobs.loose.read(whole), None, "a checksum that does not fit");
        damaged(&bytes);
        assert_eq!(blobs.loose.read(whole), Some(&*small), "what failed before leaves nothing behind");
    }
}
