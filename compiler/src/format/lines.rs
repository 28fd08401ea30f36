//! The lines of a text with their comments, which the parser passes over.

use std::ops::Range;

use super::Unformatted;
use crate::parse::yaml::{Node, Value};
use crate::source::Position;

/// Lines by number from 0, without their ends.
pub(super) struct Lines<'t> {
    pub(super) text: Vec<&'t str>,
    /// How the first of them ends, as all are to.
    pub(super) ending: &'static str,
    comments: Vec<Option<Comment<'t>>>,
    /// Lines that are inside a scalar from an earlier line.
    inner: Vec<bool>,
}

/// A comment with its `#`.
#[derive(Debug, Clone, Copy)]
struct Comment<'t> {
    /// Characters before it.
    column: usize,
    text: &'t str,
    /// Nothing else is on its line.
    alone: bool,
}

/// What a block scalar begins with.
pub(super) struct Header<'t> {
    pub(super) at: Position,
    pub(super) mark: &'t str,
}

/// The lines of one document.
pub(super) struct Part {
    /// The `---` before it, with its comment.
    pub(super) separator: Option<String>,
    pub(super) lines: Range<usize>,
}

/// A scalar's place: where it begins, and where what is not its text goes on.
struct Covered {
    start: Position,
    /// None for a block scalar, whose header may have a comment.
    end: Option<Position>,
    /// Characters before the entry it belongs to.
    parent: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str, documents: &[Node<'_>]) -> Result<Self, Unformatted> {
        let is_windows = text.lines().next().is_some_and(|line| text[line.len()..].starts_with("\r\n"));
        let (text, ending): (Vec<&str>, _) = (text.lines().collect(), if is_windows { "\r\n" } else { "\n" });
        let mut lines = Self { comments: vec![None; text.len()], inner: vec![false; text.len()], text, ending };
        let mut covered = Vec::new();
        for root in documents {
            lines.cover(root, 0, &mut covered)?;
        }
        let (mut number, mut column) = (0, 0);
        let mut scalars = covered.into_iter().peekable();
        while number < lines.text.len() {
            let here = |at: &Position| at.line as usize - 1 == number;
            match scalars.next_if(|scalar| here(&scalar.start)) {
                Some(Covered { end: Some(end), .. }) => {
                    let last = end.line as usize - 1;
                    for inner in lines.inner.iter_mut().take(last + 1).skip(number + 1) {
                        *inner = true;
                    }
                    (number, column) = (last, end.column as usize - 1);
                }
                Some(scalar) => {
                    lines.find_comment(number, scalar.start.column as usize);
                    let content = lines.block(number, scalar.parent);
                    for inner in &mut lines.inner[number + 1..content.end] {
                        *inner = true;
                    }
                    (number, column) = (content.end, 0);
                }
                None => {
                    lines.find_comment(number, column);
                    (number, column) = (number + 1, 0);
                }
            }
        }
        Ok(lines)
    }

    /// Notes every scalar below a node, in the order of the text.
    fn cover(&self, node: &Node<'_>, parent: usize, covered: &mut Vec<Covered>) -> Result<(), Unformatted> {
        match &node.value {
            Value::Scalar(scalar) => {
                let (start, end) = (node.span.start, node.span.end);
                if let Some(header) = self.header(node) {
                    if !matches!(header.mark, "|" | ">" | "|-" | ">-") {
                        let what = "a block scalar with an indicator";
                        return Err(Unformatted::Special { line: header.at.line, what });
                    }
                    covered.push(Covered { start: header.at, end: None, parent });
                } else if !(scalar.plain && scalar.text.is_empty()) {
                    covered.push(Covered { start, end: Some(end), parent });
                }
            }
            Value::Sequence(items) => {
                for item in items {
                    // The dash of a member is the first thing on its line, or stands behind another.
                    self.cover(item, self.indent(node.span.start.line as usize - 1), covered)?;
                }
            }
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    self.cover(key, parent, covered)?;
                    self.cover(value, key.span.start.column as usize - 1, covered)?;
                }
            }
        }
        Ok(())
    }

    /// Looks for a comment on a line, from a column on that is outside of any scalar.
    fn find_comment(&mut self, number: usize, from: usize) {
        let line = self.text[number];
        let mut before = ' ';
        for (column, (at, letter)) in line.char_indices().enumerate() {
            if column >= from && letter == '#' && matches!(before, ' ' | '\t') {
                let alone = line[..at].trim().is_empty();
                self.comments[number] = Some(Comment { column, text: line[at..].trim_end(), alone });
                return;
            }
            before = letter;
        }
    }

    /// The lines of a block scalar's content; its entry begins behind `parent` characters.
    pub(super) fn block(&self, header: usize, parent: usize) -> Range<usize> {
        let below = || self.text.iter().enumerate().skip(header + 1);
        let first = below().find(|(_, line)| !line.trim().is_empty()).map_or(0, |(number, _)| self.indent(number));
        if first <= parent && !(first > 0 && parent == 0) {
            return header + 1..header + 1;
        }
        let mut end = header + 1;
        for (number, line) in below() {
            match line.trim() {
                "" => {}
                _ if self.indent(number) < first => break,
                _ => end = number + 1,
            }
        }
        header + 1..end
    }

    /// The mark of a block scalar; none where a node is something else. The tree knows only where its content begins.
    pub(super) fn header(&self, node: &Node<'_>) -> Option<Header<'t>> {
        let Value::Scalar(scalar) = &node.value else { return None };
        let content = node.span.start.line as usize - 1;
        if scalar.plain || !self.slice(content, 0..node.span.start.column as usize - 1).trim().is_empty() {
            return None;
        }
        let number = (0..content).rev().find(|number| !self.is_blank(*number))?;
        let line = self.text[number];
        let starts = line
            .char_indices()
            .enumerate()
            .filter(|(_, (at, letter))| matches!(letter, '|' | '>') && line[..*at].ends_with([' ', '\t']));
        starts.into_iter().find_map(|(column, (at, _))| {
            let mark = line[at..].split_whitespace().next()?;
            let rest = line[at + mark.len()..].trim();
            let is_mark = mark[1..].chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-'));
            let place = |value: usize| u32::try_from(value + 1).unwrap_or(u32::MAX);
            let at = Position { line: place(number), column: place(column) };
            (is_mark && (rest.is_empty() || rest.starts_with('#'))).then_some(Header { at, mark })
        })
    }

    /// The character a node begins with; a space where there is none.
    pub(super) fn first(&self, node: &Node<'_>) -> char {
        let (line, column) = (node.span.start.line as usize - 1, node.span.start.column as usize - 1);
        self.text.get(line).and_then(|line| line.chars().nth(column)).unwrap_or(' ')
    }

    /// Spaces a line begins with.
    pub(super) fn indent(&self, number: usize) -> usize {
        self.text.get(number).map_or(0, |line| line.len() - line.trim_start_matches(' ').len())
    }

    /// The part of a line between two columns.
    pub(super) fn slice(&self, number: usize, columns: Range<usize>) -> &'t str {
        let line = self.text.get(number).copied().unwrap_or_default();
        let byte = |column| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
        &line[byte(columns.start)..byte(columns.end)]
    }

    /// A comment that has its line for itself, with the characters before it.
    pub(super) fn alone(&self, number: usize) -> Option<(usize, &'t str)> {
        let comment = (*self.comments.get(number)?)?;
        comment.alone.then_some((comment.column, comment.text))
    }

    /// A comment behind something on its line.
    pub(super) fn behind(&self, number: usize) -> Option<&'t str> {
        let comment = (*self.comments.get(number)?)?;
        (!comment.alone).then_some(comment.text)
    }

    pub(super) fn is_blank(&self, number: usize) -> bool {
        self.text.get(number).is_none_or(|line| line.trim().is_empty())
    }

    /// Whether a line has more on it than blanks and a comment.
    pub(super) fn is_content(&self, number: usize) -> bool {
        !self.is_blank(number) && self.alone(number).is_none()
    }

    /// Every comment, sorted: what must still be there.
    pub(super) fn comments(&self) -> Vec<String> {
        let mut all: Vec<String> = self.comments.iter().flatten().map(|comment| comment.text.to_owned()).collect();
        all.sort();
        all
    }

    /// The documents' lines, split at `---`.
    pub(super) fn parts(&self) -> Result<Vec<Part>, Unformatted> {
        let special = |number: usize, what| {
            let line = u32::try_from(number + 1).unwrap_or(u32::MAX);
            Err(Unformatted::Special { line, what })
        };
        let mut parts = vec![Part { separator: None, lines: 0..0 }];
        for (number, line) in self.text.iter().enumerate().filter(|(number, _)| !self.inner[*number]) {
            if line.starts_with('%') {
                return special(number, "a directive");
            }
            let is_mark = |mark: &str| {
                line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
            };
            if is_mark("...") {
                return special(number, "a document end marker");
            }
            if is_mark("---") {
                let rest = line[3..].trim();
                if !(rest.is_empty() || rest.starts_with('#')) {
                    return special(number, "content behind `---`");
                }
                let separator = if rest.is_empty() { "---".to_owned() } else { format!("--- {rest}") };
                parts.push(Part { separator: Some(separator), lines: number + 1..number + 1 });
            }
            if let Some(part) = parts.last_mut() {
                part.lines.end = number + 1;
            }
        }
        let count = self.text.len();
        if let Some(part) = parts.last_mut() {
            part.lines.end = count;
        }
        Ok(parts)
    }
}
