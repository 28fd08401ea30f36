//! Lines of a file with every secret covered, for whatever shows them.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Finding};
use crate::parse::covered;
use crate::parse::secrets::NAMES;
use crate::source::{FileId, SourceMap, Span};

/// The lines of every file some finding is in.
pub(super) struct Lines(BTreeMap<FileId, Vec<String>>);

impl Lines {
    pub(super) fn of(findings: &[Finding], sources: &SourceMap) -> Self {
        let mut files: BTreeMap<FileId, Vec<String>> = BTreeMap::new();
        for finding in findings {
            for location in finding.place().into_iter().chain(finding.related.iter().map(|related| related.location)) {
                files.entry(location.file).or_insert_with(|| by_key(sources.text(location.file)));
            }
            if finding.code == Code::YamlSyntax
                && let Some(lines) = files.get_mut(&finding.primary.file)
            {
                by_word(lines, finding.primary.span.start.line);
            }
            if matches!(finding.code, Code::PlaintextSecret | Code::SealedUnreadable)
                && let Some(lines) = files.get_mut(&finding.primary.file)
            {
                by_span(lines, finding.primary.span);
            }
        }
        Self(files)
    }

    /// A line, from 1, without its end.
    pub(super) fn get(&self, file: FileId, line: u32) -> Option<&str> {
        self.0.get(&file)?.get(line.checked_sub(1)? as usize).map(String::as_str)
    }
}

/// Covers what follows a key that names a secret: with every line of a block scalar below it, and in a mapping below it every
/// value.
fn by_key(text: &str) -> Vec<String> {
    // The indentation of the key, and whether a scalar is below it.
    let mut below: Option<(usize, bool)> = None;
    let cover = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        match below {
            Some((key, true)) if indent > key || line.trim().is_empty() => return stars(line, indent),
            Some((key, false)) if indent > key || line.trim().is_empty() => {
                return stars(line, line.find(": ").map_or(indent, |colon| colon + 1));
            }
            _ => below = None,
        }
        let Some(value) = value_of_secret(line) else { return line.to_owned() };
        let begin = line[value..].trim_start();
        if begin.is_empty() || begin.starts_with(['|', '>', '#']) {
            below = Some((indent, begin.starts_with(['|', '>'])));
        }
        stars(line, value)
    };
    text.lines().map(cover).map(|line| covered(&line).into_owned()).collect()
}

/// Where the value of a secret begins, behind the colon.
fn value_of_secret(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let ends = NAMES.iter().flat_map(|word| lower.match_indices(word).map(|(at, word)| at + word.len()));
    ends.filter_map(|end| {
        let rest = line[end..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
        let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start();
        rest.strip_prefix(':').map(|value| line.len() - value.len())
    })
    .min()
}

/// Covers what follows a word that names a secret, or stands below a line with one: the colon between them may be what is
/// missing.
fn by_word(lines: &mut [String], number: u32) {
    let at = number.saturating_sub(1) as usize;
    let Some(line) = lines.get(at) else { return };
    let indent = |line: &str| line.len() - line.trim_start().len();
    let end = |line: &str| {
        let line = line.to_ascii_lowercase();
        NAMES.iter().filter_map(|word| line.find(word).map(|at| at + word.len())).min()
    };
    let mut least = indent(line);
    let is_below = lines[..at].iter().rev().filter(|line| !line.trim().is_empty()).any(|line| {
        let holds_it = indent(line) < least;
        least = least.min(indent(line));
        holds_it && end(line).is_some()
    });
    if let Some(from) = if is_below { Some(indent(line)) } else { end(line) } {
        lines[at] = stars(line, from);
    }
}

fn by_span(lines: &mut [String], span: Span) {
    let (first, last) = (span.start.line as usize, span.end.line as usize);
    for number in first..=last.max(first) {
        let Some(line) = lines.get_mut(number.saturating_sub(1)) else { break };
        let column = if number == first { span.start.column as usize - 1 } else { 0 };
        // To the end of the line: a span never has to be trusted to be exact.
        let from = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
        *line = stars(line, from);
    }
}

/// The line with a star for every character from a byte on; blanks stay.
fn stars(line: &str, from: usize) -> String {
    let covered = line[from..].chars().map(|c| if c.is_whitespace() { c } else { '*' });
    line[..from].chars().chain(covered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_keys_are_covered() {
        let text = "host: a\nPassword: k3y 7pq\n{\"apiToken\" : \"x\", b: c}\nsecret: |\n  inner\n\n  more\nport: 1\npasswordless yes\n";
        let covered = by_key(text);
        assert_eq!(
            covered,
            [
                "host: a",
                "Password: *** ***",
                "{\"apiToken\" : **** ** **",
                "secret: *",
                "  *****",
                "",
                "  ****",
                "port: 1",
                "passwordless yes"
            ]
        );
    }

    #[test]
    fn values_below_a_secret_key_are_covered() {
        let covered = by_key("credentials:\n  seald: k3y\n  list:\n    - k3y 7pq\ntps: {outbound: 1}\n");
        assert_eq!(covered, ["credentials:", "  seald: ***", "  *****", "    * *** ***", "tps: {outbound: 1}"]);
    }

    #[test]
    fn spans_are_covered_over_lines() {
        use crate::source::Position;
        let mut lines = vec!["a: ü hvs.x".to_owned(), "  rest".to_owned(), "b".to_owned()];
        by_span(&mut lines, Span { start: Position { line: 1, column: 6 }, end: Position { line: 2, column: 3 } });
        assert_eq!(lines, ["a: ü *****", "  ****", "b"]);
    }

    #[test]
    fn what_follows_a_secret_word_is_covered_where_the_colon_is_missing() {
        let text = "a: b\n  smppPassword k3y\nsecret:\n  a: 1\n\n  k3y 7pq\nport 1\n";
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for number in [1, 2, 6, 7, 8] {
            by_word(&mut lines, number);
        }
        assert_eq!(lines, ["a: b", "  smppPassword ***", "secret:", "  a: 1", "", "  *** ***", "port 1"]);
    }
}
