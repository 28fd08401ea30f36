//! A spreadsheet: how it is written, which column is which, and what becomes of each of its rows.

use super::accept::{Admitted, Register};
use super::cell::Decimal;
use super::decode::{self, Encoding};
use super::header::{Columns, Mapping};
use super::names::Field;
use super::records::{Record, Records};
use super::report::{Change, Outcome, Reason, Row};
use super::{Error, Options, row};
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

    /// What becomes of a row, and the operator where it is taken.
    pub(super) fn row(
        &self,
        record: &Record,
        number: u32,
        options: &Options,
        register: &mut Register<'_>,
    ) -> (Row, Option<Admitted>) {
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
            return (row, None);
        }
        row.reasons = self.faults(record);
        row.outcome = Outcome::Refused;
        // In a row out of joint anything may stand anywhere, a password where the operator should: nothing of it is shown.
        if cells.len() != self.columns.headers.len() {
            return (row, None);
        }
        let reading = row::Reading {
            columns: &self.columns,
            decimal: self.decimal,
            allow_long_passwords: options.allow_long_passwords,
        };
        let read = row::read(&cells, reading);
        row.operator = read.operator;
        if !row.reasons.is_empty() {
            return (row, None);
        }
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
