//! A YAML document as a tree in which every node knows its place.
//!
//! The events come from `saphyr-parser` (YAML 1.2); this module adds what the checks need: spans, duplicate keys,
//! resolution of plain scalars by the core schema, and a budget for aliases.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::source::{Position, Span};

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    pub(crate) span: Span,
    pub(crate) value: Value<'a>,
}

#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Scalar(Scalar<'a>),
    Sequence(Vec<Node<'a>>),
    Mapping(Vec<(Node<'a>, Node<'a>)>),
}

/// A scalar before anyone decides what it means.
#[derive(Debug, Clone)]
pub(crate) struct Scalar<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Without quotes and without a `!!str` tag: the core schema decides its type.
    pub(crate) plain: bool,
}

/// What the core schema makes of a plain scalar (YAML 1.2.2, 10.3.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    /// A whole number; saturated where it does not fit.
    Int(i128),
    Float(f64),
    Text,
}

/// Why no tree came out.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Not YAML, from this place on.
    Syntax { at: Position, message: String },
    /// Aliases multiply the document beyond reason.
    AliasBomb,
    /// Nested beyond reason.
    TooDeep { at: Position },
}

/// A key that stands twice in one mapping.
#[derive(Debug)]
pub(crate) struct DuplicateKey {
    pub(crate) key: String,
    pub(crate) first: Span,
    pub(crate) second: Span,
}

/// Every document of a text up to the first fault.
#[derive(Debug, Default)]
pub(crate) struct Stream<'a> {
    pub(crate) documents: Vec<Node<'a>>,
    pub(crate) duplicates: Vec<DuplicateKey>,
    pub(crate) fault: Option<Fault>,
}

/// Nodes that aliases may add to one file: far above any honest use, far below what would hurt.
const ALIAS_BUDGET: usize = 10_000;
/// Deepest nesting: the deepest kind has nine levels.
const DEEPEST: usize = 64;

/// Parses a text into its documents. Never fails: what came before a fault is kept.
pub(crate) fn read(text: &str) -> Stream<'_> {
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        source: Source::of(text),
        anchors: HashMap::new(),
        spent: 0,
        duplicates: Vec::new(),
    };
    let mut documents = Vec::new();
    let fault = loop {
        match builder.document() {
            Ok(Some(node)) => documents.push(node),
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        }
    };
    Stream { documents, duplicates: builder.duplicates, fault }
}

/// The first anchor, alias or tag of a text, by its line: a tree shows what they mean and no longer that they are there.
pub(crate) fn special(text: &str) -> Option<(u32, &'static str)> {
    let mut parser = Parser::new_from_str(text);
    while let Some(Ok((event, span))) = parser.next_event() {
        let (anchor, tag) = match event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (anchor, tag.is_some())
            }
            Event::Alias(_) => (1, false),
            _ => continue,
        };
        if anchor != 0 || tag {
            return Some((to_span(span).start.line, if tag { "a tag" } else { "an anchor" }));
        }
    }
    None
}

/// The text behind the parser, for what the parser does not tell: it ends a quoted scalar behind the blanks and the
/// comment that follow it.
struct Source<'a> {
    text: &'a str,
    /// One byte a character, so that the one's number is the other's.
    ascii: bool,
    /// A character and its byte; the parser's places only grow.
    reached: (usize, usize),
}

impl<'a> Source<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, ascii: text.is_ascii(), reached: (0, 0) }
    }

    /// Characters of the quoted scalar that begins at a character; none where it goes over lines.
    fn quoted(&mut self, index: usize) -> Option<u32> {
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

    fn byte(&mut self, index: usize) -> Option<usize> {
        let (character, byte) = self.reached;
        let mut ends = self.text.get(byte..)?.char_indices().map(|(at, _)| byte + at);
        let byte = ends.nth(index.checked_sub(character)?)?;
        self.reached = (index, byte);
        Some(byte)
    }
}

struct Builder<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    source: Source<'a>,
    anchors: HashMap<usize, (Node<'a>, usize)>,
    spent: usize,
    duplicates: Vec<DuplicateKey>,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let mut place = to_span(span);
                if let Event::Scalar(_, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, ..) = event
                    && let Some(length) = self.source.quoted(span.start.index())
                {
                    place.end = Position { column: place.start.column + length, ..place.start };
                }
                Ok((event, place))
            }
            Some(Err(error)) => Err(syntax(&error)),
            None => Ok((Event::StreamEnd, Span::FILE)),
        }
    }

    fn document(&mut self) -> Result<Option<Node<'a>>, Fault> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(None),
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (event, span) => {
                    self.anchors.clear();
                    return self.node(event, span, 0).map(Some);
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node<'a>, Fault> {
        if depth > DEEPEST {
            return Err(Fault::TooDeep { at: span.start });
        }
        let (value, anchor, end) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !tag.as_deref().is_some_and(is_string_tag);
                (Value::Scalar(Scalar { text, plain }), anchor, span.end)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, close) => break closing(close),
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                };
                let end =
                    items.last().map_or(end, |last| if end.line > last.span.end.line { last.span.end } else { end });
                (Value::Sequence(items), anchor, end)
            }
            Event::MappingStart(anchor, _) => {
                let mut entries: Vec<(Node<'a>, Node<'a>)> = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::MappingEnd, close) => break closing(close),
                        (event, span) => {
                            let key = self.node(event, span, depth + 1)?;
                            let (event, span) = self.next()?;
                            entries.push((key, self.node(event, span, depth + 1)?));
                        }
                    }
                };
                self.note_duplicates(&entries);
                let end = entries
                    .last()
                    .map_or(end, |(_, last)| if end.line > last.span.end.line { last.span.end } else { end });
                (Value::Mapping(entries), anchor, end)
            }
            Event::Alias(id) => return self.alias(id, span),
            _ => return Err(Fault::Syntax { at: span.start, message: "a value is missing".to_owned() }),
        };
        let node = Node { span: Span { start: span.start, end }, value };
        if anchor != 0 {
            let size = node.size();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    /// The anchored node once more, at the alias's place.
    fn alias(&mut self, id: usize, span: Span) -> Result<Node<'a>, Fault> {
        let Some((node, size)) = self.anchors.get(&id) else {
            return Err(Fault::Syntax { at: span.start, message: "the alias stands inside its own anchor".to_owned() });
        };
        self.spent += size;
        if self.spent > ALIAS_BUDGET {
            return Err(Fault::AliasBomb);
        }
        Ok(Node { span, value: node.value.clone() })
    }

    fn note_duplicates(&mut self, entries: &[(Node<'a>, Node<'a>)]) {
        // A rule has a few keys and there are a million rules: comparing few keys is cheaper than hashing them.
        const FEW: usize = 16;
        let twice = |n: usize| entries[..n].iter().any(|(key, _)| key.as_text() == entries[n].0.as_text());
        if entries.len() <= FEW && !(1..entries.len()).any(twice) {
            return;
        }
        let mut seen = HashMap::with_capacity(entries.len());
        for (key, _) in entries {
            let Some(name) = key.as_text() else { continue };
            match seen.entry(name) {
                Entry::Vacant(vacant) => _ = vacant.insert(key.span),
                Entry::Occupied(first) => {
                    let (key, second) = (name.to_owned(), key.span);
                    self.duplicates.push(DuplicateKey { key, first: *first.get(), second });
                }
            }
        }
    }
}

impl Node<'_> {
    /// The text of a scalar, whatever it means.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A key with its value.
    pub(crate) fn entry(&self, key: &str) -> Option<(&Self, &Self)> {
        let Value::Mapping(entries) = &self.value else { return None };
        entries.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(name, value)| (name, value))
    }

    /// The place that stands for the node: a mapping's first key, anything else itself.
    pub(crate) fn head(&self) -> Span {
        match &self.value {
            Value::Mapping(entries) => entries.first().map_or(self.span, |(key, _)| key.span),
            _ => self.span,
        }
    }

    /// The node as JSON.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(entries) => {
                let member = |(key, value): &(Self, Self)| Some((key.as_text()?.to_owned(), value.to_json()));
                entries.iter().filter_map(member).collect::<serde_json::Map<_, _>>().into()
            }
            Value::Scalar(scalar) => match scalar.resolve() {
                Resolved::Null => serde_json::Value::Null,
                Resolved::Bool(value) => value.into(),
                Resolved::Int(value) => i64::try_from(value).map_or(serde_json::Value::Null, Into::into),
                Resolved::Float(value) => value.into(),
                Resolved::Text => (*scalar.text).into(),
            },
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) => 0,
            Value::Sequence(items) => items.iter().map(Node::size).sum(),
            Value::Mapping(entries) => entries.iter().map(|(key, value)| key.size() + value.size()).sum(),
        }
    }
}

impl Scalar<'_> {
    /// What YAML's core schema makes of it.
    pub(crate) fn resolve(&self) -> Resolved {
        if !self.plain {
            return Resolved::Text;
        }
        match &*self.text {
            "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
            "true" | "True" | "TRUE" => Resolved::Bool(true),
            "false" | "False" | "FALSE" => Resolved::Bool(false),
            text => number(text),
        }
    }
}

fn number(text: &str) -> Resolved {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let first = unsigned.bytes().next().unwrap_or_default();
    if !first.is_ascii_digit() && first != b'.' {
        return Resolved::Text;
    }
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| digits.bytes().all(|b| (b'0'..=b'7').contains(&b))) {
        return i128::from_str_radix(digits, 8).map_or(Resolved::Text, Resolved::Int);
    }
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
        return i128::from_str_radix(digits, 16).map_or(Resolved::Text, Resolved::Int);
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return Resolved::Int(text.parse().unwrap_or(i128::MAX));
    }
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Resolved::Float(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        _ => {}
    }
    // Rust reads a superset of the core schema's floats (`inf`, `1_0` it does not): digits, point and exponent only.
    let shape = unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if shape { text.parse().map_or(Resolved::Text, Resolved::Float) } else { Resolved::Text }
}

fn is_string_tag(tag: &Tag) -> bool {
    tag.suffix == "str" && tag.is_yaml_core_schema()
}

fn to_position(marker: &saphyr_parser::Marker) -> Position {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(marker.line()).max(1), column: number(marker.col()).saturating_add(1) }
}

fn to_span(span: saphyr_parser::Span) -> Span {
    Span { start: to_position(&span.start), end: to_position(&span.end) }
}

/// The end of a list or mapping. A bracket's place goes on behind the blanks and the comment that follow it.
fn closing(close: Span) -> Position {
    if close.start == close.end {
        return close.end;
    }
    Position { column: close.start.column + 1, ..close.start }
}

fn syntax(error: &ScanError) -> Fault {
    Fault::Syntax { at: to_position(error.marker()), message: error.info().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Resolved {
        let Value::Scalar(scalar) = read(text).documents.remove(0).value else { panic!("no scalar: {text}") };
        scalar.resolve()
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, resolved) in [
            ("no", Resolved::Text),
            ("22:00", Resolved::Text),
            ("NO", Resolved::Text),
            ("\"93\"", Resolved::Text),
            ("!!str 93", Resolved::Text),
            ("+9379", Resolved::Int(9379)),
            ("0093", Resolved::Int(93)),
            ("0o17", Resolved::Int(15)),
            ("9.37E+04", Resolved::Float(93700.0)),
            ("3.4", Resolved::Float(3.4)),
            ("~", Resolved::Null),
            ("True", Resolved::Bool(true)),
            ("1.2.3", Resolved::Text),
            ("1e", Resolved::Text),
            ("2026-01-01", Resolved::Text),
        ] {
            assert_eq!(scalar(text), resolved, "{text}");
        }
    }

    #[test]
    fn places_are_lines_and_characters() {
        let stream = read("ä: {b: \"cd\"}\nlist:\n  - x\n");
        let root = &stream.documents[0];
        let b = root.get("ä").unwrap().get("b").unwrap();
        assert_eq!((b.span.start.line, b.span.start.column, b.span.end.column), (1, 8, 12));
        assert_eq!(root.get("list").unwrap().span.start.line, 3);
    }

    #[test]
    fn a_quoted_scalar_ends_at_its_quote() {
        for head in ["", "# ä\r\n"] {
            let text = format!("{head}a: \"x\"  # c\nb: 'it''s'   # c\nc: [\"\\\"\" , 1]  # c\n\"d\" : \"x\n  y\" \n");
            let stream = read(&text);
            let root = &stream.documents[0];
            let columns = |node: &Node<'_>| (node.span.start.column, node.span.end.column);
            assert_eq!(columns(root.get("a").unwrap()), (4, 7));
            assert_eq!(columns(root.get("b").unwrap()), (4, 11));
            let Value::Sequence(items) = &root.get("c").unwrap().value else { panic!("no list") };
            assert_eq!(columns(&items[0]), (5, 9));
            assert_eq!(columns(root.entry("d").unwrap().0), (1, 4));
            assert_eq!(columns(root.get("c").unwrap()), (4, 14));
            assert_eq!(root.get("d").unwrap().span.end.line, root.get("d").unwrap().span.start.line + 1);
        }
    }

    #[test]
    fn aliases_have_a_budget_and_duplicates_are_kept() {
        let bomb = (0..12).fold("a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |text, i| {
            let refs = vec![format!("*a{i}"); 8].join(", ");
            format!("{text}a{}: &a{} [{refs}]\n", i + 1, i + 1)
        });
        assert!(matches!(read(&bomb).fault, Some(Fault::AliasBomb)));
        let stream = read("a: 1\nb: 2\na: 3\n");
        assert_eq!(stream.duplicates[0].second.start.line, 3);
        assert!(matches!(read(&"[".repeat(200)).fault, Some(Fault::TooDeep { .. })));
    }
}
