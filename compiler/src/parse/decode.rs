//! How a YAML tree becomes a value: every fault is noted and decoding goes on, so one run shows them all.

use std::fmt::Display;
use std::str::FromStr;

use bindery_schema::value::{ValueError, ValueProblem, shown};
use smallvec::SmallVec;

use super::parsed::List;
use super::yaml::{DuplicateKey, Node, Resolved, Scalar, Value};
use super::{FileFault, Unread, secrets};
use crate::diagnostic::{Code, Fix};
use crate::source::Span;

/// Faults of a file, noted while its documents are decoded.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) faults: Vec<FileFault>,
    /// Something of the current document was left out.
    pub(super) partial: bool,
    /// Some key of the file stands twice.
    duplicates: bool,
}

impl Report {
    /// Starts the next document.
    pub(super) fn begin(&mut self) {
        self.partial = false;
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

    fn wrong_type(&mut self, node: &Node<'_>, expected: &str) {
        let message = format!("expected {expected}, found {}", describe(node));
        let help = (node_is_null(node)).then(|| "remove the field or give it a value".to_owned());
        self.fault(Code::WrongType, node.head(), message, help);
    }

    fn value_error(&mut self, span: Span, error: ValueError) {
        let code = Code::from(error.problem);
        // Help of the form `write X` names the one right spelling.
        let fix = error.help.as_deref().and_then(|help| help.strip_prefix("write ")).filter(|text| !text.contains(' '));
        let fix = fix.map(|replacement| Fix { span, replacement: replacement.to_owned() });
        self.fixable(code, span, error.message, error.help, fix);
    }
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
        let value = decode(self.node(name)?, report);
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

    /// Whether a misspelt name can mean one field alone: no other is as near, and no other name is as near to it.
    fn is_certain(&self, name: &str, meant: &str, absent: &[&'static str]) -> bool {
        let others = absent.iter().copied().filter(|other| *other != meant);
        let distance = |word: &str| crate::validate::distance(name, word);
        let has_rival = others.into_iter().any(|other| distance(other) <= distance(meant));
        let mut unknown =
            self.entries.iter().filter_map(|(key, _)| key.as_text()).filter(|key| !self.known.contains(key));
        !has_rival && !unknown.any(|other| other != name && nearest(other, absent.iter().copied()) == Some(meant))
    }

    /// Notes every field nobody asked for, and every one that must be there and is not. Says which could not be read.
    pub(super) fn finish(mut self, report: &mut Report) -> Unread {
        if self.found == self.entries.len() && self.missing.is_empty() {
            return Unread::of(self.unread);
        }
        // A field that is there already is not the one that was meant.
        let absent: Vec<_> = self.known.iter().copied().filter(|known| self.node.get(known).is_none()).collect();
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
            let suggestion = nearest(name, absent.iter().copied());
            let certain = suggestion.filter(|meant| self.is_certain(name, meant, &absent));
            // The misspelt field is the one that is missing: one fault, one finding.
            self.missing.retain(|missing| Some(*missing) != suggestion);
            self.unread.extend(suggestion);
            let fix = certain.map(|name| Fix { span: key.span, replacement: name.to_owned() });
            let help = suggestion.map_or_else(
                || format!("known fields are {}", self.known.join(", ")),
                |name| format!("did you mean `{name}`?"),
            );
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

/// Text, quoted or of a spelling that is text in YAML 1.2.
pub(super) fn text_of<'n>(node: &'n Node<'_>, report: &mut Report) -> Option<&'n str> {
    let Value::Scalar(scalar) = &node.value else {
        report.wrong_type(node, "text");
        return None;
    };
    let read = match scalar.resolve() {
        Resolved::Text => return Some(&scalar.text),
        Resolved::Null => {
            report.wrong_type(node, "text");
            return None;
        }
        Resolved::Bool(value) => format!("the boolean {value}"),
        Resolved::Int(value) => format!("the number {value}"),
        Resolved::Float(value) => format!("the number {value}"),
    };
    if secrets::is_suspicious(&scalar.text) {
        return None;
    }
    let quoted = format!("\"{}\"", scalar.text);
    // Of 9.37E+04 a spreadsheet has thrown away digits: quotes would keep what is wrong.
    let whole = !scalar.text.contains(['e', 'E']) || matches!(scalar.resolve(), Resolved::Bool(_));
    let fix = whole.then(|| Fix { span: node.span, replacement: quoted.clone() });
    let message = format!("`{}` is read as {read}, and text belongs here", scalar.text);
    report.fixable(Code::WrongType, node.span, message, Some(format!("quote it: {quoted}")), fix);
    None
}

/// A value that is written as text.
pub(super) fn value<T: FromStr<Err = ValueError>>(node: &Node<'_>, report: &mut Report) -> Option<T> {
    let text = text_of(node, report)?;
    match text.parse() {
        Ok(value) => Some(value),
        // The token in it is the fault that counts; repeating it would print it.
        Err(_) if secrets::is_suspicious(text) => None,
        Err(error) => {
            report.value_error(node.span, error);
            None
        }
    }
}

/// A word of a fixed list.
pub(super) fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Node<'_>, &mut Report) -> Option<T> {
    move |node, report| {
        let text = text_of(node, report)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let same = names.iter().find(|name| name.eq_ignore_ascii_case(text)).map(|name| format!("write {name}"));
        let help = same.or_else(|| did_you_mean(text, names.iter().copied()));
        let help = help.unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
        let error = ValueError::new(ValueProblem::NotInList, format!("{} is not one of the known words", shown(text)))
            .help(help);
        report.value_error(node.span, error);
        None
    }
}

/// A whole number between two limits.
pub(super) fn whole<T>(least: T, most: T) -> impl Fn(&Node<'_>, &mut Report) -> Option<T>
where
    T: TryFrom<i128> + Into<i128> + Copy + Display,
{
    move |node, report| {
        let Some(Resolved::Int(number)) = scalar(node).map(Scalar::resolve) else {
            not_a(node, report, "a whole number", |text| matches!(plain(text), Resolved::Int(_)));
            return None;
        };
        if is_octal_elsewhere(node, report, number) {
            return None;
        }
        if (least.into()..=most.into()).contains(&number) {
            return T::try_from(number).ok();
        }
        let message = format!("{} is out of range", node.as_text().unwrap_or_default());
        report.fault(
            Code::OutOfRange,
            node.span,
            message,
            Some(format!("it is a whole number from {least} to {most}")),
        );
        None
    }
}

/// A number between two limits, with or without a fraction.
pub(super) fn number(least: f64, most: f64) -> impl Fn(&Node<'_>, &mut Report) -> Option<f64> {
    move |node, report| {
        let number = match scalar(node).map(Scalar::resolve) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a percentage or a rate; what is too large is refused below"
            )]
            Some(Resolved::Int(number)) => number as f64,
            Some(Resolved::Float(number)) => number,
            _ => {
                not_a(node, report, "a number", |text| matches!(plain(text), Resolved::Int(_) | Resolved::Float(_)));
                return None;
            }
        };
        if number.is_finite() && (least..=most).contains(&number) {
            return Some(number);
        }
        let range = if most.is_finite() { format!("from {least} to {most}") } else { format!("of at least {least}") };
        report.fault(
            Code::OutOfRange,
            node.span,
            format!("{} is out of range", node.as_text().unwrap_or_default()),
            Some(format!("it is a number {range}")),
        );
        None
    }
}

/// Notes a number with leading zeros: YAML 1.2 leaves them out, YAML 1.1 reads the rest as octal.
fn is_octal_elsewhere(node: &Node<'_>, report: &mut Report, number: i128) -> bool {
    let text = node.as_text().unwrap_or_default();
    let digits = text.trim_start_matches(['+', '-']);
    if !digits.starts_with('0') || digits.len() == 1 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let octal = i128::from_str_radix(text, 8).map(|octal| format!(", and as the octal {octal} by YAML 1.1"));
    let message = format!("`{text}` is read as the number {number} by YAML 1.2{}", octal.unwrap_or_default());
    // Which of the two was meant only its author knows.
    report.fault(Code::WrongType, node.span, message, Some("write the number without leading zeros".to_owned()));
    true
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node<'_>, report: &mut Report) -> Option<bool> {
    if let Some(Resolved::Bool(value)) = scalar(node).map(Scalar::resolve) {
        return Some(value);
    }
    let text = node.as_text().unwrap_or_default();
    let meant = match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" | "true" => Some("true"),
        "no" | "off" | "n" | "false" => Some("false"),
        _ => None,
    };
    let Some(meant) = meant else {
        report.wrong_type(node, "true or false");
        return None;
    };
    let message = format!("expected true or false, found the text `{text}`");
    let fix = Fix { span: node.span, replacement: meant.to_owned() };
    report.fixable(Code::WrongType, node.span, message, Some(format!("write {meant}, without quotes")), Some(fix));
    None
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

fn scalar<'n, 'a>(node: &'n Node<'a>) -> Option<&'n Scalar<'a>> {
    match &node.value {
        Value::Scalar(scalar) => Some(scalar),
        _ => None,
    }
}

fn node_is_null(node: &Node<'_>) -> bool {
    scalar(node).is_some_and(|scalar| scalar.resolve() == Resolved::Null)
}

fn plain(text: &str) -> Resolved {
    Scalar { text: text.into(), plain: true }.resolve()
}

/// Notes that a number was expected; where quotes are all that is wrong, offers to take them off.
fn not_a(node: &Node<'_>, report: &mut Report, expected: &str, fits: impl Fn(&str) -> bool) {
    match node.as_text().filter(|text| fits(text)) {
        Some(text) => {
            let fix = Fix { span: node.span, replacement: text.to_owned() };
            let message = format!("expected {expected}, found the text `{text}`");
            report.fixable(
                Code::WrongType,
                node.span,
                message,
                Some(format!("write {text}, without quotes")),
                Some(fix),
            );
        }
        None => report.wrong_type(node, expected),
    }
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
