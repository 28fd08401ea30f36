//! The lines of a text: which are comments, which are empty, what goes with what.

use std::ops::Range;

/// A text with the way its lines end.
pub(super) struct Page<'t> {
    pub(super) text: &'t str,
    pub(super) ending: &'static str,
}

impl<'t> Page<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let first = text.split_inclusive('\n').next().unwrap_or_default();
        Self { text, ending: if first.ends_with("\r\n") { "\r\n" } else { "\n" } }
    }

    /// The text with a part of it replaced.
    pub(super) fn with(&self, range: Range<usize>, new: &str) -> String {
        [&self.text[..range.start], new, &self.text[range.end..]].concat()
    }

    /// The text without a part of it.
    pub(super) fn without(&self, range: Range<usize>) -> String {
        self.with(range, "")
    }

    /// Lines, each with its end.
    pub(super) fn lines(&self, lines: &[String]) -> String {
        lines.iter().flat_map(|line| [line, self.ending]).collect()
    }

    /// Where the line of a byte begins.
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Where the line of a byte ends, before its line end.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |found| at + found);
        if self.text[at..end].ends_with('\r') { end - 1 } else { end }
    }

    /// Where the line below that of a byte begins.
    pub(super) fn next_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |found| at + found + 1)
    }

    /// Bytes before a byte on its line.
    pub(super) fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    /// Whether nothing but spaces is before a byte on its line.
    pub(super) fn begins_line(&self, at: usize) -> bool {
        self.text[self.line_start(at)..at].bytes().all(|byte| byte == b' ')
    }

    /// Whether nothing but a comment is behind a byte on its line.
    pub(super) fn ends_line(&self, at: usize) -> bool {
        let rest = self.text[at..self.line_end(at)].trim_start();
        rest.is_empty() || rest.starts_with('#')
    }

    /// A line that begins at a byte, without its end.
    fn line(&self, start: usize) -> &'t str {
        &self.text[start..self.line_end(start)]
    }

    fn is_blank(&self, start: usize) -> bool {
        start < self.text.len() && self.line(start).trim().is_empty()
    }

    /// Where the comment begins that stands right above a line, as far in as the line itself, and not above `floor`.
    pub(super) fn attached(&self, line: usize, indent: usize, floor: usize) -> usize {
        let mut start = line;
        while start > floor {
            let above = self.line_start(start - 1);
            let content = self.line(above).trim_start_matches(' ');
            if above < floor || !content.starts_with('#') || self.line(above).len() - content.len() != indent {
                break;
            }
            start = above;
        }
        start
    }

    /// Where the line begins that follows what ends at a byte, and the comments below that are farther in than `indent`.
    pub(super) fn below(&self, end: usize, indent: usize) -> usize {
        let mut next = self.next_line(end);
        let mut line = next;
        while line < self.text.len() {
            let content = self.line(line).trim_start_matches(' ');
            let is_inside = content.starts_with('#') && self.line(line).len() - content.len() > indent;
            if !is_inside && !self.is_blank(line) {
                break;
            }
            line = self.next_line(line);
            if is_inside {
                next = line;
            }
        }
        next
    }

    /// The text without some lines. Of the empty lines around them none is left that had only them to part; `first` says
    /// that what is above them is what they belong to.
    pub(super) fn without_lines(&self, lines: Range<usize>, first: bool) -> String {
        let Range { mut start, mut end } = lines;
        let above =
            |start: usize| (start > 0).then(|| self.line_start(start - 1)).filter(|above| self.is_blank(*above));
        if end == self.text.len() {
            while let Some(above) = above(start) {
                start = above;
            }
        } else if first || above(start).is_some() {
            while self.is_blank(end) {
                end = self.next_line(end);
            }
        }
        self.without(start..end)
    }
}
