//! Findings one a line, for editors and `grep`.

use std::io::{self, Write};

use super::shown;
use crate::diagnostic::{Finding, Location};
use crate::source::SourceMap;

/// Writes `path:line:column: severity CODE message` for each, with `plan` in place of the path for what is in no file.
pub fn write(findings: &[Finding], sources: &SourceMap, out: &mut impl Write) -> io::Result<()> {
    for finding in findings {
        let place = place(finding, sources);
        // Values from a file may hold line breaks, escape sequences of a terminal, or what turns the direction of writing.
        let message = shown(&finding.message);
        writeln!(out, "{place}: {} {} {message}", finding.severity().as_str(), finding.code)?;
    }
    Ok(())
}

/// Where a finding is, in one word.
pub(super) fn place(finding: &Finding, sources: &SourceMap) -> String {
    let at =
        |Location { file, span }| format!("{}:{}:{}", shown(sources.path(file)), span.start.line, span.start.column);
    finding.place().map_or_else(|| "plan".to_owned(), at)
}
