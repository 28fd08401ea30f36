//! Where tokens begin and end. The parser says what comes next; this finds it in the text, and is lost rather than wrong.

/// A place in a text that only moves on.
pub(super) struct Scanner<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

/// The text is not written as the parser's events say.
#[derive(Debug)]
pub(super) struct Lost;

impl Scanner<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Bytes before the place on its line.
    pub(super) fn column(&self) -> usize {
        self.at - self.text[..self.at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Passes over blanks, line ends and comments.
    pub(super) fn trivia(&mut self) {
        loop {
            let blank = self.text[self.at..].bytes().take_while(u8::is_ascii_whitespace).count();
            self.at += blank;
            let opens = self.at == 0 || self.text.as_bytes()[self.at - 1].is_ascii_whitespace();
            if !(opens && self.peek() == Some(b'#')) {
                return;
            }
            self.line();
        }
    }

    /// Passes over what separates the members of a bracket.
    pub(super) fn gap(&mut self) {
        self.trivia();
        while self.take(b',').is_ok() {
            self.trivia();
        }
    }

    /// Passes to the end of the line.
    pub(super) fn line(&mut self) {
        self.at += self.text[self.at..].find('\n').unwrap_or(self.text.len() - self.at);
    }

    pub(super) fn take(&mut self, byte: u8) -> Result<usize, Lost> {
        if self.peek() != Some(byte) {
            return Err(Lost);
        }
        self.at += 1;
        Ok(self.at - 1)
    }

    /// Passes over a mark such as `---` that begins its line.
    pub(super) fn mark(&mut self, mark: &str) -> Option<usize> {
        let rest = self.text[self.at..].strip_prefix(mark).filter(|_| self.column() == 0)?;
        if !rest.is_empty() && !rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            return None;
        }
        self.at += mark.len();
        Some(self.at - mark.len())
    }

    /// Passes over an anchor, an alias or a tag.
    pub(super) fn word(&mut self, first: &[u8]) -> Result<usize, Lost> {
        let begin = self.at;
        if !self.peek().is_some_and(|byte| first.contains(&byte)) {
            return Err(Lost);
        }
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}');
        self.at += self.text[begin..].find(ends).unwrap_or(self.text.len() - begin);
        Ok(begin)
    }

    /// Passes over a scalar in quotes.
    pub(super) fn quoted(&mut self) -> Result<(), Lost> {
        let quote = self.peek().filter(|byte| matches!(byte, b'"' | b'\'')).ok_or(Lost)?;
        self.at += 1;
        loop {
            let byte = self.peek().ok_or(Lost)?;
            self.at += 1;
            if byte == b'\\' && quote == b'"' {
                let escaped = self.text.get(self.at..).and_then(|rest| rest.chars().next()).ok_or(Lost)?;
                self.at += escaped.len_utf8();
            } else if byte == quote && !(quote == b'\'' && self.take(b'\'').is_ok()) {
                return Ok(());
            }
        }
    }

    /// Passes over a scalar without quotes, which reads as `value`: line ends in it are folded.
    pub(super) fn plain(&mut self, value: &str) -> Result<(), Lost> {
        let mut folded = false;
        for letter in value.chars() {
            let rest = &self.text[self.at..];
            let gap = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            if matches!(letter, ' ' | '\n') && rest[..gap].contains('\n') {
                self.at += gap;
                folded = true;
            } else if rest.starts_with(letter) {
                self.at += letter.len_utf8();
                folded = false;
            } else if !(letter == '\n' && folded) {
                return Err(Lost);
            }
        }
        Ok(())
    }

    /// Passes over a block scalar whose owner stands `parent` bytes in; says where its mark ends.
    pub(super) fn block(&mut self, parent: Option<usize>) -> Result<usize, Lost> {
        self.peek().filter(|byte| matches!(byte, b'|' | b'>')).ok_or(Lost)?;
        let rest = &self.text[self.at + 1..];
        let indicators = &rest[..rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-'))).unwrap_or(0)];
        let header = self.at + 1 + indicators.len();
        let stated = indicators.bytes().find(u8::is_ascii_digit).map(|digit| usize::from(digit - b'0'));
        let keeps = indicators.contains('+');
        self.line();
        let (mut end, mut indent) = (header, stated.map(|stated| parent.unwrap_or(0) + stated));
        let mut next = self.at;
        while next < self.text.len() {
            let line = &self.text[next + 1..];
            let line = line.split_inclusive('\n').next().unwrap_or_default().trim_end_matches(['\r', '\n']);
            let spaces = line.len() - line.trim_start_matches(' ').len();
            let line_end = next + 1 + line.len();
            let is_blank = spaces == line.len();
            if !is_blank && indent.is_none() {
                indent = Some(spaces).filter(|spaces| parent.is_none_or(|parent| *spaces > parent));
            }
            match indent {
                _ if is_blank && keeps && next + 1 < self.text.len() => end = line_end,
                _ if is_blank => {}
                Some(indent) if spaces >= indent => end = line_end,
                _ => break,
            }
            next = self.text[line_end..].find('\n').map_or(self.text.len(), |found| line_end + found);
        }
        self.at = end;
        Ok(header)
    }
}
