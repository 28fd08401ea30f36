//! The quick reader: trees without places, of texts that are plainly right. `rlsp-yaml-parser` has the events.

use rlsp_yaml_parser::{Error, Event, ScalarStyle, Span as Bytes, parse_events};

use super::{Node, Scalar, Value};
use crate::source::Span;

/// Deepest nesting: the deepest kind has nine levels.
const DEEPEST: usize = 16;
/// Most keys of a mapping: each is compared with those before it, and no kind has half as many.
const MOST_KEYS: usize = 64;

/// The documents of a text, or nothing where the careful reader should have a look: at faults, keys that stand twice,
/// anchors, tags, directives, block scalars and scalars of several lines.
pub(crate) fn read(text: &str) -> Option<Vec<Node<'_>>> {
    let mut reader = Reader { events: parse_events(text), text };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Some(documents),
            (Event::StreamStart | Event::DocumentEnd { .. }, _) => {}
            (Event::DocumentStart { version: None, tag_directives, .. }, _) if tag_directives.is_empty() => {}
            (event, bytes) => documents.push(reader.node(event, bytes, 0)?),
        }
    }
}

struct Reader<'a, I> {
    events: I,
    text: &'a str,
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

    fn node(&mut self, event: Event<'a>, bytes: Bytes, depth: usize) -> Option<Node<'a>> {
        if depth > DEEPEST {
            return None;
        }
        let value = match event {
            Event::Scalar { value: text, style, meta: None } => {
                let plain = match style {
                    ScalarStyle::Plain => true,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => false,
                    ScalarStyle::Literal(_) | ScalarStyle::Folded(_) => return None,
                };
                let written = self.text.as_bytes().get(bytes.start as usize..bytes.end as usize)?;
                if written.contains(&b'\n') || written.contains(&b'\r') {
                    return None;
                }
                Value::Scalar(Scalar { text, plain })
            }
            Event::SequenceStart { meta: None, .. } => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Value::Sequence(items),
                        (event, bytes) => items.push(self.node(event, bytes, depth + 1)?),
                    }
                }
            }
            Event::MappingStart { meta: None, .. } => {
                let mut entries: Vec<(Node<'a>, Node<'a>)> = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, _) => break Value::Mapping(entries),
                        (event, bytes) => {
                            let key = self.node(event, bytes, depth + 1)?;
                            let name = key.as_text()?;
                            let twice = entries.iter().any(|(before, _)| before.as_text() == Some(name));
                            if twice || entries.len() == MOST_KEYS {
                                return None;
                            }
                            let (event, bytes) = self.next()?;
                            entries.push((key, self.node(event, bytes, depth + 1)?));
                        }
                    }
                }
            }
            _ => return None,
        };
        Some(Node { span: Span::FILE, value })
    }
}
