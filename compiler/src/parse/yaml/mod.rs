//! A YAML document as a tree.
//!
//! There are two readers of one language (YAML 1.2). The careful one gives every node its place and finds every fault:
//! spans, duplicate keys, a budget for aliases. The quick one knows no places and reads only what is plainly right;
//! whatever it declines, or whatever turns out wrong in what it read, goes to the careful one. What the quick one takes
//! means the same to both, which tests and a fuzz target hold.

mod escapes;
mod input;
mod quick;
mod read;
mod resolve;
mod slips;
mod source;
mod tabs;
#[cfg(test)]
mod tests;
mod walk;
mod words;

use std::borrow::Cow;

use crate::source::{Position, Span};
pub(crate) use quick::read as read_quickly;
pub(crate) use read::{read, special};
pub(crate) use resolve::Resolved;

/// A value with its place, which is [`Span::FILE`] where the quick reader made it.
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

/// Why no tree came out.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Not YAML, from this place on.
    Syntax { at: Position, message: String, help: Option<String> },
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

    /// Every value of a key: more than one where it stands twice.
    pub(crate) fn all<'k>(&'k self, key: &'k str) -> impl Iterator<Item = &'k Self> {
        let entries = if let Value::Mapping(entries) = &self.value { &entries[..] } else { &[] };
        entries.iter().filter(move |(name, _)| name.as_text() == Some(key)).map(|(_, value)| value)
    }

    /// The place that stands for the node: a mapping's first key, anything else itself.
    pub(crate) fn head(&self) -> Span {
        match &self.value {
            Value::Mapping(entries) => entries.first().map_or(self.span, |(key, _)| key.span),
            _ => self.span,
        }
    }

    /// The node as JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
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
