//! From text to typed documents, one file at a time.
//!
//! A file is parsed without knowing its path or any other file, so the result can be kept by content and used again.
//! Everything wrong with the file itself is found here, all at once; what is wrong between files is `validate`'s.

mod contract;
mod decode;
mod mno;
mod operator;
mod policy;
mod routes;
pub(crate) mod secrets;
pub(crate) mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery_schema::API_VERSION;
use bindery_schema::contract::{Contract, Reservation, TpsContractSpec};
use bindery_schema::hash::{self, Digest};
use bindery_schema::mno::MnoSpec;
use bindery_schema::operator::{OperatorMetadata, OperatorSpec};
use bindery_schema::policy::PolicySpec;
use bindery_schema::routes::Rule;
use bindery_schema::rules::RuleList;
use bindery_schema::value::{E164Prefix, MnoId, OperatorId, shown};

use crate::diagnostic::{Code, Fix};
use crate::source::{Content, Span};
use decode::{Fields, Report};
pub(crate) use secrets::is_suspicious;

/// What a file holds, and what is wrong with it.
#[derive(Debug, Default)]
pub struct ParsedFile {
    /// The text; empty where it could not be read, and where nothing is wrong with it: then it can be read again.
    pub(crate) text: Arc<str>,
    pub(crate) documents: Vec<Document>,
    pub(crate) faults: Vec<FileFault>,
    /// What was not understood: nobody knows which objects it would have defined.
    pub(crate) opaque: Opaque,
}

/// The part of a file of which it is not known what it defines.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Opaque {
    /// None of it.
    #[default]
    Nothing,
    /// Some documents.
    Documents(Vec<OpaqueDocument>),
    /// All of it.
    File,
}

/// A document of which it is not known what it defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpaqueDocument {
    /// Its kind, where that much is known.
    kind: Option<&'static str>,
    /// Its first and last line, from 1.
    lines: (u32, u32),
}

impl ParsedFile {
    /// Whether something that was not understood, and may be of a kind, mentions an id in its text or its file's path.
    pub(crate) fn may_define(&self, path: &str, kind: &str, id: &str) -> bool {
        match &self.opaque {
            Opaque::Nothing => false,
            Opaque::Documents(documents) => documents.iter().any(|document| {
                let (first, last) = (document.lines.0 as usize, document.lines.1 as usize);
                let mut lines = self.text.lines().take(last).skip(first.saturating_sub(1));
                document.kind.is_none_or(|known| known == kind)
                    && (mentions(path, id) || lines.any(|line| mentions(line, id)))
            }),
            Opaque::File => {
                let says = |kind: &str| self.text.contains(&format!("kind: {kind}"));
                (says(kind) || !KINDS.into_iter().any(says)) && (mentions(path, id) || mentions(&self.text, id))
            }
        }
    }
}

/// Whether a text holds an id, or what an id was before someone broke it: in capitals, or with other separators.
fn mentions(text: &str, id: &str) -> bool {
    text.contains(id) || text.to_ascii_lowercase().replace(['_', ' ', '.'], "-").contains(id)
}

/// A fault inside one file.
#[derive(Debug, Clone)]
pub(crate) struct FileFault {
    pub(crate) code: Code,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) related: Option<(Span, String)>,
    pub(crate) help: Option<String>,
    pub(crate) fix: Option<Fix>,
}

/// One document, as far as it could be understood.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its number in the file, from 0.
    pub(crate) index: u32,
    pub(crate) body: Body,
    /// Part of it was wrong and is left out, so what is missing proves nothing.
    pub(crate) partial: bool,
    /// Hash of what it says where no environment is laid over it; none of what stores know by no hash. Rules have their own.
    pub(crate) hash: Option<Digest>,
}

impl Document {
    fn new(index: u32, body: Body, partial: bool) -> Self {
        let hash = match &body {
            Body::Mno { spec, .. } => spec.as_ref().map(|spec| hash::mno(spec)),
            Body::Operator { metadata, spec, .. } => {
                let known = metadata.as_ref().zip(spec.as_ref());
                known.map(|(metadata, spec)| hash::operator_spec(&metadata.mno, &spec.in_environment(None)))
            }
            Body::TpsContract { contracts, reservations, .. } => {
                Some(hash::contracts(&TpsContractSpec::resolved(&contracts.items, &reservations.items)))
            }
            Body::Routes { .. } | Body::Policy { .. } => None,
        };
        Self { index, body, partial, hash }
    }
}

/// A document's content by kind. Parts that could not be understood are absent.
#[derive(Debug)]
pub(crate) enum Body {
    Mno { id: Option<MnoId>, spec: Option<Arc<MnoSpec>>, missing_tiers: Vec<&'static str> },
    Operator { id: Option<OperatorId>, metadata: Option<OperatorMetadata>, spec: Option<OperatorSpec> },
    Routes { operator: Option<OperatorId>, rules: Rules },
    TpsContract { mno: Option<MnoId>, contracts: List<Contract>, reservations: List<Reservation> },
    Policy { spec: Box<PolicySpec>, unread: UnreadAcknowledgements },
}

/// What a policy acknowledges that could not be read: the entry is the fault, and not the warning it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnreadAcknowledgements {
    /// Whatever the text of the file names.
    All,
    /// Entries of which only the code or only the object is known.
    Halves(Vec<(Option<String>, Option<String>)>),
}

/// What of a rule could not be read: it counts for nothing that would be measured by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Doubt {
    /// Priority, weight or split.
    pub(crate) share: bool,
    /// Whether it narrows a broader rule.
    pub(crate) narrows: bool,
}

impl Body {
    /// Whether the id by which others know the object is not there. A Policy needs none.
    fn is_anonymous(&self) -> bool {
        match self {
            Self::Mno { id, .. } => id.is_none(),
            Self::Operator { id, .. } => id.is_none(),
            Self::Routes { operator, .. } => operator.is_none(),
            Self::TpsContract { mno, .. } => mno.is_none(),
            Self::Policy { .. } => false,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Mno { .. } => "Mno",
            Self::Operator { .. } => "Operator",
            Self::Routes { .. } => "Routes",
            Self::TpsContract { .. } => "TpsContract",
            Self::Policy { .. } => "Policy",
        }
    }
}

/// Members of a YAML list that could be understood, each with its place in the list.
#[derive(Debug)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    /// Place of each member; empty where none was left out.
    places: Vec<u32>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: Vec::new() }
    }
}

impl<T> List<T> {
    /// A list of which nothing was left out.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, places: Vec::new() }
    }

    /// The place in the YAML list of the n-th understood member.
    pub(crate) fn place(&self, n: usize) -> u32 {
        place(&self.places, n)
    }

    /// Members with their places.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (u32, &T)> {
        self.items.iter().enumerate().map(|(n, item)| (self.place(n), item))
    }
}

/// Where the n-th member of a list stands in the YAML, by a table that is empty where that is the n-th place.
fn place(places: &[u32], n: usize) -> u32 {
    places.get(n).copied().unwrap_or_else(|| u32::try_from(n).unwrap_or(u32::MAX))
}

/// The rules of a Routes document that could be understood, in prefix order.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) items: RuleList,
    /// Hash of the rules.
    pub(crate) hash: Digest,
    /// Place of each rule in the YAML list; empty where they stand there in prefix order and none was left out.
    pub(crate) places: Vec<u32>,
    /// What could not be read of a rule, by its place in the YAML list.
    doubts: BTreeMap<u32, Doubt>,
}

impl Rules {
    /// Rules that were all read in full, in prefix order.
    pub(crate) fn whole(items: RuleList, hash: Digest, places: Vec<u32>) -> Self {
        Self { items, hash, places, doubts: BTreeMap::new() }
    }

    /// What could not be read of the n-th rule.
    pub(crate) fn doubt(&self, n: usize) -> Doubt {
        if self.doubts.is_empty() {
            Doubt::default()
        } else {
            self.doubts.get(&self.place(n)).copied().unwrap_or_default()
        }
    }

    /// The place in the YAML list of the n-th rule.
    pub(crate) fn place(&self, n: usize) -> u32 {
        place(&self.places, n)
    }

    fn of(list: List<Rule>, doubts: BTreeMap<u32, Doubt>) -> Self {
        let List { items, places } = list;
        let (items, places) = if items.is_sorted_by_key(|rule| rule.prefix) {
            (items, places)
        } else {
            // Of equal prefixes the one that stands first stays first.
            let mut order: Vec<(E164Prefix, usize)> = items.iter().map(|rule| rule.prefix).zip(0..).collect();
            order.sort_unstable();
            let sorted = order.iter().map(|(_, n)| items[*n].clone()).collect();
            (sorted, order.iter().map(|(_, n)| place(&places, *n)).collect())
        };
        Self { hash: hash::routes(&items), items: items.into(), places, doubts }
    }
}

const KINDS: [&str; 5] = ["Mno", "Operator", "Routes", "TpsContract", "Policy"];

/// The documents of a text as JSON, plain scalars resolved by the core schema: what a JSON Schema is held against.
/// A text that is no YAML has none.
pub fn to_json(text: &str) -> Vec<serde_json::Value> {
    let stream = yaml::read(text);
    if stream.fault.is_some() { Vec::new() } else { stream.documents.iter().map(yaml::Node::to_json).collect() }
}

/// Parses what was loaded of a file.
pub(crate) fn parse_file(content: Content) -> ParsedFile {
    match content {
        Content::Text(text) => parse_text(text),
        Content::Known => ParsedFile::default(),
        Content::Unreadable { message, help } => unreadable(Arc::default(), message, help),
    }
}

fn unreadable(text: Arc<str>, message: String, help: &str) -> ParsedFile {
    let fault = FileFault {
        code: Code::UnreadableFile,
        span: Span::FILE,
        message,
        related: None,
        help: Some(help.to_owned()),
        fix: None,
    };
    ParsedFile { text, documents: Vec::new(), faults: vec![fault], opaque: Opaque::File }
}

fn parse_text(text: Arc<str>) -> ParsedFile {
    match parse_quickly(&text) {
        Some(documents) => ParsedFile { documents, ..ParsedFile::default() },
        None => parse_carefully(text),
    }
}

/// The documents of a file in which nothing is wrong. Most files are such, and no finding needs a place in them yet.
fn parse_quickly(text: &str) -> Option<Vec<Document>> {
    let mut report = Report::default();
    let documents = decode_all(&yaml::read_quickly(text)?, &mut report, false, secrets::may_hold_token(text)).0;
    (report.faults.is_empty() && !report.partial).then_some(documents)
}

fn parse_carefully(text: Arc<str>) -> ParsedFile {
    let stream = yaml::read(&text);
    match stream.fault {
        None => {}
        Some(yaml::Fault::AliasBomb) => {
            let help = "write the values out, or use fewer aliases";
            let message = "its aliases expand the file beyond what bindery reads".to_owned();
            drop(stream);
            return unreadable(text, message, help);
        }
        Some(yaml::Fault::TooDeep { at }) => return broken(&text, at, "the document is nested too deep"),
        Some(yaml::Fault::Syntax { at, message }) => {
            let at = if message.ends_with("found a tab") { behind_tab(&text, at) } else { at };
            return broken(&text, at, &message);
        }
    }
    let mut report = Report::default();
    for duplicate in &stream.duplicates {
        report.duplicate_key(duplicate);
    }
    // Of a field that stands twice one is left out.
    let doubtful = !stream.duplicates.is_empty();
    let (documents, opaque) = decode_all(&stream.documents, &mut report, doubtful, true);
    let faults = report.faults;
    drop(stream);
    let opaque = if opaque.is_empty() { Opaque::Nothing } else { Opaque::Documents(opaque) };
    ParsedFile { text, documents, faults, opaque }
}

/// Every document as far as it could be understood, and those of which it is not known what they define.
fn decode_all(
    roots: &[yaml::Node<'_>],
    report: &mut Report,
    doubtful: bool,
    suspected: bool,
) -> (Vec<Document>, Vec<OpaqueDocument>) {
    let (mut documents, mut opaque) = (Vec::new(), Vec::new());
    for (index, root) in (0..).zip(roots) {
        report.begin();
        if suspected {
            secrets::check(root, report);
        }
        let body = document(root, report);
        if body.as_ref().map_or(report.partial, Body::is_anonymous) {
            let lines = (root.span.start.line, root.span.end.line);
            opaque.push(OpaqueDocument { kind: body.as_ref().map(Body::kind), lines });
        }
        if let Some(body) = body {
            documents.push(Document::new(index, body, report.partial || doubtful));
        }
    }
    (documents, opaque)
}

fn broken(text: &Arc<str>, at: crate::source::Position, message: &str) -> ParsedFile {
    let fault = FileFault {
        code: Code::YamlSyntax,
        span: Span { start: at, end: at },
        message: format!("not YAML: {message}"),
        related: None,
        help: Some("nothing else in this file is checked until it parses".to_owned()),
        fix: None,
    };
    ParsedFile { text: text.clone(), documents: Vec::new(), faults: vec![fault], opaque: Opaque::File }
}

/// The place behind the next tab. Of a tab below a plain scalar the parser says where the scalar begins.
fn behind_tab(text: &str, from: crate::source::Position) -> crate::source::Position {
    let mut skipped = from.column.saturating_sub(1) as usize;
    for (line, content) in (1..).zip(text.lines()).skip(from.line.saturating_sub(1) as usize) {
        let tab = (1..).zip(content.chars()).skip(skipped).find(|(_, c)| *c == '\t');
        if let Some((column, _)) = tab {
            return crate::source::Position { line, column: column + 1 };
        }
        skipped = 0;
    }
    from
}

/// One document. An empty one is nothing.
fn document(root: &yaml::Node<'_>, report: &mut Report) -> Option<Body> {
    if let yaml::Value::Scalar(scalar) = &root.value
        && scalar.resolve() == yaml::Resolved::Null
    {
        return None;
    }
    let mut fields = Fields::of(root, report)?;
    let version = fields.required("apiVersion", report, |node, report| {
        let text = decode::text_of(node, report)?;
        if text != API_VERSION {
            report.fault(
                Code::UnknownKind,
                node.span,
                format!("{} is not a known apiVersion", shown(text)),
                Some(format!("write {API_VERSION}")),
            );
            return None;
        }
        Some(())
    });
    let kind = fields.required("kind", report, |node, report| {
        let text = decode::text_of(node, report)?;
        let known = KINDS.iter().find(|kind| **kind == text).copied();
        if known.is_none() {
            let help =
                decode::did_you_mean(text, KINDS).unwrap_or_else(|| format!("a kind is one of {}", KINDS.join(", ")));
            let same = KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(text));
            let fix = same.map(|kind| Fix { span: node.span, replacement: (*kind).to_owned() });
            let message = format!("{} is not a known kind", shown(text));
            report.fixable(Code::UnknownKind, node.span, message, Some(help), fix);
        }
        known
    });
    let Some((kind, ())) = kind.zip(version) else {
        // What the fields of an unknown kind or version mean is anyone's guess. Where the kind itself is not there, it
        // may stand under a misspelt name, which only the names that any kind has can show.
        if ["apiVersion", "kind"].iter().any(|name| root.get(name).is_none()) {
            _ = (fields.node("metadata"), fields.node("spec"));
            fields.finish(report);
        }
        return None;
    };
    let mut body = match kind {
        "Mno" => mno::decode(&mut fields, report),
        "Operator" => operator::decode(&mut fields, report),
        "Routes" => routes::decode(&mut fields, report),
        "TpsContract" => contract::decode(&mut fields, report),
        _ => policy::decode(&mut fields, report),
    };
    let unread = fields.finish(report);
    if unread.has("spec")
        && let Body::Policy { .. } = body
    {
        body = policy::unread();
    }
    Some(body)
}

#[cfg(test)]
mod tests;
