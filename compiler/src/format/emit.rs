//! Writes a document anew, each comment with what it belongs to.
//!
//! The tree is walked in the order of the text, and the lines between two nodes are given to the node they stand above;
//! a comment that is farther in than what follows it ends the list or mapping before it. Only then keys are sorted.

use std::ops::Range;

use super::lines::Lines;
use super::order::Shape;
use super::{Unformatted, quote};
use crate::parse::yaml::{Node, Scalar, Value};

/// Spaces a level.
const STEP: usize = 2;

/// In which order the keys of a mapping are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// That of the schema.
    Schema,
    /// That of the text.
    Text,
}

/// An entry of a mapping with the comments above it.
struct Entry {
    rank: usize,
    above: Vec<String>,
    lines: Vec<String>,
}

/// What stands behind `key:`, and the lines below.
struct Written {
    head: String,
    below: Vec<String>,
}

pub(super) struct Emitter<'l, 't> {
    lines: &'l Lines<'t>,
    order: Order,
    /// The first line that nobody has taken.
    next: usize,
    end: usize,
    /// The last line whose comment behind its content was taken.
    behind: Option<usize>,
}

impl<'l, 't> Emitter<'l, 't> {
    pub(super) fn new(lines: &'l Lines<'t>, order: Order, part: Range<usize>) -> Self {
        Self { lines, order, next: part.start, end: part.end, behind: None }
    }

    /// The lines of a document. The comments above its first key head the document, whatever key comes first.
    pub(super) fn document(mut self, root: Option<&Node<'_>>) -> Result<Vec<String>, Unformatted> {
        let Some(root) = root else { return Ok(self.above(self.end)) };
        let Value::Mapping(entries) = &root.value else {
            return Err(Unformatted::Special { line: root.span.start.line, what: "no mapping" });
        };
        let first = entries.first().map_or(root.span.start.line, |(key, _)| key.span.start.line) as usize - 1;
        let mut written = self.above(first);
        if entries.is_empty() {
            written.push(format!("{{}}{}", self.comment(first)));
            self.next = first + 1;
        } else {
            let shape = Shape::of_kind(root.get("kind").and_then(Node::as_text));
            written.extend(self.mapping(entries, shape, 0)?);
        }
        written.extend(self.above(self.end));
        written.dedup_by(|later, earlier| later.is_empty() && earlier.is_empty());
        Ok(written)
    }

    fn mapping(
        &mut self,
        entries: &[(Node<'_>, Node<'_>)],
        shape: Shape,
        indent: usize,
    ) -> Result<Vec<String>, Unformatted> {
        let pad = " ".repeat(indent);
        let column = entries.first().map_or(0, |(key, _)| key.span.start.column as usize - 1);
        let mut written = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let line = key.span.start.line as usize - 1;
            let above = self.above(line);
            self.next = self.next.max(line + 1);
            let name = self.name(key, false).ok_or(Unformatted::Layout)?;
            let (rank, below) = shape.key(key.as_text().ok_or(Unformatted::Layout)?);
            let value = self.value(line, value, below, indent)?;
            let gap = if value.head.is_empty() { "" } else { " " };
            let mut lines = vec![format!("{pad}{name}:{gap}{}", value.head)];
            lines.extend(value.below);
            written.push(Entry { rank, above, lines });
        }
        let tail = self.tail(column);
        if self.order == Order::Schema {
            written.sort_by_key(|entry| entry.rank);
        }
        let mut lines: Vec<String> = Vec::new();
        let blank_or = |line: String| if line.is_empty() { line } else { format!("{pad}{line}") };
        for entry in written {
            let above = entry.above.into_iter().skip_while(|line| lines.is_empty() && line.is_empty());
            let above: Vec<String> = above.map(blank_or).collect();
            lines.extend(above);
            lines.extend(entry.lines);
        }
        lines.extend(tail.into_iter().map(blank_or));
        Ok(lines)
    }

    fn sequence(
        &mut self,
        node: &Node<'_>,
        items: &[Node<'_>],
        shape: Shape,
        indent: usize,
    ) -> Result<Vec<String>, Unformatted> {
        let pad = " ".repeat(indent);
        let in_brackets = self.is_flow(node);
        let (mut written, mut column) = (Vec::new(), None);
        for item in items {
            let line =
                if in_brackets { item.span.start.line as usize - 1 } else { self.next_content().unwrap_or(self.end) };
            column = column.or(Some(self.lines.indent(line)));
            let mut above = self.above(line);
            let (head, mut below) = match &item.value {
                Value::Mapping(entries) if self.goes_below(item) => {
                    let first = entries.first().map_or(line, |(key, _)| key.span.start.line as usize - 1);
                    let comment = if first > line { self.comment(line) } else { String::new() };
                    self.next = self.next.max(if first > line { line + 1 } else { line });
                    let mut lines = self.mapping(entries, shape.member(), indent + STEP)?;
                    if comment.is_empty() {
                        // The first key moves up to the dash, and the comments above it above that.
                        let is_above = |line: &String| line.is_empty() || line.trim_start().starts_with('#');
                        let keys = lines.iter().position(|line| !is_above(line)).unwrap_or(0);
                        let hoisted = lines.drain(..keys).collect::<Vec<_>>();
                        above.extend(hoisted.into_iter().map(|line| line.trim_start().to_owned()));
                        let first = lines.remove(0);
                        (first.trim_start().to_owned(), lines)
                    } else {
                        (comment.trim_start().to_owned(), lines)
                    }
                }
                Value::Sequence(_) if self.goes_below(item) => return Err(Unformatted::Layout),
                _ => {
                    self.next = self.next.max(line + 1);
                    let value = self.value(line, item, shape.member(), indent)?;
                    (value.head, value.below)
                }
            };
            let above = above.into_iter().skip_while(|line| written.is_empty() && line.is_empty());
            let above: Vec<String> =
                above.map(|line| if line.is_empty() { line } else { format!("{pad}{line}") }).collect();
            written.extend(above);
            written.push(format!("{pad}- {head}").trim_end().to_owned());
            written.append(&mut below);
        }
        let tail = self.tail(column.unwrap_or(0));
        written.extend(tail.into_iter().map(|line| if line.is_empty() { line } else { format!("{pad}{line}") }));
        Ok(written)
    }

    /// A value whose key or dash is on a line.
    fn value(&mut self, line: usize, node: &Node<'_>, shape: Shape, indent: usize) -> Result<Written, Unformatted> {
        let below = match &node.value {
            Value::Scalar(scalar) => return Ok(self.scalar(line, node, scalar, indent)),
            Value::Mapping(entries) if self.goes_below(node) => {
                let head = self.comment(line);
                self.next = self.next.max(line + 1);
                (head, self.mapping(entries, shape, indent + STEP)?)
            }
            Value::Sequence(items) if self.goes_below(node) => {
                let head = self.comment(line);
                self.next = self.next.max(line + 1);
                (head, self.sequence(node, items, shape, indent + STEP)?)
            }
            _ => {
                let text = self.flow(node, shape)?;
                let last = node.span.end.line as usize - 1;
                self.next = self.next.max(last + 1);
                (format!("{text}{}", self.comment(last)), Vec::new())
            }
        };
        Ok(Written { head: below.0.trim_start().to_owned(), below: below.1 })
    }

    fn scalar(&mut self, line: usize, node: &Node<'_>, scalar: &Scalar<'_>, indent: usize) -> Written {
        if scalar.plain && scalar.text.is_empty() {
            return Written { head: self.comment(line).trim_start().to_owned(), below: Vec::new() };
        }
        let (start, end) = (node.span.start, node.span.end);
        let (first, last) = (start.line as usize - 1, end.line as usize - 1);
        let pad = " ".repeat(indent + STEP);
        if let Some(header) = self.lines.header(node) {
            let first = header.at.line as usize - 1;
            let content = self.lines.block(first, self.lines.indent(line));
            let head = format!("{}{}", header.mark, self.comment(first));
            let inner =
                content.clone().find(|number| !self.lines.is_blank(*number)).map_or(0, |n| self.lines.indent(n));
            let lines = content.clone().map(|number| {
                let text = self.lines.text[number].get(inner..).unwrap_or_default();
                if text.is_empty() { String::new() } else { format!("{pad}{text}") }
            });
            let below = lines.collect();
            self.next = self.next.max(content.end);
            return Written { head, below };
        }
        self.next = self.next.max(last + 1);
        if first == last {
            let text = self.single(node, scalar, false);
            return Written { head: format!("{text}{}", self.comment(last)), below: Vec::new() };
        }
        let head = self.lines.slice(first, start.column as usize - 1..usize::MAX).trim_end().to_owned();
        let mut below = Vec::new();
        for number in first + 1..=last {
            let upto = if number == last { end.column as usize - 1 } else { usize::MAX };
            let text = self.lines.slice(number, 0..upto).trim();
            below.push(if text.is_empty() { String::new() } else { format!("{pad}{text}") });
        }
        if let Some(text) = below.last_mut() {
            text.push_str(&self.comment(last));
        }
        Written { head, below }
    }

    /// A scalar of one line.
    fn single(&self, node: &Node<'_>, scalar: &Scalar<'_>, in_flow: bool) -> String {
        // The span of a value that is not there may lie around what follows.
        if scalar.plain && scalar.text.is_empty() {
            return String::new();
        }
        let raw = self.one_line(node).unwrap_or_default();
        quote::canonical(scalar, raw, in_flow).unwrap_or_else(|| raw.to_owned())
    }

    /// A key; none where it is no text on one line.
    fn name(&self, key: &Node<'_>, in_flow: bool) -> Option<String> {
        let Value::Scalar(scalar) = &key.value else { return None };
        self.one_line(key).filter(|raw| !raw.is_empty())?;
        Some(self.single(key, scalar, in_flow))
    }

    /// A list or mapping in brackets, on one line.
    fn flow(&self, node: &Node<'_>, shape: Shape) -> Result<String, Unformatted> {
        Ok(match &node.value {
            Value::Scalar(scalar) => {
                self.one_line(node).ok_or(Unformatted::Layout)?;
                self.single(node, scalar, true)
            }
            Value::Sequence(items) => {
                let members = items.iter().map(|item| self.flow(item, shape.member()));
                format!("[{}]", members.collect::<Result<Vec<_>, _>>()?.join(", "))
            }
            Value::Mapping(entries) => {
                let mut members = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let name = self.name(key, false).ok_or(Unformatted::Layout)?;
                    let (rank, below) = shape.key(key.as_text().ok_or(Unformatted::Layout)?);
                    let value = self.flow(value, below)?;
                    members.push((rank, format!("{name}: {value}").trim_end().to_owned()));
                }
                if self.order == Order::Schema {
                    members.sort_by_key(|(rank, _)| *rank);
                }
                let members: Vec<String> = members.into_iter().map(|(_, member)| member).collect();
                format!("{{{}}}", members.join(", "))
            }
        })
    }

    /// Whether the members of a list or mapping get lines of their own. Brackets over several lines are opened.
    fn goes_below(&self, node: &Node<'_>) -> bool {
        let is_empty = match &node.value {
            Value::Scalar(_) => true,
            Value::Sequence(items) => items.is_empty(),
            Value::Mapping(entries) => entries.is_empty(),
        };
        !(is_empty || self.is_flow(node) && self.closes_on_its_line(node))
    }

    fn is_flow(&self, node: &Node<'_>) -> bool {
        matches!(self.lines.first(node), '[' | '{')
    }

    /// The tree ends brackets that close on a later line at their last member; so what is behind has to be looked at.
    fn closes_on_its_line(&self, node: &Node<'_>) -> bool {
        let end = node.span.end;
        let column = (end.column as usize).saturating_sub(2);
        node.span.start.line == end.line
            && matches!(self.lines.slice(end.line as usize - 1, column..column + 1), "]" | "}")
    }

    /// A scalar as it stands, where it stands on one line.
    fn one_line(&self, node: &Node<'_>) -> Option<&'t str> {
        let (start, end) = (node.span.start, node.span.end);
        (start.line == end.line && matches!(node.value, Value::Scalar(_)))
            .then(|| self.lines.slice(start.line as usize - 1, start.column as usize - 1..end.column as usize - 1))
    }

    /// The comment behind what is on a line, with a space before it; each is given once.
    fn comment(&mut self, line: usize) -> String {
        if self.behind.is_some_and(|taken| taken >= line) {
            return String::new();
        }
        let Some(text) = self.lines.behind(line) else { return String::new() };
        self.behind = Some(line);
        format!(" {text}")
    }

    /// Takes the comments and the empty lines up to a line; of several empty lines one.
    fn above(&mut self, line: usize) -> Vec<String> {
        let mut taken: Vec<String> = Vec::new();
        for number in self.next..line.min(self.end) {
            if let Some((_, text)) = self.lines.alone(number) {
                taken.push(text.to_owned());
            } else if self.lines.is_blank(number) && taken.last().is_none_or(|last| !last.is_empty()) {
                taken.push(String::new());
            }
        }
        self.next = self.next.max(line);
        taken
    }

    /// Takes the comments behind the last member of a list or mapping that begins at a column.
    fn tail(&mut self, column: usize) -> Vec<String> {
        let next = self.next_content();
        let follows = |at: usize| next.is_none_or(|line| at > self.lines.indent(line));
        let (mut taken, mut blank) = (Vec::new(), false);
        for number in self.next..next.unwrap_or(self.end) {
            match self.lines.alone(number) {
                Some((at, text)) if at >= column && follows(at) => {
                    if std::mem::take(&mut blank) {
                        taken.push(String::new());
                    }
                    taken.push(text.to_owned());
                    self.next = number + 1;
                }
                Some(_) => break,
                None => blank = true,
            }
        }
        taken
    }

    fn next_content(&self) -> Option<usize> {
        (self.next..self.end).find(|number| self.lines.is_content(*number))
    }
}
