//! How a YAML tree becomes a value: every fault is noted and decoding goes on, so one run shows them all.

use bindery_schema::value::{ValueError, shown};
use smallvec::SmallVec;

use super::cut;
use super::elsewhere::{self, Elsewhere};
use super::misspelt;
use super::parsed::List;
pub(super) use super::scalar::{boolean, number, text_of, text_that, value, whole, word};
use super::yaml::{DuplicateKey, Node, Resolved, Value};
use super::{FileFault, Unread, secrets};
use crate::diagnostic::{Code, Fix};
use crate::source::Span;

/// Faults of a file, noted while its documents are decoded.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) faults: Vec<FileFault>,
    /// Something of the current document was left out.
    pub(super) partial: bool,
    /// The kind of the current document, once it is known.
    pub(super) kind: Option<&'static str>,
    /// Some key of the file stands twice.
    duplicates: bool,
}

impl Report {
    /// Starts the next document.
    pub(super) fn begin(&mut self) {
        self.partial = false;
        self.kind = None;
    }

    pub(super) fn fault(&mut self, code: Code, span: Span, message: String, help: Option<String>) {
        self.fixable(code, span, message, help, None);
    }

    pub(super) fn fixable(&mut self, code: Code, span: Span, message: String, help: Option<String>, fix: Option<Fix>) {
        self.partial = true;
        self.faults.push(FileFault { code, span, message, related: None, help, fix });
    }

    pub(super) fn duplicate_key(&mut self, duplicate: &DuplicateKey) {
        self.duplicates = true;
        self.faults.push(FileFault {
            code: Code::DuplicateKey,
            span: duplicate.second,
            message: format!("{} stands twice in one mapping", shown(&duplicate.key)),
            related: Some((duplicate.first, "first here".to_owned())),
            help: Some("keep one of the two".to_owned()),
            fix: None,
        });
    }

    /// Whether a key stands twice in a mapping.
    pub(super) fn is_twice(&self, entries: &[(Node<'_>, Node<'_>)], name: &str) -> bool {
        self.duplicates && entries.iter().filter(|(key, _)| key.as_text() == Some(name)).count() > 1
    }

    /// Takes back what is offered for faults since: the value that they are about is cut off at a comma.
    fn take_back_fixes(&mut self, since: usize) {
        for fault in self.faults.iter_mut().skip(since) {
            if fault.fix.take().is_some() {
                fault.help = Some(cut::HELP.to_owned());
            }
        }
    }

    pub(super) fn wrong_type(&mut self, node: &Node<'_>, expected: &str) {
        let message = format!("expected {expected}, found {}", describe(node));
        let help = is_null(node).then(|| "remove the field or give it a value".to_owned());
        self.fault(Code::WrongType, node.head(), message, help);
    }

    pub(super) fn value_error(&mut self, node: &Node<'_>, error: ValueError) {
        let code = Code::from(error.problem);
        let fix = certain(&error).map(|text| Fix { span: node.span, replacement: spelt_as(node, text) });
        self.fixable(code, node.span, error.message, error.help, fix);
    }
}

/// A text as it is written in place of a node: what has quotes keeps them, since JSON needs them.
pub(super) fn spelt_as(node: &Node<'_>, text: &str) -> String {
    let is_quoted = matches!(&node.value, Value::Scalar(scalar) if !scalar.plain);
    if is_quoted && !text.starts_with('"') { format!("\"{text}\"") } else { text.to_owned() }
}

/// The one right spelling of a value: help of the form `write X` names it.
pub(super) fn certain(error: &ValueError) -> Option<&str> {
    error.help.as_deref().and_then(|help| help.strip_prefix("write ")).filter(|text| !text.contains(' '))
}

/// The fields of a mapping; what nobody asks for is unknown.
pub(super) struct Fields<'n, 'a> {
    node: &'n Node<'a>,
    entries: &'n [(Node<'a>, Node<'a>)],
    /// Names that were asked for; no kind has a mapping of more, and a million rules must not allocate for them.
    known: SmallVec<[&'static str; 16]>,
    missing: SmallVec<[&'static str; 4]>,
    unread: Vec<&'static str>,
    /// Entries that were asked for and are there.
    found: usize,
}

impl<'n, 'a> Fields<'n, 'a> {
    /// Takes a node for a mapping.
    pub(super) fn of(node: &'n Node<'a>, report: &mut Report) -> Option<Self> {
        if let Value::Mapping(entries) = &node.value {
            return Some(Self {
                node,
                entries,
                known: SmallVec::new(),
                missing: SmallVec::new(),
                unread: Vec::new(),
                found: 0,
            });
        }
        // A password in place of a mapping is a fault already, and the message would repeat it.
        if report.faults.iter().all(|fault| fault.code != Code::PlaintextSecret || fault.span != node.span) {
            report.wrong_type(node, "a mapping");
        }
        None
    }

    /// The node of a field, where it is there.
    pub(super) fn node(&mut self, name: &'static str) -> Option<&'n Node<'a>> {
        self.known.push(name);
        let node = self.entries.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value);
        self.found += usize::from(node.is_some());
        node
    }

    /// A field that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        report: &mut Report,
        decode: impl FnOnce(&'n Node<'a>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        let node = self.node(name)?;
        let before = report.faults.len();
        let value = decode(node, report);
        if report.faults.len() > before && cut::behind(self.entries, node).is_some() {
            report.take_back_fixes(before);
        }
        // Which of two is meant, nobody knows.
        let is_twice = report.is_twice(self.entries, name);
        report.partial |= is_twice;
        if is_twice || value.is_none() {
            self.unread.push(name);
            return None;
        }
        value
    }

    /// A field that must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        report: &mut Report,
        decode: impl FnOnce(&'n Node<'a>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        let value = self.optional(name, report, decode);
        self.must_have(name, report);
        value
    }

    /// Sees to it that `finish` notes a field that is not there.
    pub(super) fn must_have(&mut self, name: &'static str, report: &mut Report) {
        if self.node.get(name).is_none() {
            self.missing.push(name);
            report.partial = true;
        }
    }

    /// Whether a misspelt name can mean one field alone: it is a misspelling and no other word, no other field is as near, here
    /// or in another mapping of the kind, and no other name is as near to it.
    fn is_certain(&self, name: &str, meant: &str, absent: &[&'static str], elsewhere: &Elsewhere<'_>) -> bool {
        let is_itself = name.eq_ignore_ascii_case(meant);
        if !misspelt::is_certain(name, meant) || elsewhere::is_field(name) && !is_itself {
            return false;
        }
        let others = absent.iter().copied().filter(|other| *other != meant).chain(elsewhere.names());
        let distance = |word: &str| crate::validate::distance(name, word);
        let has_rival = others.into_iter().any(|other| distance(other) <= distance(meant));
        let mut unknown =
            self.entries.iter().filter_map(|(key, _)| key.as_text()).filter(|key| !self.known.contains(key));
        // Of `t4` and `t3` one is as good a name as the other.
        let in_digits = elsewhere::differ_in_digits(name, meant);
        !has_rival
            && !in_digits
            && !unknown.any(|other| other != name && nearest(other, absent.iter().copied()) == Some(meant))
    }

    /// Notes every field nobody asked for, and every one that must be there and is not. Says which could not be read.
    pub(super) fn finish(mut self, report: &mut Report) -> Unread {
        if self.found == self.entries.len() && self.missing.is_empty() {
            return Unread::of(self.unread);
        }
        // A field that is there already is not the one that was meant.
        let absent: Vec<_> = self.known.iter().copied().filter(|known| self.node.get(known).is_none()).collect();
        let elsewhere = Elsewhere::than(&self.known, report.kind);
        for (key, value) in self.entries {
            let Some(name) = key.as_text() else {
                report.wrong_type(key, "the name of a field");
                continue;
            };
            if name == "<<" {
                // What it was to bring along is not missing, and nobody knows what that is.
                self.missing.clear();
                self.unread.extend(&absent);
                let message = "merge keys (`<<`) are not part of YAML 1.2".to_owned();
                let help = "write the fields out; an alias may stand for a whole value".to_owned();
                report.fault(Code::UnknownField, key.span, message, Some(help));
                continue;
            }
            if self.known.contains(&name) {
                continue;
            }
            // A password in the clear is one fault, and not that its field is unknown.
            if secrets::is_plaintext(name, value) || secrets::is_suspicious(name) {
                report.partial = true;
                continue;
            }
            let is_here = absent.iter().any(|known| known.eq_ignore_ascii_case(name));
            let home = elsewhere.home(name).filter(|_| !is_here);
            let suggestion = nearest(name, absent.iter().copied()).filter(|_| home.is_none());
            let certain = suggestion.filter(|meant| self.is_certain(name, meant, &absent, &elsewhere));
            // The misspelt field is the one that is missing: one fault, one finding.
            self.missing.retain(|missing| Some(*missing) != suggestion);
            self.unread.extend(suggestion);
            let fix = certain.map(|name| Fix { span: key.span, replacement: spelt_as(key, name) });
            let near = || suggestion.map(|name| format!("did you mean `{name}`?"));
            let help = cut::help(self.entries, key, value).or_else(|| not_indented(name)).or(home).or_else(near);
            let help = help.unwrap_or_else(|| format!("known fields are {}", self.known.join(", ")));
            let message = format!("{} is not a known field", shown(name));
            report.fixable(Code::UnknownField, key.span, message, Some(help), fix);
        }
        for name in self.missing {
            let help = Some(format!("add `{name}`"));
            report.fault(Code::MissingField, self.node.head(), format!("`{name}` is missing"), help);
        }
        Unread::of(self.unread)
    }
}

/// A list. Members that cannot be understood are left out and the others keep their places.
pub(super) fn list<T>(
    node: &Node<'_>,
    report: &mut Report,
    mut decode: impl FnMut(&Node<'_>, &mut Report) -> Option<T>,
) -> Option<List<T>> {
    let Value::Sequence(nodes) = &node.value else {
        report.wrong_type(node, "a list");
        return None;
    };
    let mut list = List { items: Vec::with_capacity(nodes.len()), places: Vec::new() };
    for (place, node) in (0..).zip(nodes) {
        if let Some(item) = decode(node, report) {
            list.items.push(item);
            list.places.push(place);
        }
    }
    if list.places.len() == nodes.len() {
        list.places = Vec::new();
    }
    Some(list)
}

/// A list of which only the members count.
pub(super) fn items<T>(
    decode: impl Fn(&Node<'_>, &mut Report) -> Option<T>,
) -> impl Fn(&Node<'_>, &mut Report) -> Option<Vec<T>> {
    move |node, report| list(node, report, &decode).map(|list| list.items)
}

/// `did you mean X?`, where a known word is near.
pub(super) fn did_you_mean<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(text, known).map(|word| format!("did you mean `{word}`?"))
}

fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    crate::validate::nearest(text, known)
}

/// What is wrong with a name that begins with a blank which indents nothing.
fn not_indented(name: &str) -> Option<String> {
    let is_blank = name.starts_with(|c: char| c.is_whitespace() && !c.is_ascii());
    is_blank.then(|| {
        "it begins with a no-break space, or another blank that indents nothing: indent with spaces".to_owned()
    })
}

fn is_null(node: &Node<'_>) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.resolve() == Resolved::Null)
}

fn describe(node: &Node<'_>) -> String {
    match &node.value {
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
        Value::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => "nothing".to_owned(),
            Resolved::Bool(value) => format!("the boolean {value}"),
            Resolved::Int(value) => format!("the number {value}"),
            Resolved::Float(_) => format!("the number {}", scalar.text),
            Resolved::Text if secrets::is_suspicious(&scalar.text) => "text".to_owned(),
            Resolved::Text => format!("the text {}", shown(&scalar.text)),
        },
    }
}
