//! From the spreadsheet of carrier relations to a configuration repository (US-OPS-07).
//!
//! Bytes become records ([`records`], [`decode`]), columns get a meaning ([`header`]), each row becomes an operator or the
//! reasons why not ([`row`], [`cell`]), rows are held against each other and the repository ([`accept`]), and what stands is
//! written as YAML ([`document`], [`contracts`]) and compiled together with the repository: what `check` would refuse is
//! refused here, with the same code. Every row ends in the [`report`].
//!
//! Nothing is read or written here: files come in and go out as texts. A password leaves a row only as a sealed value; no
//! report, error or document holds any part of it.

mod accept;
mod cell;
mod contact;
mod contracts;
mod decode;
mod document;
mod gate;
mod header;
mod names;
mod records;
mod report;
mod row;
mod seal;
mod slug;

use std::collections::BTreeMap;

use bindery_schema::value::OperatorId;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::compile::{self, Compiled, Compiler};
use crate::diagnostic::{Code, Severity};
use crate::source::{LARGEST_FILE, Loaded};

pub use contracts::Terms;
pub use header::Mapping;
pub use report::{Change, Outcome, Reason, Report, Row, Summary};
pub use row::DEFAULT_TPS;

use accept::{Admitted, Register};
use cell::Decimal;
use decode::Encoding;
use header::Columns;
use names::Field;
use records::{Record, Records};

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

/// Which passwords are sealed into the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// None: they are set later.
    None,
    /// Those of operators that have none yet.
    Missing,
    /// All of them.
    All,
}

/// How to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// The present moment.
    pub now: Timestamp,
    /// Name of the spreadsheet, for the report.
    pub source: String,
    /// What the headers mean that are not known.
    pub mapping: Mapping,
    /// What completes contracts.
    pub terms: Option<Terms>,
    /// Take passwords of more than 8 octets.
    pub allow_long_passwords: bool,
    /// Which passwords are sealed.
    pub sealing: Sealing,
    /// Say in the report that nothing is written.
    pub dry_run: bool,
    /// Say in the report that this is the production run.
    pub production: bool,
    /// Who signed the import off.
    pub signed_off_by: Option<String>,
}

/// What an import comes to.
#[derive(Debug)]
pub struct Import {
    /// What became of every row.
    pub report: Report,
    /// The files to write, by path in the repository.
    pub files: BTreeMap<String, String>,
}

/// Reads a spreadsheet against what a repository holds.
pub fn import(bytes: &[u8], existing: &[Loaded], options: &Options) -> Result<Import, Error> {
    let sheet = Sheet::read(bytes, &options.mapping)?;
    // Before anything is read for nothing.
    let recipients = crate::seal::recipients(existing);
    if options.sealing != Sealing::None && recipients.is_empty() {
        return Err(crate::seal::Error::NoRecipients.into());
    }
    let base = compile(existing.to_vec(), options.now);
    if let Some(first) = base.findings.iter().find(|finding| finding.severity() == Severity::Error) {
        let first = format!("{} {}: {}", first.code, base.sources.path(first.primary.file), first.message);
        return Err(Error::Broken { count: base.error_count(), first });
    }
    let nothing = bindery_schema::catalog::Catalog::default();
    let catalog = base.catalog().unwrap_or(&nothing);

    let mut register = Register::new(catalog, existing.iter().map(|file| file.path.clone()));
    let (mut rows, mut admitted) = (Vec::with_capacity(sheet.records.len()), Vec::new());
    for (record, number) in sheet.records.iter().zip(1..) {
        let (row, taken) = sheet.row(record, number, options, &mut register);
        rows.push(row);
        admitted.extend(taken);
    }
    let gate::Passed { mut files, admitted, mut to_do } =
        gate::pass(admitted, &mut rows, existing, catalog, options.terms.as_ref(), options.now)?;
    match options.sealing {
        Sealing::None => {
            let unsealed = admitted.iter().filter(|row| row.candidate.password.is_some()).count();
            if unsealed > 0 {
                to_do.push(format!("{unsealed} passwords were not written: import with --seal, or use `bindery seal`"));
            }
        }
        sealing => seal::put(&admitted, &mut files, existing, catalog, &recipients, sealing == Sealing::All)?,
    }
    let held = |path: &&String| existing.iter().any(|file| *file.path == ***path);
    let report = Report {
        source: options.source.clone(),
        sha256: hex::encode(Sha256::digest(bytes)),
        encoding: sheet.encoding.name(),
        delimiter: char::from(sheet.delimiter),
        dry_run: options.dry_run,
        production: options.production,
        summary: Report::count(&rows),
        rows,
        unused_columns: sheet.columns.unused(),
        created: files.keys().filter(|path| !held(path)).cloned().collect(),
        updated: files.keys().filter(held).cloned().collect(),
        to_do,
        signed_off_by: options.signed_off_by.clone(),
    };
    Ok(Import { report, files })
}

fn compile(files: Vec<Loaded>, now: Timestamp) -> Compiled {
    Compiler::default().compile(files, &compile::Options { now, environment: None })
}

/// A spreadsheet whose columns are known.
struct Sheet {
    encoding: Encoding,
    delimiter: u8,
    decimal: Decimal,
    columns: Columns,
    records: Vec<Record>,
}

/// What may separate cells, the most usual first.
const DELIMITERS: [u8; 4] = *b",;\t|";

impl Sheet {
    fn read(bytes: &[u8], mapping: &Mapping) -> Result<Self, Error> {
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(Error::TooLarge { size: bytes.len() });
        }
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(Error::Utf16);
        }
        let (encoding, body) = decode::detect(bytes);
        let header_in = |delimiter: u8| -> Option<Vec<String>> {
            let header = Records::new(body, delimiter).find(is_header)?;
            let cells = header.cells.iter().map(|cell| encoding.decode(cell)).collect::<Option<_>>();
            cells.filter(|_| !header.unclosed)
        };
        if !Records::new(body, DELIMITERS[0]).any(|record| is_header(&record)) {
            return Err(Error::Empty);
        }
        // The delimiter under which most headers mean something; the first of equals.
        let (delimiter, headers) = DELIMITERS
            .into_iter()
            .rev()
            .filter_map(|delimiter| Some((delimiter, header_in(delimiter)?)))
            .max_by_key(|(_, headers)| (mapping.count(headers), headers.len()))
            .ok_or(Error::Header)?;
        let columns = Columns::find(headers, mapping)?;
        let mut records = Records::new(body, delimiter);
        records.find(is_header);
        let records: Vec<Record> = records.collect();
        let column = columns.column(Field::Cost);
        let costs = records.iter().filter_map(|record| encoding.decode(record.cells.get(column?)?));
        let costs: Vec<String> = costs.collect();
        let decimal = Decimal::of(costs.iter().map(String::as_str));
        Ok(Self { encoding, delimiter, decimal, columns, records })
    }

    /// What becomes of a row, and the operator where it is taken.
    fn row(
        &self,
        record: &Record,
        number: u32,
        options: &Options,
        register: &mut Register<'_>,
    ) -> (Row, Option<Admitted>) {
        let id = || {
            let cell = record.cells.get(self.columns.column(Field::OperatorId)?)?;
            let text = self.encoding.decode(cell)?;
            // In a row out of joint anything may stand here, a password included.
            let is_id = text.trim().parse::<OperatorId>().is_ok();
            let is_in_place = record.cells.len() == self.columns.headers.len() && !cell::is_formula(&text);
            (is_id || is_in_place && !text.trim().is_empty()).then(|| row::short(text.trim()))
        };
        let mut row = Row {
            record: number,
            line: record.line,
            operator: id(),
            outcome: Outcome::Ignored,
            reasons: Vec::new(),
            changes: Vec::new(),
        };
        let cells = match self.cells(record) {
            Ok(Some(cells)) => cells,
            Ok(None) => return (row, None),
            Err(reasons) => {
                (row.outcome, row.reasons) = (Outcome::Refused, reasons);
                return (row, None);
            }
        };
        let reading = row::Reading {
            columns: &self.columns,
            decimal: self.decimal,
            allow_long_passwords: options.allow_long_passwords,
        };
        let read = row::read(&cells, reading);
        row.changes = read.changes;
        row.reasons = read.reasons;
        row.reasons.extend(register.clashes(&read.claims));
        let candidate = read.candidate.filter(|_| row.reasons.is_empty());
        let admitted = candidate.and_then(|candidate| {
            let admitted = register.admit(number, record.line, candidate, read.claims);
            admitted.map_err(|reasons| row.reasons = reasons).ok()
        });
        if let Some(admitted) = admitted.as_ref().filter(|row| row.mno_name != row.candidate.mno_name) {
            row.changes.push(Change {
                column: self.columns.header(Field::MnoName).to_owned(),
                from: admitted.candidate.mno_name.to_string(),
                to: admitted.mno_name.to_string(),
                why: format!("carrier {} is spelt so already", admitted.mno),
            });
        }
        row.outcome = match (row.reasons.is_empty(), row.changes.is_empty()) {
            (false, _) => Outcome::Refused,
            (true, true) => Outcome::Imported,
            (true, false) => Outcome::Normalised,
        };
        (row, admitted)
    }

    /// The cells of a record as text; none where it is blank.
    fn cells(&self, record: &Record) -> Result<Option<Vec<String>>, Vec<Reason>> {
        let cells: Option<Vec<String>> = record.cells.iter().map(|cell| self.encoding.decode(cell)).collect();
        if cells.as_ref().is_some_and(|cells| cells.iter().all(|cell| cell.trim().is_empty())) && !record.unclosed {
            return Ok(None);
        }
        let mut reasons = Vec::new();
        if record.unclosed {
            let message = "the row opens a quote that is never closed".to_owned();
            reasons.push(Reason { code: Code::MalformedRecord, message });
        }
        if cells.is_none() {
            let message = format!("the row has a byte that does not decode as {}", self.encoding.name());
            reasons.push(Reason { code: Code::UnreadableFile, message });
        }
        let (here, wanted) = (record.cells.len(), self.columns.headers.len());
        if here != wanted && !record.unclosed {
            let message = format!("the row has {here} cells, the header has {wanted}");
            reasons.push(Reason { code: Code::MalformedRecord, message });
        }
        if reasons.is_empty() { Ok(cells) } else { Err(reasons) }
    }
}

/// Whether a record is the header: neither blank nor Excel's `sep=;`.
fn is_header(record: &Record) -> bool {
    let separator = record.cells.first().is_some_and(|cell| cell.starts_with(b"sep="));
    !record.is_blank() && !separator
}
