//! The quick reader: trees without places, of texts that are plainly right. `rlsp-yaml-parser` has the events.
//!
//! Its parser is kind to texts that YAML refuses (`a: : b`, `[x]%`, a value left of its key). So every byte between two
//! scalars is accounted for here, and what is not written as people and programs write it is declined.

use rlsp_yaml_parser::{CollectionStyle, Error, Event, ScalarStyle, Span as Bytes, parse_events};

use super::{Node, Scalar, Value};
use crate::source::Span;

/// Deepest nesting: the deepest kind has nine levels.
const DEEPEST: usize = 16;
/// Most keys of a mapping: each is compared with those before it, and no kind has half as many.
const MOST_KEYS: usize = 64;
/// Longest line with an escape, in bytes: the parser looks at the rest of its line again at each.
const LONGEST_ESCAPED: usize = 4_096;

/// The documents of a text, or nothing where the careful reader should have a look: at faults, keys that stand twice,
/// anchors, tags, directives, block scalars, and whatever goes over several lines between quotes or brackets.
pub(crate) fn read(text: &str) -> Option<Vec<Node<'_>>> {
    if !is_all_plain_ascii(text.as_bytes()) && !text.chars().all(is_plain) {
        return None;
    }
    let mut lines = 0;
    for line in text.lines() {
        let content = behind_blanks(line);
        if !begins_plainly(content) || line.len() > LONGEST_ESCAPED && line.contains('\\') {
            return None;
        }
        lines += usize::from(holds_content(content));
    }
    let mut reader = Reader { events: parse_events(text), text: text.as_bytes(), lines: 0 };
    let mut documents = Vec::new();
    let mut begun = 0;
    loop {
        match reader.next()? {
            // A line that nothing began in was passed over, and so was a document without a node.
            (Event::StreamEnd, _) => return (reader.lines == lines && documents.len() == begun).then_some(documents),
            (Event::StreamStart | Event::DocumentEnd { .. }, _) => {}
            (Event::DocumentStart { version: None, tag_directives, .. }, _) if tag_directives.is_empty() => begun += 1,
            (event, bytes) => documents.push(reader.block_value(event, bytes, false, 0)?),
        }
    }
}

/// No control, no other break than a line feed, and no mark of an encoding.
fn is_plain(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_plain_ascii) || c > '\u{a0}' && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// In pieces, since a loop that may end at any byte takes one at a time.
fn is_all_plain_ascii(text: &[u8]) -> bool {
    text.chunks(64).all(|piece| piece.iter().fold(true, |all, byte| all & is_plain_ascii(*byte)))
}

fn is_plain_ascii(byte: u8) -> bool {
    matches!(byte, b'\n' | b' '..=b'~')
}

/// Whether what a line holds begins with a key, a list's dash, a comment or a document's mark.
fn begins_plainly(content: &str) -> bool {
    let item = content.strip_prefix("- ").map(behind_blanks);
    match item.unwrap_or(content).bytes().next() {
        None | Some(b'#') => item.is_none(),
        Some(b'{' | b'[') => item.is_some(),
        Some(b'"' | b'\'') => true,
        Some(b'-') => content == "---",
        Some(first) => first.is_ascii_alphanumeric(),
    }
}

fn holds_content(content: &str) -> bool {
    !content.is_empty() && !content.starts_with('#') && content != "---"
}

struct Reader<'a, I> {
    events: I,
    text: &'a [u8],
    /// Lines that began with a key or a list's dash.
    lines: usize,
}

impl<'a, I: Iterator<Item = Result<(Event<'a>, Bytes), Error>>> Reader<'a, I> {
    /// The next event that is no comment.
    fn next(&mut self) -> Option<(Event<'a>, Bytes)> {
        loop {
            match self.events.next()?.ok()? {
                (Event::Comment { .. }, _) => {}
                event => return Some(event),
            }
        }
    }

    /// What a document, a list's dash or a key in a line of its own is followed by.
    fn block_value(&mut self, event: Event<'a>, bytes: Bytes, is_item: bool, depth: usize) -> Option<Node<'a>> {
        if depth > DEEPEST {
            return None;
        }
        let value = match event {
            Event::SequenceStart { meta: None, style: CollectionStyle::Block } => {
                let mut items = Vec::new();
                let mut column = None;
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Value::Sequence(items),
                        (event, bytes) => {
                            let (_, dash) = self.line_start(bytes)?;
                            if *column.get_or_insert(dash?) != dash? {
                                return None;
                            }
                            self.lines += 1;
                            items.push(self.block_value(event, bytes, true, depth + 1)?);
                        }
                    }
                }
            }
            Event::MappingStart { meta: None, style: CollectionStyle::Block } => {
                let mut entries: Vec<(Node<'a>, Node<'a>)> = Vec::new();
                let mut indent = None;
                loop {
                    match self.next()? {
                        (Event::MappingEnd, _) => break Value::Mapping(entries),
                        (event, bytes) => {
                            let (column, dash) = self.line_start(bytes)?;
                            let continues_dash = is_item && entries.is_empty();
                            if *indent.get_or_insert(column) != column || dash.is_some() != continues_dash {
                                return None;
                            }
                            self.lines += usize::from(!continues_dash);
                            let (key, end) = self.key(event, bytes, &entries)?;
                            let (event, bytes) = self.next()?;
                            let colon = end + self.blanks(end) + 1;
                            if self.text.get(colon - 1) != Some(&b':') {
                                return None;
                            }
                            let is_in_line = colon + self.blanks(colon) == bytes.start as usize;
                            if !(if is_block(&event) { self.ends_line(colon) } else { is_in_line }) {
                                return None;
                            }
                            entries.push((key, self.block_value(event, bytes, false, depth + 1)?));
                        }
                    }
                }
            }
            event => {
                let (node, end) = self.flow_value(event, bytes, depth)?;
                return self.ends_line(end).then_some(node);
            }
        };
        Some(Node { span: Span::FILE, value })
    }

    /// What stands between brackets, or alone in a line; and where it ends.
    fn flow_value(&mut self, event: Event<'a>, bytes: Bytes, depth: usize) -> Option<(Node<'a>, usize)> {
        if depth > DEEPEST {
            return None;
        }
        let mut end = bytes.start as usize + 1;
        let value = match event {
            Event::Scalar { .. } => return self.scalar(event, bytes),
            Event::SequenceStart { meta: None, style: CollectionStyle::Flow } => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, close) => {
                            end = self.closed(end, close, b']')?;
                            break Value::Sequence(items);
                        }
                        (event, bytes) => {
                            self.follows(end, bytes, items.is_empty())?;
                            let (item, behind) = self.flow_value(event, bytes, depth + 1)?;
                            items.push(item);
                            end = behind;
                        }
                    }
                }
            }
            Event::MappingStart { meta: None, style: CollectionStyle::Flow } => {
                let mut entries: Vec<(Node<'a>, Node<'a>)> = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, close) => {
                            end = self.closed(end, close, b'}')?;
                            break Value::Mapping(entries);
                        }
                        (event, bytes) => {
                            self.follows(end, bytes, entries.is_empty())?;
                            let (key, behind) = self.key(event, bytes, &entries)?;
                            let (event, bytes) = self.next()?;
                            let blanks = self.blanks(behind + 1);
                            let is_next = blanks > 0 && behind + 1 + blanks == bytes.start as usize;
                            if self.text.get(behind) != Some(&b':') || !is_next {
                                return None;
                            }
                            let (value, behind) = self.flow_value(event, bytes, depth + 1)?;
                            entries.push((key, value));
                            end = behind;
                        }
                    }
                }
            }
            _ => return None,
        };
        Some((Node { span: Span::FILE, value }, end))
    }

    /// A key that does not stand in the mapping yet, and where it ends.
    fn key(&self, event: Event<'a>, bytes: Bytes, entries: &[(Node<'a>, Node<'a>)]) -> Option<(Node<'a>, usize)> {
        let (key, end) = self.scalar(event, bytes)?;
        let is_twice = entries.iter().any(|(before, _)| before.as_text() == key.as_text());
        (!is_twice && entries.len() < MOST_KEYS).then_some((key, end))
    }

    /// A scalar of one line, and where it ends.
    fn scalar(&self, event: Event<'a>, bytes: Bytes) -> Option<(Node<'a>, usize)> {
        let Event::Scalar { value: text, style, meta: None } = event else { return None };
        let written = self.text.get(bytes.start as usize..bytes.end as usize)?;
        let (plain, whole) = match style {
            ScalarStyle::Plain => (true, !written.is_empty()),
            ScalarStyle::SingleQuoted => (false, written.len() > 1 && written.ends_with(b"'")),
            ScalarStyle::DoubleQuoted => (false, written.len() > 1 && written.ends_with(b"\"")),
            ScalarStyle::Literal(_) | ScalarStyle::Folded(_) => return None,
        };
        let one_line = !written.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\t'));
        let node = Node { span: Span::FILE, value: Value::Scalar(Scalar { text, plain }) };
        (whole && one_line).then_some((node, bytes.end as usize))
    }

    /// The column of what comes first in its line, and that of the dash before it; nothing where more comes before it.
    fn line_start(&self, bytes: Bytes) -> Option<(usize, Option<usize>)> {
        let all = self.text.get(..bytes.start as usize)?;
        let before = without_blanks(all);
        let dashed = before.strip_suffix(b"-");
        let start = without_blanks(dashed.unwrap_or(before));
        let begins = matches!(start.last(), None | Some(b'\n'));
        begins.then_some((all.len() - start.len(), dashed.map(|dashed| dashed.len() - start.len())))
    }

    /// Nothing where the next member of a bracket does not come right behind it, or behind one comma.
    fn follows(&self, end: usize, next: Bytes, first: bool) -> Option<()> {
        let comma = if first { end } else { end + self.blanks(end) + 1 };
        let is_there = first || self.text.get(comma - 1) == Some(&b',');
        (is_there && comma + self.blanks(comma) == next.start as usize).then_some(())
    }

    /// Where a bracket ends that comes right behind its last member.
    fn closed(&self, end: usize, close: Bytes, bracket: u8) -> Option<usize> {
        let at = end + self.blanks(end);
        (at == close.start as usize && self.text.get(at) == Some(&bracket)).then_some(at + 1)
    }

    /// Whether nothing but a comment follows in the line.
    fn ends_line(&self, end: usize) -> bool {
        let blanks = self.blanks(end);
        match self.text.get(end + blanks) {
            None | Some(b'\n' | b'\r') => true,
            Some(b'#') => blanks > 0,
            Some(_) => false,
        }
    }

    /// How many spaces follow.
    fn blanks(&self, at: usize) -> usize {
        blanks(self.text.get(at..).unwrap_or_default())
    }
}

/// How many spaces a text begins with.
fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b' ').count()
}

fn behind_blanks(line: &str) -> &str {
    &line[blanks(line.as_bytes())..]
}

/// The text without the spaces at its end.
fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|byte| **byte == b' ').count();
    &text[..text.len() - blanks]
}

fn is_block(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::SequenceStart { style: CollectionStyle::Block, .. }
            | Event::MappingStart { style: CollectionStyle::Block, .. }
    )
}
