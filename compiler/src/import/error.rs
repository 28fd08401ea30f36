//! Why there is no import at all.

use super::sheet::MOST_RECORDS;
use crate::source::LARGEST_FILE;

/// Why there is no import at all. What is wrong with a row is in the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More than bindery reads.
    #[error("the spreadsheet has {size} bytes, more than the {LARGEST_FILE} bindery reads: split it")]
    TooLarge {
        /// How many.
        size: usize,
    },
    /// More than a spreadsheet has.
    #[error("the spreadsheet has more than the {MOST_RECORDS} rows bindery reads: split it")]
    TooManyRecords,
    /// Excel's "Unicode text".
    #[error("the spreadsheet is UTF-16: save it as CSV in UTF-8")]
    Utf16,
    /// There is no header.
    #[error("the spreadsheet has no header row")]
    Empty,
    /// The header is no text.
    #[error("the header row has a byte that is neither UTF-8 nor Windows-1252, or a quote that is never closed")]
    Header,
    /// The first row has hardly a name that is known.
    #[error("the first row is no header bindery knows: give the columns names, or map them with --mapping")]
    NoHeader,
    /// Columns that must be there are not.
    #[error("no column is known as {fields}; map the headers with --mapping (the file has: {headers})")]
    MissingColumns {
        /// The fields.
        fields: String,
        /// What the header has.
        headers: String,
    },
    /// Two columns mean the same.
    #[error("columns `{first}` and `{second}` both mean {field}: give one of them `ignore` in the mapping file")]
    SameColumnTwice {
        /// The first.
        first: String,
        /// The second.
        second: String,
        /// What both mean.
        field: &'static str,
    },
    /// A column of passwords that is taken for something else, or for nothing.
    #[error("column `{header}` looks like one of passwords: give it `password`, or `ignore`, in a --mapping file")]
    UnknownSecret {
        /// The column.
        header: String,
    },
    /// The mapping file cannot be used.
    #[error("the mapping file cannot be used: {why}")]
    Mapping {
        /// Why not.
        why: String,
    },
    /// The repository does not compile without the import.
    #[error("the repository has {count} errors of its own, the first is {first}; run `bindery check`")]
    Broken {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// What was imported breaks something that is no row's fault.
    #[error("the repository would not compile after the import: {finding}")]
    Clash {
        /// What would be wrong.
        finding: String,
    },
    /// A password cannot be sealed.
    #[error(transparent)]
    Seal(#[from] crate::seal::Error),
    /// A sealed password cannot be put into a file that is there.
    #[error("{path}")]
    Edit {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: crate::edit::Error,
    },
}
