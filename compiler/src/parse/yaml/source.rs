//! The text behind the parser, by the parser's character numbers.

use crate::source::Position;

/// The text behind the parser, for what the parser does not tell: it ends a quoted scalar behind the blanks and the
/// comment that follow it.
pub(super) struct Source<'a> {
    text: &'a str,
    /// One byte a character, so that the one's number is the other's.
    ascii: bool,
    /// A character and its byte; the parser's places only grow.
    reached: (usize, usize),
}

/// What is being passed over before a node's content.
enum Skip {
    Nothing,
    Comment,
    Property,
}

impl<'a> Source<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, ascii: text.is_ascii(), reached: (0, 0) }
    }

    /// Characters of the quoted scalar that begins at a character; none where it goes over lines.
    pub(super) fn quoted(&mut self, index: usize) -> Option<u32> {
        let at = if self.ascii { index } else { self.byte(index)? };
        let rest = self.text.get(at..)?;
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let mut chars = (1..).zip(rest.chars().skip(1)).peekable();
        while let Some((number, c)) = chars.next() {
            match c {
                '\n' | '\r' => return None,
                '\\' if quote == '"' => _ = chars.next_if(|(_, c)| !matches!(c, '\n' | '\r')),
                '\'' if quote == '\'' && chars.next_if(|(_, c)| *c == '\'').is_some() => {}
                c if c == quote => return Some(number + 1),
                _ => {}
            }
        }
        None
    }

    /// The first character behind the anchor and the tag of a node that begins at a character, and its place.
    pub(super) fn behind_properties(&mut self, index: usize, at: Position) -> Option<(Position, char)> {
        let byte = if self.ascii { index } else { self.byte(index)? };
        let (mut place, mut skips, mut before) = (at, Skip::Nothing, ' ');
        for letter in self.text.get(byte..)?.chars() {
            let is_break = matches!(letter, '\n' | '\r');
            match skips {
                Skip::Comment if !is_break => {}
                Skip::Property if !letter.is_whitespace() => {}
                _ => match letter {
                    '&' | '!' => skips = Skip::Property,
                    '#' => skips = Skip::Comment,
                    _ if letter.is_whitespace() => skips = Skip::Nothing,
                    _ => return Some((place, letter)),
                },
            }
            // Of a carriage return and a line feed the first ends the line.
            place = match (before, letter) {
                ('\r', '\n') => place,
                _ if is_break => Position { line: place.line + 1, column: 1 },
                _ => Position { column: place.column + 1, ..place },
            };
            before = letter;
        }
        None
    }

    fn byte(&mut self, index: usize) -> Option<usize> {
        let (character, byte) = self.reached;
        let mut ends = self.text.get(byte..)?.char_indices().map(|(at, _)| byte + at);
        let byte = ends.nth(index.checked_sub(character)?)?;
        self.reached = (index, byte);
        Some(byte)
    }
}

/// The lines of a text as YAML breaks them, without a mark of its encoding.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut after_return = false;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Of a carriage return and a line feed the first ends the line.
    let is_line = move |line: &&str| {
        let is_rest = after_return && *line == "\n";
        after_return = line.ends_with('\r');
        !is_rest
    };
    text.split_inclusive(['\n', '\r']).filter(is_line).map(|line| line.trim_end_matches(['\n', '\r']))
}
