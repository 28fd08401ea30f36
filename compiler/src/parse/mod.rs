//! From text to typed documents, one file at a time.
//!
//! A file is parsed without knowing its path or any other file, so the result can be kept by content and used again.
//! Everything wrong with the file itself is found here, all at once; what is wrong between files is `validate`'s.

mod agreements;
mod contract;
mod cut;
mod decode;
mod elsewhere;
mod misspelt;
mod mno;
mod operator;
mod parsed;
mod partial;
mod policy;
mod routes;
mod scalar;
pub(crate) mod secrets;
pub(crate) mod yaml;

use std::sync::{Arc, LazyLock};

use bindery_schema::API_VERSION;
use bindery_schema::value::shown;

use crate::diagnostic::{Code, Fix};
use crate::source::{Content, Span};
pub(crate) use agreements::{Agreements, Bounds, ContractTerms, ReservationTerms};
use decode::{Fields, Report};
use parsed::OpaqueDocument;
pub use parsed::ParsedFile;
pub(crate) use parsed::{Body, Document, Doubt, FileFault, Lost, Opaque, Places, Rules, UnreadAcknowledgements};
pub(crate) use partial::{ReadOperator, Unread};
pub(crate) use secrets::{covered, is_suspicious, names_a_secret};

const KINDS: [&str; 5] = ["Mno", "Operator", "Routes", "TpsContract", "Policy"];
static ANY_KIND: LazyLock<String> = LazyLock::new(|| format!("a kind is one of {}", KINDS.join(", ")));

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
        Some(yaml::Fault::TooDeep { at }) => return broken(&text, at, "the document is nested too deep", None),
        Some(yaml::Fault::Syntax { at, message, help }) => return broken(&text, at, &message, help),
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
    // Most files hold one document, and a vector that grows begins with room for four.
    let (mut documents, mut opaque) = (Vec::with_capacity(roots.len()), Vec::new());
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

fn broken(text: &Arc<str>, at: crate::source::Position, message: &str, help: Option<String>) -> ParsedFile {
    let rest = "nothing else in this file is checked until it parses";
    let fault = FileFault {
        code: Code::YamlSyntax,
        span: Span { start: at, end: at },
        message: format!("not YAML: {message}"),
        related: None,
        help: Some(help.map_or_else(|| rest.to_owned(), |help| format!("{help}; {rest}"))),
        fix: None,
    };
    ParsedFile { text: text.clone(), documents: Vec::new(), faults: vec![fault], opaque: Opaque::File }
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
        let help = format_args!("it is {API_VERSION}");
        let text = decode::text_that(node, report, |text| text == API_VERSION, help)?;
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
        let text = decode::text_that(node, report, |text| KINDS.contains(&text), &*ANY_KIND)?;
        let known = KINDS.iter().find(|kind| **kind == text).copied();
        if known.is_none() {
            let help = decode::did_you_mean(text, KINDS).unwrap_or_else(|| ANY_KIND.clone());
            let same = KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(text));
            let fix = same.map(|kind| Fix { span: node.span, replacement: decode::spelt_as(node, kind) });
            let message = format!("{} is not a known kind", shown(text));
            report.fixable(Code::UnknownKind, node.span, message, Some(help), fix);
        }
        known
    });
    // Without a version, or with the right one twice, it is plain what is meant.
    let version =
        version.or_else(|| root.all("apiVersion").all(|node| node.as_text() == Some(API_VERSION)).then_some(()));
    let Some((kind, ())) = kind.zip(version) else {
        // What the fields of an unknown kind or version mean is anyone's guess. Where the kind itself is not there, it
        // may stand under a misspelt name, which only the names that any kind has can show.
        if ["apiVersion", "kind"].iter().any(|name| root.get(name).is_none()) {
            _ = (fields.node("metadata"), fields.node("spec"));
            fields.finish(report);
        }
        return None;
    };
    report.kind = Some(kind);
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
