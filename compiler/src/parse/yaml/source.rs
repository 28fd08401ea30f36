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

/// A character with its place.
pub(super) struct Content {
    pub(super) at: Position,
    pub(super) index: usize,
    pub(super) letter: char,
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
        let at = self.byte(index)?;
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

    /// The first character behind the anchor and the tag of a node that begins at a character.
    pub(super) fn behind_properties(&mut self, index: usize, at: Position) -> Option<Content> {
        let mut skips = Skip::Nothing;
        self.find(index, at, |letter| {
            let is_break = matches!(letter, '\n' | '\r');
            match (&skips, letter) {
                (Skip::Comment, _) if !is_break => {}
                (Skip::Property, _) if !letter.is_whitespace() => {}
                (_, '&' | '!') => skips = Skip::Property,
                (_, '#') => skips = Skip::Comment,
                _ if letter.is_whitespace() => skips = Skip::Nothing,
                _ => return true,
            }
            false
        })
    }

    /// The first character of what stands below the mark of a block scalar.
    pub(super) fn below_mark(&mut self, mark: &Content) -> Option<Content> {
        let mut is_below = false;
        self.find(mark.index, mark.at, |letter| {
            is_below |= matches!(letter, '\n' | '\r');
            is_below && !letter.is_whitespace()
        })
    }

    /// The last dash of those that a line begins with, before an item that is not there.
    pub(super) fn dash(&mut self, index: usize, at: Position) -> Option<Position> {
        let byte = self.byte(index)?;
        let before = self.text.get(..byte)?;
        let line = &before[before.rfind(['\n', '\r']).map_or(0, |end| end + 1)..];
        let (mut rest, mut dash) = (line.trim_start(), None);
        while let Some(behind) = rest.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        {
            dash = Some(line.len() - rest.len());
            rest = behind.trim_start();
        }
        let column = u32::try_from(dash?).ok()?.checked_add(1)?;
        (rest.is_empty() || rest.starts_with('#')).then_some(Position { column, ..at })
    }

    /// Whether a character is a colon.
    pub(super) fn is_colon(&mut self, index: usize) -> bool {
        self.byte(index).and_then(|byte| self.text.as_bytes().get(byte)) == Some(&b':')
    }

    fn find(&mut self, index: usize, at: Position, mut is_it: impl FnMut(char) -> bool) -> Option<Content> {
        let byte = self.byte(index)?;
        let (mut at, mut before) = (at, ' ');
        for (index, letter) in (index..).zip(self.text.get(byte..)?.chars()) {
            if is_it(letter) {
                return Some(Content { at, index, letter });
            }
            at = match (before, letter) {
                // Of a carriage return and a line feed the first ends the line.
                ('\r', '\n') => at,
                (_, '\n' | '\r') => Position { line: at.line + 1, column: 1 },
                _ => Position { column: at.column + 1, ..at },
            };
            before = letter;
        }
        None
    }

    /// The byte at which a character begins.
    fn byte(&mut self, index: usize) -> Option<usize> {
        if self.ascii {
            return Some(index);
        }
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

/// What a line holds behind its indentation and its dashes.
pub(super) fn content(line: &str) -> &str {
    let mut content = line.trim_start();
    while let Some(rest) = content.strip_prefix('-').filter(|rest| rest.starts_with([' ', '\t']) || rest.is_empty()) {
        content = rest.trim_start();
    }
    content
}
