//! One canonical form for configuration files: the schema's key order, two spaces a level, quotes where they matter.
//!
//! The form: keys in the order of the JSON Schema, unknown ones behind in the order they had; members of a list below
//! their key, two spaces in; double quotes around every text that some YAML reader takes for a number, a date, a time or a
//! boolean, and around no other; a comment on its line or with the entry it stands above; at most one empty line in a row.
//!
//! Guarantees, each checked on the result before it is handed out: every value is read as before, and every comment is
//! still there, in its order and between the same words of its document; keys that change places take their comments along.
//! A file that cannot be kept so (anchors, tags, directives) is left alone, with the reason.

mod emit;
mod lines;
mod order;
mod quote;

use std::collections::BTreeMap;

use crate::parse::yaml::{self, Fault, Node, Value};
use emit::{Emitter, Order};
use lines::Lines;
pub(crate) use order::Shape;
pub(crate) use quote::needs_quotes;

/// Why a file is left as it is.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unformatted {
    /// It is no YAML, or a key stands twice.
    #[error("it is not sound YAML: {why}")]
    Broken {
        /// What is wrong, with line and column where it has a place.
        why: String,
    },
    /// A part that has no canonical form.
    #[error("line {line} has {what}")]
    Special {
        /// The line, from 1.
        line: u32,
        /// What is there.
        what: &'static str,
    },
    /// The result would not have held all that the file holds.
    #[error("its layout cannot be kept")]
    Layout,
}

/// The canonical form of a file's text, without a byte order mark.
pub fn format(text: &str) -> Result<String, Unformatted> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.replace("\r\n", "").contains('\r') {
        return Err(Unformatted::Layout);
    }
    let stream = yaml::read(text);
    if let Some(why) = slip(&stream) {
        return Err(Unformatted::Broken { why });
    }
    if let Some((line, what)) = yaml::special(text) {
        return Err(Unformatted::Special { line, what });
    }
    let lines = Lines::of(text, &stream.documents)?;
    let formatted = emit(&lines, &stream.documents, Order::Schema)?;
    let in_order = words(text).eq(words(&formatted))
        || letters(text) == letters(&formatted)
            && words(text).eq(words(&emit(&lines, &stream.documents, Order::Text)?));
    if in_order && holds_the_same(text, &stream.documents, &formatted) {
        Ok(formatted)
    } else {
        Err(Unformatted::Layout)
    }
}

/// Writes every document anew.
fn emit(lines: &Lines<'_>, documents: &[Node<'_>], order: Order) -> Result<String, Unformatted> {
    let mut roots = documents.iter().filter(|root| !is_nothing(root)).peekable();
    let mut formatted: Vec<String> = Vec::new();
    for part in lines.parts()? {
        formatted.extend(part.separator);
        let root = roots.next_if(|root| part.lines.contains(&(root.span.start.line as usize - 1)));
        formatted.extend(Emitter::new(lines, order, part.lines).document(root)?);
    }
    if roots.next().is_some() {
        return Err(Unformatted::Layout);
    }
    while formatted.last().is_some_and(String::is_empty) {
        formatted.pop();
    }
    Ok(formatted.iter().flat_map(|line| [&**line, lines.ending]).collect())
}

/// The first thing for which a text is not sound YAML.
fn slip(stream: &yaml::Stream<'_>) -> Option<String> {
    let (at, what) = match (&stream.fault, stream.duplicates.first()) {
        (Some(Fault::AliasBomb), _) => return Some("its aliases expand it beyond what bindery reads".to_owned()),
        (Some(Fault::TooDeep { at }), _) => (*at, "it is nested too deep"),
        (Some(Fault::Syntax { at, message, .. }), _) => (*at, message.as_str()),
        (None, Some(twice)) => (twice.second.start, "a key stands twice in one mapping"),
        (None, None) => return None,
    };
    Some(format!("line {}, column {}: {what}", at.line, at.column))
}

fn is_nothing(root: &Node<'_>) -> bool {
    matches!(&root.value, Value::Scalar(scalar) if scalar.plain && scalar.text.is_empty())
}

/// Whether the result is read as the original is, with the same comments.
fn holds_the_same(text: &str, documents: &[Node<'_>], formatted: &str) -> bool {
    let stream = yaml::read(formatted);
    let comments = |text: &str, documents: &[Node<'_>]| Lines::of(text, documents).map(|lines| lines.comments());
    stream.fault.is_none()
        && stream.documents.len() == documents.len()
        && documents.iter().zip(&stream.documents).all(|(one, two)| same(one, two))
        && comments(text, documents) == comments(formatted, &stream.documents)
}

/// Whether two nodes mean the same. The order of keys has no meaning.
fn same(one: &Node<'_>, two: &Node<'_>) -> bool {
    match (&one.value, &two.value) {
        (Value::Scalar(one), Value::Scalar(two)) => {
            // `.nan` is not equal to itself.
            one.text == two.text && (one.resolve() == two.resolve() || one.plain && two.plain)
        }
        (Value::Sequence(one), Value::Sequence(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
        }
        (Value::Mapping(entries), Value::Mapping(others)) => {
            let pair = |(key, value): &(Node<'_>, Node<'_>)| {
                let name = key.as_text().unwrap_or_default();
                two.entry(name).is_some_and(|(other, node)| same(key, other) && same(value, node))
            };
            entries.len() == others.len() && entries.iter().all(pair)
        }
        _ => false,
    }
}

/// The letters, digits and `#` of a text, comments among them. Keys apart, whose order is another, a layout moves none past
/// another.
fn words(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| c.is_alphanumeric() || *c == '#')
}

/// How often each letter, digit and `#` stands in a text: whatever the layout, none may come or go.
fn letters(text: &str) -> BTreeMap<char, usize> {
    let mut counts = BTreeMap::new();
    for letter in words(text) {
        *counts.entry(letter).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod comments;

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(why: &str) -> Unformatted {
        Unformatted::Broken { why: why.to_owned() }
    }

    #[test]
    fn what_has_no_canonical_form_is_left_alone() {
        for (text, expected) in [
            ("b: 1\na: [\n", broken("line 2, column 4: the bracket `[` is not closed")),
            ("a: 1\na: 2\n", broken("line 2, column 1: a key stands twice in one mapping")),
            ("a: &x 1\n", Unformatted::Special { line: 1, what: "an anchor" }),
            ("a: 1\nb: !!str 2\n", Unformatted::Special { line: 2, what: "a tag" }),
            ("%YAML 1.2\n---\na: 1\n", Unformatted::Special { line: 1, what: "a directive" }),
            ("a: |2\n    x\n", Unformatted::Special { line: 1, what: "a block scalar with an indicator" }),
            ("a: 1\n...\n", Unformatted::Special { line: 2, what: "a document end marker" }),
            ("- a\n", Unformatted::Special { line: 1, what: "no mapping" }),
            ("a:\n  # lost\n  x\n", Unformatted::Layout),
        ] {
            assert_eq!(format(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_key_without_a_value_takes_nothing_of_what_follows() {
        let once = format("a: [{b, c: 1}]\nd: {e, f}\n").unwrap();
        assert_eq!(once, "a: [{b:, c: 1}]\nd: {e:, f:}\n");
        assert_eq!(format(&once), Ok(once));
    }

    #[test]
    fn nothing_stays_nothing() {
        for text in ["", "# only words\n", "---\n# a\n---\n# b\n"] {
            assert_eq!(format(text).unwrap(), text);
        }
    }
}
