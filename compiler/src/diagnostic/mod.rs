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
    /// Where it is.
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

impl Finding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}
