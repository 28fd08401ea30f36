//! A walk over the events of a text, for what the tree of it does not tell: which lines begin something, and which
//! brackets are open where the parser gives up. Only texts that hold tabs or are broken are walked.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use super::input::Text;
use super::read::to_span;
use super::source::{Content, Source};
use crate::source::{Position, Span};

/// What came next.
pub(super) enum Step {
    Node(Begun),
    /// The end of something, or nothing that has a place.
    Other,
    End,
    Fault(ScanError),
}

/// A node that begins.
pub(super) struct Begun {
    pub(super) at: Position,
    /// A key of a mapping without braces.
    pub(super) is_block_key: bool,
    pub(super) is_block_scalar: bool,
}

/// A list or mapping that has not ended.
struct Open {
    /// The bracket, where it has one.
    bracket: Option<Position>,
    is_mapping: bool,
    key_is_next: bool,
}

pub(super) struct Walk<'t> {
    parser: Parser<'t, Text<'t>>,
    source: Source<'t>,
    open: Vec<Open>,
    /// Up to this line a scalar or a bracket goes that began before.
    covered: u32,
    /// Where the last scalar or bracket ended.
    reached: Option<Position>,
    /// The last scalar.
    scalar: Option<Span>,
}

impl<'t> Walk<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self {
            parser: Parser::new(Text::of(text)),
            source: Source::of(text),
            open: Vec::new(),
            covered: 0,
            reached: None,
            scalar: None,
        }
    }

    pub(super) fn step(&mut self) -> Step {
        let (event, span) = match self.parser.next_event() {
            None => return Step::End,
            Some(Err(error)) => return Step::Fault(error),
            Some(Ok(event)) => event,
        };
        let place = to_span(span);
        let (is_mapping, is_block_scalar) = match &event {
            Event::Scalar(_, style, ..) => {
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                // A block scalar ends where the next line's content begins, unless it ends the text.
                let ends_before =
                    is_block && place.end.line > place.start.line && place.end.column <= place.start.column;
                // The place of one that is not written may be that of what follows.
                if place.start != place.end {
                    self.covered = place.end.line - u32::from(ends_before);
                    self.scalar = Some(place);
                    let column = if is_block { u32::MAX } else { place.end.column };
                    self.reached = Some(Position { line: self.covered, column });
                }
                (None, is_block)
            }
            Event::Alias(_) => {
                self.reached = Some(place.end);
                (None, false)
            }
            Event::MappingStart(..) => (Some(true), false),
            Event::SequenceStart(..) => (Some(false), false),
            Event::MappingEnd | Event::SequenceEnd => {
                if self.open.pop().is_some_and(|open| open.bracket.is_some()) {
                    self.covered = place.start.line;
                    self.reached = Some(Position { column: place.start.column + 1, ..place.start });
                }
                return Step::Other;
            }
            _ => return Step::Other,
        };
        let is_block_key = self.open.last_mut().is_some_and(|open| {
            let is_key = open.is_mapping && open.key_is_next;
            open.key_is_next = !open.key_is_next;
            is_key && open.bracket.is_none()
        });
        if let Some(is_mapping) = is_mapping {
            let content = self.source.behind_properties(span.start.index(), place.start);
            // One without brackets ends, as the parser has it, where its first member begins.
            let is_bracket = |content: &Content| matches!(content.letter, '[' | '{') && content.at < place.end;
            let bracket = content.filter(is_bracket).map(|content| content.at);
            self.open.push(Open { bracket, is_mapping, key_is_next: true });
        }
        Step::Node(Begun { at: place.start, is_block_key, is_block_scalar })
    }

    /// Up to this line something goes that began before.
    pub(super) fn covered(&self) -> u32 {
        if self.bracket().is_some() { u32::MAX } else { self.covered }
    }

    /// The outermost bracket that is open.
    pub(super) fn bracket(&self) -> Option<Position> {
        self.open.iter().find_map(|open| open.bracket)
    }

    /// Where the last scalar or bracket ended.
    pub(super) fn reached(&self) -> Option<Position> {
        self.reached
    }

    /// The last scalar.
    pub(super) fn scalar(&self) -> Option<Span> {
        self.scalar
    }
}
