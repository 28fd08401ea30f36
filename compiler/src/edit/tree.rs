//! The documents of a text with the bytes each node is written in.
//!
//! The parser says what follows what, the scanner where it stands. A text in which the two do not agree has no tree.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::scan::{Lost, Scanner};

/// One document.
pub(super) struct Document<'t> {
    /// Where it begins: at its directives or its `---`, or behind what ends the one before it.
    pub(super) begin: usize,
    /// The bytes of its `---`.
    pub(super) mark: Option<usize>,
    pub(super) root: Node<'t>,
}

/// A value.
pub(super) struct Node<'t> {
    /// Its first byte, that of its anchor or tag where it has one.
    pub(super) begin: usize,
    /// The end of what stands in the line of its key or dash, where the rest is below; else `end`.
    pub(super) head: Option<usize>,
    pub(super) end: usize,
    pub(super) form: Form<'t>,
}

/// How a value is written.
pub(super) enum Form<'t> {
    /// Not at all.
    Empty,
    /// A scalar or an alias, on whatever lines.
    Inline,
    /// A scalar below `|` or `>`.
    Block,
    Sequence {
        flow: bool,
        items: Vec<Item<'t>>,
    },
    Mapping {
        flow: bool,
        entries: Vec<Entry<'t>>,
    },
}

/// A member of a list.
pub(super) struct Item<'t> {
    /// The byte of its dash; none in brackets.
    pub(super) dash: Option<usize>,
    pub(super) value: Node<'t>,
}

/// A member of a mapping.
pub(super) struct Entry<'t> {
    pub(super) key: Node<'t>,
    /// The key, where it is a scalar.
    pub(super) name: Option<Cow<'t, str>>,
    /// The byte of its colon; none where there is no value either.
    pub(super) colon: Option<usize>,
    pub(super) value: Node<'t>,
}

impl Node<'_> {
    /// Whether it is a list or mapping with lines of its own.
    pub(super) fn is_block_collection(&self) -> bool {
        matches!(self.form, Form::Sequence { flow: false, .. } | Form::Mapping { flow: false, .. })
    }

    /// Whether it is a list or mapping in brackets.
    pub(super) fn is_flow(&self) -> bool {
        matches!(self.form, Form::Sequence { flow: true, .. } | Form::Mapping { flow: true, .. })
    }
}

impl Entry<'_> {
    /// Behind the colon, or behind the key where there is none.
    pub(super) fn behind(&self) -> usize {
        self.colon.map_or(self.key.end, |colon| colon + 1)
    }
}

/// The documents of a text, as many as the parser has.
pub(super) fn read(text: &str) -> Result<Vec<Document<'_>>, Lost> {
    let mut builder = Builder { parser: Parser::new_from_str(text), scanner: Scanner { text, at: 0 } };
    let mut documents = Vec::new();
    let (mut begin, mut mark) = (0, None);
    loop {
        match builder.next()? {
            Event::StreamEnd => return Ok(documents),
            Event::DocumentStart(explicit) => (begin, mark) = builder.open(explicit)?,
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            event => documents.push(Document { begin, mark, root: builder.node(event, None, false)? }),
        }
    }
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    scanner: Scanner<'t>,
}

impl<'t> Builder<'t> {
    fn next(&mut self) -> Result<Event<'t>, Lost> {
        match self.parser.next_event() {
            Some(event) => event.map(|(event, _)| event).map_err(|_| Lost),
            None => Ok(Event::StreamEnd),
        }
    }

    /// Passes to the content of a document; says where the document begins and where its `---` is.
    fn open(&mut self, explicit: bool) -> Result<(usize, Option<usize>), Lost> {
        let scanner = &mut self.scanner;
        let mut behind = scanner.at;
        scanner.trivia();
        while scanner.mark("...").is_some() {
            scanner.line();
            behind = (scanner.at + 1).min(scanner.text.len());
            scanner.trivia();
        }
        if !explicit {
            return Ok((behind, None));
        }
        let mut directives = None;
        while scanner.peek() == Some(b'%') {
            directives = directives.or(Some(scanner.at));
            scanner.line();
            scanner.trivia();
        }
        let mark = scanner.mark("---").ok_or(Lost)?;
        Ok((directives.unwrap_or(mark), Some(mark)))
    }

    /// A value whose owner, a key or a dash, stands `parent` bytes in.
    fn node(&mut self, event: Event<'t>, parent: Option<usize>, in_flow: bool) -> Result<Node<'t>, Lost> {
        let (anchor, tagged) = match &event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor != 0, tag.is_some())
            }
            _ => (false, false),
        };
        let (mut begin, mut head) = (None, None);
        for _ in 0..usize::from(anchor) + usize::from(tagged) {
            self.scanner.trivia();
            let word = self.scanner.word(b"&!")?;
            (begin, head) = (begin.or(Some(word)), Some(self.scanner.at));
        }
        let is_empty = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text.is_empty());
        if !is_empty {
            self.scanner.trivia();
        }
        let begin = begin.unwrap_or(self.scanner.at);
        let form = match event {
            Event::Scalar(..) if is_empty => Form::Empty,
            Event::Scalar(text, ScalarStyle::Plain, ..) => {
                self.scanner.plain(&text)?;
                Form::Inline
            }
            Event::Scalar(_, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, ..) => {
                self.scanner.quoted()?;
                Form::Inline
            }
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                head = Some(self.scanner.block(parent)?);
                Form::Block
            }
            Event::Alias(_) => {
                self.scanner.word(b"*")?;
                Form::Inline
            }
            Event::SequenceStart(..) => self.sequence(in_flow)?,
            Event::MappingStart(..) => self.mapping(in_flow)?,
            _ => return Err(Lost),
        };
        let node = Node { begin, head, end: self.scanner.at, form };
        let is_below = matches!(node.form, Form::Block) || node.is_block_collection();
        Ok(Node { head: node.head.filter(|_| is_below), ..node })
    }

    fn sequence(&mut self, in_flow: bool) -> Result<Form<'t>, Lost> {
        let flow = self.scanner.take(b'[').is_ok();
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            let (mut dash, mut parent) = (None, None);
            if flow {
                self.scanner.gap();
            } else {
                self.scanner.trivia();
                parent = Some(self.scanner.column());
                dash = Some(self.scanner.take(b'-')?);
            }
            items.push(Item { dash, value: self.node(event, parent, flow || in_flow)? });
        }
        if flow {
            self.scanner.gap();
            self.scanner.take(b']')?;
        }
        Ok(Form::Sequence { flow, items })
    }

    fn mapping(&mut self, in_flow: bool) -> Result<Form<'t>, Lost> {
        let in_braces = self.scanner.take(b'{').is_ok();
        // One pair in brackets needs no braces.
        let flow = in_braces || in_flow;
        let mut entries = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            if in_braces {
                self.scanner.gap();
            } else {
                self.scanner.trivia();
            }
            let parent = Some(self.scanner.column()).filter(|_| !flow);
            if self.scanner.text[self.scanner.at..].starts_with("? ") {
                self.scanner.at += 1;
            }
            let name = match &event {
                Event::Scalar(text, ..) => Some(text.clone()),
                _ => None,
            };
            let key = self.node(event, parent, flow)?;
            self.scanner.trivia();
            let colon = self.scanner.take(b':').ok();
            if colon.is_none() {
                self.scanner.at = key.end;
            }
            let event = self.next()?;
            let value = self.node(event, parent, flow)?;
            entries.push(Entry { key, name, colon, value });
        }
        if in_braces {
            self.scanner.gap();
            self.scanner.take(b'}')?;
        }
        Ok(Form::Mapping { flow, entries })
    }
}
