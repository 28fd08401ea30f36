//! Findings as SARIF 2.1.0, which code scanning services and editors show beside the lines.
//!
//! Format: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html>. Columns count Unicode scalar values,
//! as everywhere here, and the document says so.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::diagnostic::{Code, Finding, Fix, Location, Severity};
use crate::source::{POLICY, SourceMap, Span};

/// Writes one run. Rules are listed where a finding names them, with their page as help.
pub fn write(findings: &[Finding], sources: &SourceMap, out: &mut impl Write) -> io::Result<()> {
    let codes: Vec<Code> = findings.iter().map(|f| f.code).collect::<BTreeSet<_>>().into_iter().collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, &codes, sources)).collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "bindery", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "invocations": [{"executionSuccessful": true}],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    // In one piece: an output that looks for colours would look in each.
    out.write_all(format!("{log:#}\n").as_bytes())
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.number(),
        "name": code.name(),
        "shortDescription": {"text": code.name().replace('-', " ")},
        "help": {"text": code.page(), "markdown": code.page()},
        "defaultConfiguration": {"level": level(code.severity())},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn result(finding: &Finding, codes: &[Code], sources: &SourceMap) -> Value {
    let text = match &finding.help {
        Some(help) => format!("{}\n{help}", finding.message),
        None => finding.message.clone(),
    };
    let mut result = json!({
        "ruleId": finding.code.number(),
        "ruleIndex": codes.binary_search(&finding.code).map_or(-1, |index| i64::try_from(index).unwrap_or(-1)),
        "level": level(finding.severity()),
        "message": {"text": text},
        "locations": [{"physicalLocation": finding.place().map_or_else(policy, |at| place(at, sources))}],
    });
    if !finding.related.is_empty() {
        let related = finding.related.iter().enumerate().map(|(id, related)| {
            json!({
                "id": id,
                "physicalLocation": place(related.location, sources),
                "message": {"text": related.message},
            })
        });
        result["relatedLocations"] = related.collect();
    }
    // What stands where a secret was found is in nobody's report.
    let secret = matches!(finding.code, Code::PlaintextSecret | Code::SealedUnreadable);
    if let Some(fix) = finding.fix.as_ref().filter(|_| !secret) {
        result["fixes"] = json!([repair(fix, finding.primary, sources)]);
    }
    result
}

fn repair(fix: &Fix, primary: Location, sources: &SourceMap) -> Value {
    json!({
        "description": {"text": format!("write {}", fix.replacement)},
        "artifactChanges": [{
            "artifactLocation": artifact(sources.path(primary.file)),
            "replacements": [{
                "deletedRegion": region(fix.span),
                "insertedContent": {"text": fix.replacement},
            }],
        }],
    })
}

fn place(location: Location, sources: &SourceMap) -> Value {
    json!({"artifactLocation": artifact(sources.path(location.file)), "region": region(location.span)})
}

/// Code scanning takes no result without a place: a held plan is shown where its guardrails stand.
fn policy() -> Value {
    json!({"artifactLocation": artifact(POLICY), "region": region(Span::FILE)})
}

/// The end is exclusive on both sides.
fn region(span: Span) -> Value {
    json!({
        "startLine": span.start.line, "startColumn": span.start.column,
        "endLine": span.end.line, "endColumn": span.end.column,
    })
}

/// A path below the root of the repository as a relative URI.
fn artifact(path: &str) -> Value {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    json!({"uri": uri, "uriBaseId": "%SRCROOT%"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri() {
        assert_eq!(artifact("operators/a b:ü%.yaml")["uri"], "operators/a%20b%3A%C3%BC%25.yaml");
    }
}
