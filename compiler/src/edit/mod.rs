//! Edits of configuration files that leave every other byte as it is.
//!
//! An edit is made to the document's JSON first. What has to change ([`change`]) is then changed in the text, one place
//! after another ([`apply`]), at the bytes the parser and a scanner agree on ([`tree`]). New text is written as
//! `bindery fmt` writes it ([`write`]), in braces where its neighbours are.
//!
//! Guarantee: the result is parsed again and says what the documents' JSON says after the edit, or nothing is handed out.
//! So a layout this module does not understand is an error and never a damaged file.
//!
//! With a key or a member go its lines, the comment on them, and the comment lines right above it that are as far in as it
//! is; an empty line ends them. Comments between a mapping's keys and around a list's members stay where they are.
//!
//! Deliberately absent: edits through an alias, and of keys written with `?`.

mod apply;
mod change;
mod document;
mod flow;
mod page;
mod scan;
#[cfg(test)]
mod tests;
mod tree;
mod write;

use std::fmt;

use bindery_schema::value::{E164Prefix, MnoId, OperatorId};
use serde_json::{Map, Value, json};

use crate::parse::{to_json, yaml};
pub use document::{append, document, documents, remove};

const RULES: &str = "spec.rules";

/// Why a file was not edited.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The file does not define the object.
    #[error("the file does not define the {0}")]
    NoObject(String),
    /// The list has no such member.
    #[error("{object} has no such member in `{list}`")]
    NoMember {
        /// Whose list.
        object: String,
        /// Which.
        list: String,
    },
    /// It is no YAML, a key stands twice, or the place is written in a form that is not understood.
    #[error(
        "{0} cannot be edited as it is written: give each key its own line, without braces, aliases or `?`; \
         `bindery check` says whether the file is sound"
    )]
    Layout(String),
}

/// An object by its kind and id, as it stands in some file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object<'a> {
    /// A carrier.
    Mno(&'a MnoId),
    /// An operator.
    Operator(&'a OperatorId),
    /// The rules of an operator.
    Routes(&'a OperatorId),
    /// The contracts and reservations of a carrier.
    TpsContract(&'a MnoId),
    /// The policy.
    Policy,
}

/// A member of a list by the values of some of its fields, nested ones with dots; the first that has them all. Null stands
/// for a field that is not there.
pub type Member<'a> = &'a [(&'a str, &'a Value)];

impl Object<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Mno(_) => "Mno",
            Self::Operator(_) => "Operator",
            Self::Routes(_) => "Routes",
            Self::TpsContract(_) => "TpsContract",
            Self::Policy => "Policy",
        }
    }

    /// The field of `metadata` with the id, and the id.
    fn identity(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Mno(id) => Some(("id", id.as_str())),
            Self::Operator(id) => Some(("id", id.as_str())),
            Self::Routes(id) => Some(("operator", id.as_str())),
            Self::TpsContract(id) => Some(("mno", id.as_str())),
            Self::Policy => None,
        }
    }

    fn is(&self, document: &Value) -> bool {
        let same_id = |(field, id): (&str, &str)| document["metadata"][field] == *id;
        document["kind"] == *self.kind() && self.identity().is_none_or(same_id)
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.identity() {
            Some((_, id)) => write!(f, "{} `{id}`", self.kind()),
            None => f.write_str(self.kind()),
        }
    }
}

/// Whether a text defines an object.
pub fn defines(text: &str, object: &Object<'_>) -> bool {
    // A search for the words first: parsing every file for one object is slow.
    let mentions = object.identity().is_none_or(|(_, id)| text.contains(id)) && text.contains(object.kind());
    mentions && to_json(text).iter().any(|document| object.is(document))
}

/// Lays a JSON merge patch (RFC 7396: null removes) over an object's document. New keys go where the schema has them.
pub fn merge(text: &str, object: &Object<'_>, patch: &Value) -> Result<String, Error> {
    edit(text, object, |document| {
        *document = change::merged(document.take(), patch);
        Ok(())
    })
}

/// Adds a member to a list such as `spec.rules`, which is made where it is not there. A rule goes where its prefix has it
/// as long as the rules are in prefix order, any other member to the end.
pub fn insert(text: &str, object: &Object<'_>, list: &str, member: &Value) -> Result<String, Error> {
    edit(text, object, |document| {
        let items = list_of(document, list, true).ok_or_else(|| layout(object, list))?;
        let by_prefix = matches!(object, Object::Routes(_)) && list == RULES;
        let at = if by_prefix { place_of(items, member) } else { items.len() };
        items.insert(at, member.clone());
        Ok(())
    })
}

/// Lays a merge patch over one member of a list.
pub fn merge_member(
    text: &str,
    object: &Object<'_>,
    list: &str,
    member: Member<'_>,
    patch: &Value,
) -> Result<String, Error> {
    edit(text, object, |document| {
        let (items, at) = find(document, object, list, member)?;
        items[at] = change::merged(items[at].take(), patch);
        Ok(())
    })
}

/// Takes one member out of a list, which becomes `[]` where it was the last. A comment on the member's lines goes with it,
/// and so do the comment lines right above it that are as far in as it is.
pub fn remove_member(text: &str, object: &Object<'_>, list: &str, member: Member<'_>) -> Result<String, Error> {
    edit(text, object, |document| {
        let (items, at) = find(document, object, list, member)?;
        items.remove(at);
        Ok(())
    })
}

/// Puts a sealed password into `spec.credentials.sealed` of an operator, over the one that is there.
pub fn set_sealed(text: &str, operator: &OperatorId, sealed: &str) -> Result<String, Error> {
    let sealed = format!("{}\n", sealed.trim_end());
    merge(text, &Object::Operator(operator), &json!({"spec": {"credentials": {"sealed": sealed}}}))
}

/// Adds an age public key to `spec.secrets.recipients` of a policy; an empty text becomes a policy.
pub fn add_recipient(text: &str, recipient: &str) -> Result<String, Error> {
    if text.trim().is_empty() {
        let spec = json!({"secrets": {"recipients": [recipient]}});
        return document(&json!({"apiVersion": bindery_schema::API_VERSION, "kind": "Policy", "spec": spec}));
    }
    insert(text, &Object::Policy, "spec.secrets.recipients", &json!(recipient))
}

fn layout(object: &Object<'_>, place: &str) -> Error {
    Error::Layout(format!("{place} of {object}"))
}

/// A list by its dotted path; made where it is asked for and not there.
fn list_of<'v>(document: &'v mut Value, path: &str, make: bool) -> Option<&'v mut Vec<Value>> {
    let mut place = document;
    for key in path.split('.') {
        if place.is_null() && make {
            *place = Map::new().into();
        }
        let members = place.as_object_mut()?;
        place = if make { members.entry(key).or_insert(Value::Null) } else { members.get_mut(key)? };
    }
    if place.is_null() && make {
        *place = Value::Array(Vec::new());
    }
    place.as_array_mut()
}

fn find<'v>(
    document: &'v mut Value,
    object: &Object<'_>,
    list: &str,
    member: Member<'_>,
) -> Result<(&'v mut Vec<Value>, usize), Error> {
    let is_it = |item: &Value| {
        let mut fields = member.iter();
        let at = |path: &str| path.split('.').try_fold(item, |at, key| at.get(key)).unwrap_or(&Value::Null);
        fields.all(|(path, value)| at(path) == *value)
    };
    let found = list_of(document, list, false).and_then(|items| {
        let at = items.iter().position(is_it)?;
        Some((items, at))
    });
    found.ok_or_else(|| Error::NoMember { object: object.to_string(), list: list.to_owned() })
}

/// Where a rule goes among others: behind those with a lower prefix or the same, or to the end where there is no order.
fn place_of(rules: &[Value], rule: &Value) -> usize {
    let prefix = |rule: &Value| rule.get("prefix")?.as_str()?.parse::<E164Prefix>().ok();
    let prefixes: Option<Vec<E164Prefix>> = rules.iter().map(prefix).collect();
    match (prefixes.filter(|prefixes| prefixes.is_sorted()), prefix(rule)) {
        (Some(prefixes), Some(prefix)) => prefixes.partition_point(|other| *other <= prefix),
        _ => rules.len(),
    }
}

/// A text as it is edited: without a byte order mark, and with an end of its last line.
struct Sound {
    text: String,
    documents: Vec<Value>,
}

impl Sound {
    fn of(text: &str) -> Option<Self> {
        let body = text.strip_prefix(MARK).unwrap_or(text);
        if body.replace("\r\n", "").contains('\r') {
            return None;
        }
        let ending = if body.is_empty() || body.ends_with('\n') { "" } else { page::Page::of(body).ending };
        let text = format!("{body}{ending}");
        let stream = yaml::read(&text);
        let documents = stream.documents.iter().map(yaml::Node::to_json).collect();
        (stream.fault.is_none() && stream.duplicates.is_empty()).then_some(Self { text, documents })
    }
}

/// The byte order mark.
const MARK: char = '\u{feff}';

/// Makes an object's document say what its JSON says after a change.
fn edit(
    text: &str,
    object: &Object<'_>,
    change: impl FnOnce(&mut Value) -> Result<(), Error>,
) -> Result<String, Error> {
    let whole = || Error::Layout(object.to_string());
    let Sound { text: mut edited, mut documents } = Sound::of(text).ok_or_else(whole)?;
    let absent = || Error::NoObject(object.to_string());
    let number = documents.iter().position(|document| object.is(document)).ok_or_else(absent)?;
    let before = documents[number].clone();
    change(&mut documents[number])?;
    for change in change::between(&before, &documents[number]) {
        edited = apply::apply(&edited, number, Some(object.kind()), &change).map_err(|_| whole())?;
    }
    finish(text, &edited, &documents).ok_or_else(whole)
}

/// The edited text as it is handed out, if it says what it should: with the byte order mark of the text before, and
/// without an end of the last line where that line had none and is still the last.
fn finish(before: &str, edited: &str, documents: &[Value]) -> Option<String> {
    let mark = if before.starts_with(MARK) { "\u{feff}" } else { "" };
    let last = |text: &str| text.lines().next_back().map(str::to_owned);
    let bare = edited.trim_end_matches(['\r', '\n']);
    let is_bare = !before.ends_with('\n') && last(before) == last(bare);
    let says_it = |text: &&str| Sound::of(text).is_some_and(|sound| sound.documents == documents);
    let result = [bare, edited].into_iter().skip(usize::from(!is_bare)).find(says_it)?;
    Some(format!("{mark}{result}"))
}
