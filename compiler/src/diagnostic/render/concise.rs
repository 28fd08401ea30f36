//! Findings one a line, for editors and `grep`.

use std::io::{self, Write};

use crate::diagnostic::{Finding, Location};
use crate::source::SourceMap;

/// Writes `path:line:column: severity CODE message` for each.
pub fn write(findings: &[Finding], sources: &SourceMap, out: &mut impl Write) -> io::Result<()> {
    for finding in findings {
        let Location { file, span } = finding.primary;
        let (path, line, column) = (sources.path(file), span.start.line, span.start.column);
        // Values from a file may hold line breaks or escape sequences of a terminal.
        let message = finding.message.replace(char::is_control, " ");
        writeln!(out, "{path}:{line}:{column}: {} {} {message}", finding.severity().as_str(), finding.code)?;
    }
    Ok(())
}
