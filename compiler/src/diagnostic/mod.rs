//! Findings as data: what is wrong, where, where else to look, what to do. Rendered in [`render`], never here.

mod code;
pub mod render;
mod sink;

use crate::source::{FileId, Span};

pub use code::{Code, Severity};
pub(crate) use sink::{Anchor, Draft, Place, Sink, locate};

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of fault.
    pub code: Code,
    /// One line, lower case, no full stop, the values in backticks.
    pub message: String,
    /// Where it is; [`Location::NOWHERE`] for a plan.
    pub primary: Location,
    /// The other places that belong to it.
    pub related: Vec<Related>,
    /// What to do.
    pub help: Option<String>,
    /// What repairs it, where that is certain.
    pub fix: Option<Fix>,
    /// Id of the object it is about, as acknowledgements name it.
    pub object: Option<String>,
}

/// A stretch of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file.
    pub file: FileId,
    /// The stretch.
    pub span: Span,
}

/// Another place that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub location: Location,
    /// What is there.
    pub message: String,
}

/// A replacement that repairs a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

impl Location {
    /// The place of what stands in no file, such as a plan.
    pub const NOWHERE: Self = Self { file: FileId(u32::MAX), span: Span::FILE };
}

impl Finding {
    /// Where it is; none where it is about no file.
    pub fn place(&self) -> Option<Location> {
        (self.primary != Location::NOWHERE).then_some(self.primary)
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}
