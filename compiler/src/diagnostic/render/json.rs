//! Findings as JSON.

use serde_json::{Value, json};

use crate::diagnostic::{Finding, Location};
use crate::source::SourceMap;

/// One object a finding: `{code, name, severity, message, file, line, column, endLine, endColumn, related, help, fix}`;
/// `fix` is `{line, column, endLine, endColumn, replacement}`, or null where nothing is certain. File and lines are null
/// for what is in no file.
pub fn findings(findings: &[Finding], sources: &SourceMap) -> Vec<Value> {
    findings.iter().map(|finding| one(finding, sources)).collect()
}

fn one(finding: &Finding, sources: &SourceMap) -> Value {
    let related: Vec<Value> = finding
        .related
        .iter()
        .map(|related| {
            let Location { file, span } = related.location;
            json!({
                "file": sources.path(file), "line": span.start.line, "column": span.start.column,
                "message": related.message,
            })
        })
        .collect();
    let fix = finding.fix.as_ref().map(|fix| {
        json!({
            "line": fix.span.start.line, "column": fix.span.start.column,
            "endLine": fix.span.end.line, "endColumn": fix.span.end.column, "replacement": fix.replacement,
        })
    });
    let place = finding.place();
    let file = place.map(|place| sources.path(place.file));
    let (start, end) = (place.map(|place| place.span.start), place.map(|place| place.span.end));
    json!({
        "code": finding.code.number(), "name": finding.code.name(), "severity": finding.severity(),
        "message": finding.message, "file": file,
        "line": start.map(|start| start.line), "column": start.map(|start| start.column),
        "endLine": end.map(|end| end.line), "endColumn": end.map(|end| end.column),
        "related": related, "help": finding.help, "fix": fix,
    })
}
