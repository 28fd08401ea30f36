//! Records and cells of delimited text (RFC 4180, with any delimiter and any line ending).
//!
//! The `csv` crate passes over blank lines and lets a quote that is never closed swallow the rest of the file. Here every
//! line belongs to a record with its number, and such a quote spoils its own line alone.

/// A record with its place.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The line it begins in, from 1.
    pub(super) line: u32,
    /// Its cells, quotes removed.
    pub(super) cells: Vec<Vec<u8>>,
    /// A quote was opened and never closed; the cells are those of its first line.
    pub(super) unclosed: bool,
}

/// Reads records one after the other, blank ones included. What follows the last line ending is no record when it is
/// empty.
pub(super) struct Records<'b> {
    bytes: &'b [u8],
    delimiter: u8,
    at: usize,
    line: u32,
    /// Cells may span lines. Once a quote has no end in the whole file every further line stands for itself.
    multiline: bool,
    /// Bytes that may still be read in vain: looking for the end of stray quotes again and again would make the time
    /// quadratic.
    patience: usize,
}

impl<'b> Records<'b> {
    pub(super) fn new(bytes: &'b [u8], delimiter: u8) -> Self {
        Self { bytes, delimiter, at: 0, line: 1, multiline: true, patience: bytes.len().saturating_mul(4) }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let mut scan = scan(self.bytes, self.at, self.delimiter, self.multiline);
        if scan.unclosed && self.multiline {
            self.patience = self.patience.saturating_sub(scan.next - self.at);
            self.multiline = scan.next < self.bytes.len() && self.patience > 0;
            scan = self::scan(self.bytes, self.at, self.delimiter, false);
        }
        let record = Record { line: self.line, cells: scan.cells, unclosed: scan.unclosed };
        self.line += scan.lines;
        self.at = scan.next;
        Some(record)
    }
}

impl Record {
    /// Whether nothing but blanks is in it.
    pub(super) fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.iter().all(u8::is_ascii_whitespace))
    }
}

/// A record as scanned.
struct Scan {
    cells: Vec<Vec<u8>>,
    unclosed: bool,
    /// Where the next record begins.
    next: usize,
    /// How many line endings were passed.
    lines: u32,
}

/// How many bytes the line ending at a place has; none where there is no line ending.
fn line_ending(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes[at..] {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

/// Whether a cell ends at a place.
fn ends_cell(bytes: &[u8], at: usize, delimiter: u8) -> bool {
    bytes.get(at).is_none_or(|byte| *byte == delimiter || matches!(byte, b'\r' | b'\n'))
}

fn scan(bytes: &[u8], from: usize, delimiter: u8, multiline: bool) -> Scan {
    let (mut at, mut lines) = (from, 0);
    let (mut cells, mut cell) = (Vec::new(), Vec::new());
    let (mut quoted, mut begins) = (false, true);
    while at < bytes.len() {
        let byte = bytes[at];
        let ending = line_ending(bytes, at);
        if let Some(length) = ending
            && (!quoted || !multiline)
        {
            (at, lines) = (at + length, lines + 1);
            break;
        }
        match byte {
            b'"' if quoted && bytes.get(at + 1) == Some(&b'"') => {
                cell.push(b'"');
                at += 1;
            }
            // A quote that closes in a later line and is followed by text was none that closes: the one before had no
            // end, and this one opens a cell of another row.
            b'"' if quoted && lines > 0 && !ends_cell(bytes, at + 1, delimiter) => break,
            b'"' if quoted => quoted = false,
            b'"' if begins => quoted = true,
            _ if byte == delimiter && !quoted => {
                cells.push(std::mem::take(&mut cell));
                begins = true;
                at += 1;
                continue;
            }
            _ => {
                let length = ending.unwrap_or(1);
                cell.extend_from_slice(&bytes[at..at + length]);
                lines += u32::from(ending.is_some());
                at += length - 1;
            }
        }
        begins = false;
        at += 1;
    }
    cells.push(cell);
    Scan { cells, unclosed: quoted, next: at, lines }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<(u32, Vec<String>, bool)> {
        let text_of = |cell: &Vec<u8>| String::from_utf8_lossy(cell).into_owned();
        let records = Records::new(text.as_bytes(), b',');
        records.map(|record| (record.line, record.cells.iter().map(text_of).collect(), record.unclosed)).collect()
    }

    fn row(line: u32, cells: &[&str]) -> (u32, Vec<String>, bool) {
        (line, cells.iter().map(|cell| (*cell).to_owned()).collect(), false)
    }

    #[test]
    fn quotes_lines_and_blank_lines() {
        assert_eq!(texts("a,b\n1,2\n"), [row(1, &["a", "b"]), row(2, &["1", "2"])]);
        assert_eq!(texts("a\r\n\r\nb\rc"), [row(1, &["a"]), row(2, &[""]), row(3, &["b"]), row(4, &["c"])]);
        assert_eq!(texts("\"a,\"\"b\"\"\r\nc\",d\ne"), [row(1, &["a,\"b\"\r\nc", "d"]), row(3, &["e"])]);
        assert_eq!(texts("a\"b,\"c\"d\n,"), [row(1, &["a\"b", "cd"]), row(2, &["", ""])]);
        assert!(texts("").is_empty());
    }

    #[test]
    fn a_quote_that_is_never_closed_spoils_its_own_line() {
        let records = texts("a,\"b\nc,d\ne,f\n");
        assert_eq!(records[0], (1, vec!["a".to_owned(), "b".to_owned()], true));
        assert_eq!(records[1..], [row(2, &["c", "d"]), row(3, &["e", "f"])]);
        // Not even where a later row has quotes of its own.
        let records = texts("a,\"b\nc,d\ne,\"f\"\n\"g\nh\",i\n");
        assert!(records[0].2 && !records[1].2);
        assert_eq!(records[1..], [row(2, &["c", "d"]), row(3, &["e", "f"]), row(4, &["g\nh", "i"])]);
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(cells in prop::collection::vec("[a,\"\r\n ;]{0,6}", 1..5)) {
            let quoted: Vec<String> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            let records = texts(&quoted.join(","));
            prop_assert_eq!(records, vec![(1, cells, false)]);
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let records: Vec<Record> = Records::new(&bytes, b';').collect();
            prop_assert!(records.iter().zip(records.iter().skip(1)).all(|(a, b)| a.line < b.line));
        }
    }
}
