//! A spreadsheet: how it is written, which column is which, and what each of its rows says.

use std::sync::Arc;

use super::cell::Decimal;
use super::decode::{self, Encoding};
use super::header::{Columns, Mapping};
use super::names::Field;
use super::passwords::Passwords;
use super::records::{Record, Records};
use super::report::{Outcome, Reason, Row};
use super::row::{self, Candidate, Claims};
use super::{Error, Options};
use crate::diagnostic::Code;
use crate::source::LARGEST_FILE;

/// So many rows has a sheet of Excel. Every one is told of in the report, blank ones included, so a file of line endings
/// alone would take a hundred times its size.
pub(super) const MOST_RECORDS: usize = 1 << 20;

/// A spreadsheet whose columns are known.
pub(super) struct Sheet {
    pub(super) encoding: Encoding,
    pub(super) delimiter: u8,
    decimal: Decimal,
    pub(super) columns: Columns,
    pub(super) records: Vec<Record>,
}

/// A row as far as it can be read by itself.
pub(super) struct Parsed {
    /// Its line of the report, unless other rows or the repository have something against it.
    pub(super) row: Row,
    /// What it says; none where it is blank or out of joint.
    pub(super) said: Option<(Option<Arc<Candidate>>, Claims)>,
}

/// What may separate cells, the most usual first.
const DELIMITERS: [u8; 4] = *b",;\t|";

impl Sheet {
    /// Reads the header; what is wrong with a row is told when the row is read.
    pub(super) fn read(bytes: &[u8], mapping: &Mapping) -> Result<Self, Error> {
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(Error::TooLarge { size: bytes.len() });
        }
        if decode::is_utf16(bytes) {
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
        let records: Vec<Record> = records.take(MOST_RECORDS + 1).collect();
        if records.len() > MOST_RECORDS {
            return Err(Error::TooManyRecords);
        }
        let column = columns.column(Field::Cost);
        let costs = records.iter().filter_map(|record| encoding.decode(record.cells.get(column?)?));
        let costs: Vec<String> = costs.collect();
        let decimal = Decimal::of(costs.iter().map(String::as_str), delimiter);
        Ok(Self { encoding, delimiter, decimal, columns, records })
    }

    /// The passwords of all rows.
    pub(super) fn passwords(&self) -> Passwords {
        Passwords::of(self.records.iter().map(|record| self.cells(record)), &self.columns)
    }

    /// What a row says by itself.
    pub(super) fn row(&self, record: &Record, number: u32, options: &Options, passwords: &Passwords) -> Parsed {
        let mut row = Row {
            record: number,
            line: record.line,
            operator: None,
            outcome: Outcome::Ignored,
            reasons: Vec::new(),
            changes: Vec::new(),
        };
        let cells = self.cells(record);
        if cells.iter().all(|cell| cell.trim().is_empty()) && !record.unclosed {
            return Parsed { row, said: None };
        }
        row.reasons = self.faults(record);
        row.outcome = Outcome::Refused;
        // In a row out of joint anything may stand anywhere, a password where the operator should: nothing of it is shown.
        if cells.len() != self.columns.headers.len() {
            return Parsed { row, said: None };
        }
        let reading = row::Reading {
            record: number,
            columns: &self.columns,
            decimal: self.decimal,
            allow_long_passwords: options.allow_long_passwords,
            passwords,
        };
        let read = row::read(&cells, reading);
        row.operator = read.operator;
        if !row.reasons.is_empty() {
            return Parsed { row, said: None };
        }
        row.changes = read.changes;
        row.reasons = read.reasons;
        Parsed { row, said: Some((read.candidate.map(Arc::new), read.claims)) }
    }

    /// The cells of a record as text.
    fn cells(&self, record: &Record) -> Vec<String> {
        let text = |cell: &Vec<u8>| {
            let decoded = self.encoding.decode(cell);
            decoded.unwrap_or_else(|| String::from_utf8_lossy(cell).into_owned())
        };
        record.cells.iter().map(text).collect()
    }

    /// Why a record cannot be read as a row.
    fn faults(&self, record: &Record) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let (here, wanted) = (record.cells.len(), self.columns.headers.len());
        if record.unclosed {
            let message = "the row opens a quote that is never closed".to_owned();
            reasons.push(Reason { code: Code::MalformedRecord, message });
        }
        if record.cells.iter().any(|cell| self.encoding.decode(cell).is_none()) {
            let message = format!("the row has a byte that does not decode as {}", self.encoding.name());
            reasons.push(Reason { code: Code::UnreadableFile, message });
        }
        if here != wanted && !record.unclosed {
            let message = format!("the row has {here} cells, the header has {wanted}");
            reasons.push(Reason { code: Code::MalformedRecord, message });
        }
        reasons
    }
}

/// Whether a record is the header: neither blank nor Excel's `sep=;`.
fn is_header(record: &Record) -> bool {
    let separator = record.cells.first().is_some_and(|cell| cell.starts_with(b"sep="));
    !record.is_blank() && !separator
}
