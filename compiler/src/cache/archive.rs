//! The file of a cache: one segment for each time something was added.
//!
//! A segment has the heads of its entries in front, which every run reads, and behind them their tails, which are read one
//! by one when they are asked for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use git2::Oid;

/// Bytes before a segment: the lengths of its heads and of its tails, and the checksum of both.
const PREAMBLE: usize = 8 + 8 + 4;
/// Bytes before the head of an entry: a key, the head's length and its checksum.
const FRAME: usize = 20 + 4 + 4;

/// The file as it was when the run began.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    heads: Bytes,
    segments: Vec<Segment>,
    source: Option<Arc<Source>>,
    /// Bytes of the file, and of its whole segments: a write that was cut off leaves a torn end.
    length: u64,
    whole: u64,
}

#[derive(Debug)]
struct Segment {
    heads: Range<usize>,
    /// Where its tails begin in the file.
    tails: u64,
}

/// What tails are read from, and what became of it.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    damaged: AtomicBool,
    /// The first file whose rules could neither be read here nor parsed again.
    lost: OnceLock<Arc<str>>,
}

/// Where the head of an entry is, and from where its tails are counted.
#[derive(Debug, Clone)]
pub(super) struct Head {
    bytes: Range<usize>,
    tails: u64,
}

/// The part of an entry that is read when it is asked for.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) source: Arc<Source>,
    at: u64,
    length: u32,
    sum: u32,
}

/// A tail by its place among those of its segment.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(super) struct TailPlace(u64, u32, u32);

impl Archive {
    /// Reads the heads of a file; an absent file has none.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (heads, segments) = (Bytes::new(), Vec::new());
                return Ok(Self { path, heads, segments, source: None, length: 0, whole: 0 });
            }
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let (mut segments, mut all, mut whole) = (Vec::new(), 0, 0);
        while let Some((heads, tails)) = preamble(&file, whole, length)? {
            let begin = whole + PREAMBLE as u64;
            let size = usize::try_from(heads).map_err(io::Error::other)?;
            segments.push(Segment { heads: all..all + size, tails: begin + heads });
            (all, whole) = (all + size, begin + heads + tails);
        }
        let mut heads = vec![0; all];
        for segment in &segments {
            let begin = segment.tails - segment.heads.len() as u64;
            file.read_exact_at(&mut heads[segment.heads.clone()], begin)?;
        }
        let source = Source { file, damaged: AtomicBool::new(false), lost: OnceLock::new() };
        Ok(Self { path, heads: heads.into(), segments, source: Some(Arc::new(source)), length, whole })
    }

    /// Every entry: its key, and where its head is.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Oid, Head)> {
        self.segments.iter().flat_map(move |segment| {
            let mut at = segment.heads.start;
            std::iter::from_fn(move || {
                let (key, bytes) = frame(&self.heads[..segment.heads.end], at)?;
                at = bytes.end;
                Some((key, Head { bytes, tails: segment.tails }))
            })
        })
    }

    /// The head of an entry, where it is as it was written.
    pub(super) fn head(&self, head: &Head) -> Option<Bytes> {
        let sum = self.heads.get(head.bytes.start - 4..head.bytes.start)?;
        let bytes = self.heads.slice(head.bytes.clone());
        let is_whole = crc32fast::hash(&bytes).to_le_bytes() == sum;
        if let Some(source) = self.source.as_ref().filter(|_| !is_whole) {
            source.damaged.store(true, Ordering::Relaxed);
        }
        is_whole.then_some(bytes)
    }

    /// A tail of an entry.
    pub(super) fn tail(&self, head: &Head, TailPlace(at, length, sum): TailPlace) -> Option<Tail> {
        Some(Tail { source: self.source.clone()?, at: head.tails.checked_add(at)?, length, sum })
    }

    /// Whether a head or a tail was found to be other than it was written.
    pub(super) fn is_damaged(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.damaged.load(Ordering::Relaxed))
    }

    /// A file of the tree whose rules could neither be read here nor parsed again.
    pub(super) fn lost(&self) -> Option<&str> {
        self.source.as_ref()?.lost.get().map(|path| &**path)
    }

    /// Adds a segment, unless another run is at it: then what it holds is for the next to write.
    pub(super) fn append(&self, added: &Added) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(()),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        // Behind a torn end nothing would be found again; it may have been another run's, which has written on since.
        if self.whole < self.length {
            if file.metadata()?.len() != self.length {
                return Ok(());
            }
            file.set_len(self.whole)?;
        }
        file.write_all(&added.bytes())
    }

    /// Puts a file of one segment in the place of this one.
    pub(super) fn replace(&self, added: &Added) -> io::Result<()> {
        let mut fresh = self.path.clone().into_os_string();
        fresh.push(format!(".{}", std::process::id()));
        let fresh = PathBuf::from(fresh);
        let written = File::create(&fresh).and_then(|mut file| file.write_all(&added.bytes()));
        written.and_then(|()| fs::rename(&fresh, &self.path)).inspect_err(|_| _ = fs::remove_file(&fresh))
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Source {
    /// Notes that the rules of a file are to be had nowhere.
    pub(super) fn lose(&self, path: &Arc<str>) {
        self.lost.get_or_init(|| path.clone());
    }
}

impl Tail {
    /// Its bytes, where they are as they were written.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.length as usize];
        let read = self.source.file.read_exact_at(&mut bytes, self.at);
        let is_whole = read.is_ok() && crc32fast::hash(&bytes) == self.sum;
        if !is_whole {
            self.source.damaged.store(true, Ordering::Relaxed);
        }
        is_whole.then_some(bytes)
    }
}

/// A segment to be written.
#[derive(Debug, Default)]
pub(super) struct Added {
    heads: Vec<u8>,
    tails: Vec<u8>,
}

impl Added {
    /// Adds the head of an entry.
    pub(super) fn head(&mut self, key: Oid, head: &[u8]) {
        let length = u32::try_from(head.len()).unwrap_or_default();
        self.heads.extend_from_slice(key.as_bytes());
        self.heads.extend_from_slice(&length.to_le_bytes());
        self.heads.extend_from_slice(&crc32fast::hash(head).to_le_bytes());
        self.heads.extend_from_slice(head);
    }

    /// Adds a tail, whose place is for the head to keep.
    pub(super) fn tail(&mut self, tail: &[u8]) -> Option<TailPlace> {
        let place = TailPlace(self.tails.len() as u64, u32::try_from(tail.len()).ok()?, crc32fast::hash(tail));
        self.tails.extend_from_slice(tail);
        Some(place)
    }

    /// Whether there is no entry.
    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    fn bytes(&self) -> Vec<u8> {
        let lengths = [self.heads.len() as u64, self.tails.len() as u64].map(u64::to_le_bytes).concat();
        let sum = crc32fast::hash(&lengths).to_le_bytes();
        [&lengths[..], &sum, &self.heads, &self.tails].concat()
    }
}

/// The lengths of the heads and tails of the segment at a byte, where the file holds all of it.
fn preamble(file: &File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if length - at < PREAMBLE as u64 {
        return Ok(None);
    }
    let mut bytes = [0; PREAMBLE];
    file.read_exact_at(&mut bytes, at)?;
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
    let (heads, tails) = (word(0), word(8));
    let is_whole = crc32fast::hash(&bytes[..16]).to_le_bytes() == bytes[16..];
    let end = (at + PREAMBLE as u64).checked_add(heads).and_then(|end| end.checked_add(tails));
    Ok(end.filter(|end| is_whole && *end <= length).map(|_| (heads, tails)))
}

/// The key of the entry that begins at a byte, and where its head is.
fn frame(heads: &[u8], at: usize) -> Option<(Oid, Range<usize>)> {
    let frame = heads.get(at..at + FRAME)?;
    let key = Oid::from_bytes(&frame[..20]).ok()?;
    let length = u32::from_le_bytes(frame[20..24].try_into().ok()?) as usize;
    let bytes = at + FRAME..(at + FRAME).checked_add(length)?;
    (bytes.end <= heads.len()).then_some((key, bytes))
}
