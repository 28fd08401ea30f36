//! The careful reader: every node with its place, every fault of the text. `saphyr-parser` has the events.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::input::Text;
use super::source::{Content, Source};
use super::{DuplicateKey, Fault, Node, Scalar, Stream, Value, slips, tabs};
use crate::source::{Position, Span};

/// Nodes that aliases may add to one file: far above any honest use, far below what would hurt.
const ALIAS_BUDGET: usize = 10_000;
/// Deepest nesting: the deepest kind has nine levels.
const DEEPEST: usize = 64;

/// Parses a text into its documents. Never fails: what came before a fault is kept.
pub(crate) fn read(text: &str) -> Stream<'_> {
    if let Some(at) = tabs::in_indentation(text) {
        return Stream { fault: Some(tabs::fault(at)), ..Stream::default() };
    }
    let mut builder = Builder {
        parser: Parser::new(Text::of(text)),
        source: Source::of(text),
        anchors: HashMap::new(),
        spent: 0,
        duplicates: Vec::new(),
        index: 0,
        newest: 0,
        of_earlier: 0,
    };
    let mut documents = Vec::new();
    let fault = loop {
        match builder.document() {
            Ok(Some(node)) => documents.push(node),
            Ok(None) => break None,
            Err(Fault::Syntax { at, message, help: None }) => break Some(slips::explain(text, at, &message)),
            Err(fault) => break Some(fault),
        }
    };
    Stream { documents, duplicates: builder.duplicates, fault }
}

/// The first anchor, alias or tag of a text, by its line: a tree shows what they mean and no longer that they are there.
pub(crate) fn special(text: &str) -> Option<(u32, &'static str)> {
    let mut parser = Parser::new(Text::of(text));
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

struct Builder<'a> {
    parser: Parser<'a, Text<'a>>,
    source: Source<'a>,
    anchors: HashMap<usize, (Node<'a>, usize)>,
    spent: usize,
    duplicates: Vec<DuplicateKey>,
    /// The character at which the last event begins.
    index: usize,
    /// The anchor that came last; the parser counts them through all documents.
    newest: usize,
    /// The last anchor of the documents before.
    of_earlier: usize,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let mut place = to_span(span);
                let mut index = span.start.index();
                self.index = index;
                if let Some(content) = self.behind_anchor(&event, index, place.start) {
                    (place.start, index) = (content.at, content.index);
                }
                if let Event::Scalar(_, style, ..) = event
                    && is_quoted(style)
                    && let Some(length) = self.source.quoted(index)
                {
                    place.end = Position { column: place.start.column + length, ..place.start };
                }
                Ok((event, place))
            }
            Some(Err(error)) => Err(syntax(&error)),
            None => Ok((Event::StreamEnd, Span::FILE)),
        }
    }

    /// Where what has an anchor begins: the anchor is no part of it, and stays where a fix writes it anew. A tag is part of it.
    fn behind_anchor(&mut self, event: &Event<'a>, index: usize, at: Position) -> Option<Content> {
        let style = match event {
            Event::Scalar(text, style, 1.., _) if !text.is_empty() || is_quoted(*style) => Some(*style),
            Event::SequenceStart(1.., _) | Event::MappingStart(1.., _) => None,
            _ => return None,
        };
        let content = self.source.behind_properties(index, at)?;
        match style {
            Some(ScalarStyle::Literal | ScalarStyle::Folded) => self.source.below_mark(&content),
            _ => Some(content),
        }
    }

    fn document(&mut self) -> Result<Option<Node<'a>>, Fault> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(None),
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (event, span) => {
                    self.anchors.clear();
                    self.of_earlier = self.newest;
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
                let plain = match tag.as_deref().map(Kind::of) {
                    Some(Kind::Text) => false,
                    Some(Kind::Resolved) => true,
                    Some(Kind::Unknown) | None => style == ScalarStyle::Plain,
                };
                (Value::Scalar(Scalar { text, plain }), anchor, span.end)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, close) => break closing(close),
                        (event, mut span) => {
                            if is_absent(&event)
                                && let Some(dash) = self.source.dash(self.index, span.start)
                            {
                                span = Span { start: dash, end: Position { column: dash.column + 1, ..dash } };
                            }
                            items.push(self.node(event, span, depth + 1)?);
                        }
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
                            // A value that is not there stands at its colon, and in braces may lack that too.
                            let is_elsewhere = is_absent(&event) && !self.source.is_colon(self.index);
                            let span = if is_elsewhere { key.span } else { span };
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
            _ => return Err(Fault::Syntax { at: span.start, message: "a value is missing".to_owned(), help: None }),
        };
        let node = Node { span: Span { start: span.start, end }, value };
        if anchor != 0 {
            self.newest = self.newest.max(anchor);
            let size = node.size();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    /// The anchored node once more, at the alias's place.
    fn alias(&mut self, id: usize, span: Span) -> Result<Node<'a>, Fault> {
        let Some((node, size)) = self.anchors.get(&id) else {
            let (message, help) = if id <= self.of_earlier {
                (
                    "the alias has no anchor in this document",
                    "an anchor counts in its own document: write the value out",
                )
            } else {
                ("the alias stands inside its own anchor", "write the value out")
            };
            return Err(Fault::Syntax { at: span.start, message: message.to_owned(), help: Some(help.to_owned()) });
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

fn is_quoted(style: ScalarStyle) -> bool {
    matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted)
}

/// Whether nothing is written for a value, not even an anchor or a tag.
fn is_absent(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, 0, None) if text.is_empty())
}

/// What the tag of a scalar makes of it.
enum Kind {
    /// `!!str`, and the non-specific `!` (YAML 1.2.2, 6.9.1).
    Text,
    /// Whatever the core schema reads, between quotes too.
    Resolved,
    Unknown,
}

impl Kind {
    fn of(tag: &Tag) -> Self {
        // Written out in full a tag is all suffix.
        if tag.handle.is_empty() && tag.suffix == "!" {
            return Self::Text;
        }
        let full = [&*tag.handle, &*tag.suffix].concat();
        match full.strip_prefix("tag:yaml.org,2002:") {
            Some("str") => Self::Text,
            Some("int" | "float" | "bool" | "null") => Self::Resolved,
            _ => Self::Unknown,
        }
    }
}

pub(super) fn to_position(marker: &saphyr_parser::Marker) -> Position {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(marker.line()).max(1), column: number(marker.col()).saturating_add(1) }
}

pub(super) fn to_span(span: saphyr_parser::Span) -> Span {
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
    Fault::Syntax { at: to_position(error.marker()), message: error.info().to_owned(), help: None }
}
