//! Files of a compile by number, and places in them.

use std::sync::{Arc, OnceLock};

use super::Origin;

/// A file of one compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub(crate) u32);

/// A place in a file: 1-based line and character (Unicode scalar value).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Character in the line, from 1.
    pub column: u32,
}

impl Position {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// A stretch of text, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First character.
    pub start: Position,
    /// The one after the last.
    pub end: Position,
}

impl Span {
    /// The place for what concerns a whole file.
    pub const FILE: Self = Self { start: Position::START, end: Position::START };
}

/// Every file of a compile: its path, and its text, which is read when it is first asked for.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<(Arc<str>, OnceLock<Arc<str>>)>,
    origin: Arc<Origin>,
}

impl SourceMap {
    /// A map of files in the order of their numbers, sorted by path.
    pub fn new(files: Vec<(Arc<str>, Arc<str>)>) -> Self {
        let files = files.into_iter().map(|(path, text)| (path, OnceLock::from(text))).collect();
        Self { files, origin: Arc::new(Origin::Memory) }
    }

    /// A map of files, sorted by path, whose texts are read from where they came from unless they are at hand.
    pub(crate) fn lazy(files: impl Iterator<Item = (Arc<str>, Option<Arc<str>>)>, origin: Arc<Origin>) -> Self {
        let files = files.map(|(path, text)| (path, text.map_or_else(OnceLock::new, OnceLock::from))).collect();
        Self { files, origin }
    }

    /// The path of a file.
    pub fn path(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |(path, _)| path)
    }

    /// The path of a file, to keep.
    pub(crate) fn shared_path(&self, file: FileId) -> Arc<str> {
        self.files.get(file.0 as usize).map(|(path, _)| path.clone()).unwrap_or_default()
    }

    /// The text of a file; empty where it could not be read.
    pub fn text(&self, file: FileId) -> &str {
        let Some((path, text)) = self.files.get(file.0 as usize) else { return "" };
        text.get_or_init(|| self.origin.text(path))
    }

    /// The number of a path.
    pub fn find(&self, path: &str) -> Option<FileId> {
        let index = self.files.binary_search_by(|(known, _)| (**known).cmp(path)).ok()?;
        u32::try_from(index).ok().map(FileId)
    }

    /// The number of every file, in path order.
    pub fn files(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..u32::try_from(self.files.len()).unwrap_or(u32::MAX)).map(FileId)
    }

    /// The same map with files whose paths sort behind all that are in it.
    #[must_use]
    pub fn followed_by(mut self, files: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> Self {
        self.files.extend(files.into_iter().map(|(path, text)| (path, OnceLock::from(text))));
        debug_assert!(self.files.is_sorted_by(|a, b| a.0 < b.0), "a file is found by its path");
        self
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}
