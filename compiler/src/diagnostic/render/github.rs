//! Findings as workflow commands of GitHub Actions, which shows them beside the changed lines.
//!
//! Format: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.

use std::io::{self, Write};

use super::shown;
use crate::diagnostic::{Finding, Location, Severity};
use crate::source::SourceMap;

/// Writes one command a finding. Columns are given only where the finding ends on the line it begins on, as GitHub wants.
pub fn write(findings: &[Finding], sources: &SourceMap, out: &mut impl Write) -> io::Result<()> {
    for finding in findings {
        let command = match finding.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut message = finding.message.clone();
        for related in &finding.related {
            let Location { file, span } = related.location;
            let (path, line, column) = (shown(sources.path(file)), span.start.line, span.start.column);
            message.extend(["\n", &*path, &format!(":{line}:{column}: "), &*related.message]);
        }
        if let Some(help) = &finding.help {
            message.extend(["\nhelp: ", &**help]);
        }
        let title = property(&format!("{} {}", finding.code, finding.code.name()));
        let place = finding.place().map(|place| lines(place, sources)).unwrap_or_default();
        writeln!(out, "::{command} {place}title={title}::{}", data(&message))?;
    }
    Ok(())
}

/// The properties that say where a finding is.
fn lines(Location { file, span }: Location, sources: &SourceMap) -> String {
    let (file, line, end_line) = (property(sources.path(file)), span.start.line, span.end.line);
    if line != end_line {
        return format!("file={file},line={line},endLine={end_line},");
    }
    let (column, end_column) = (span.start.column, span.end.column);
    format!("file={file},line={line},col={column},endLine={end_line},endColumn={end_column},")
}

/// Text in which a runner finds no command: it takes `##[` for one wherever it stands, and `::` where a line begins with it
/// (`ActionCommand.TryParse` and `TryParseV2` of <https://github.com/actions/runner>).
pub fn harmless(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace("##[", r"##\[");
        let begin = line.len() - line.trim_start().len();
        let (space, rest) = line.split_at(begin);
        if rest.starts_with("::") { format!(r"{space}\{rest}") } else { line }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Escapes what stands behind `::`.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace("##[", r"##\[");
    text.split('\n').map(shown).collect::<Vec<_>>().join("%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{Code, Related};
    use crate::source::{FileId, Position, Span};

    #[test]
    fn a_plan_holds_no_command_for_the_runner() {
        let text = "~ operator a\n    name: \"##[error]x ##[add-mask]y\"\n  ::stop-commands::z\na::b # #[c]\n";
        assert_eq!(
            harmless(text),
            "~ operator a\n    name: \"##\\[error]x ##\\[add-mask]y\"\n  \\::stop-commands::z\na::b # #[c]\n"
        );
        assert_eq!(data("##[error]\u{202e}"), "##\\[error]\\u{202e}");
    }

    #[test]
    fn nothing_in_a_value_ends_the_command() {
        let sources = SourceMap::new(vec![(Arc::from("operators/a,b:100%.yaml"), Arc::from(""))]);
        let at = |line, column| Position { line, column };
        let primary = Location { file: FileId(0), span: Span { start: at(3, 5), end: at(3, 9) } };
        let finding = Finding {
            code: Code::DuplicateEndpoint,
            message: "50% of\n`a::b`".to_owned(),
            primary,
            related: vec![Related { location: primary, message: "first here".to_owned() }],
            help: Some("change it".to_owned()),
            fix: None,
            object: None,
        };
        let mut out = Vec::new();
        write(&[finding], &sources, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "::error file=operators/a%2Cb%3A100%25.yaml,line=3,col=5,endLine=3,endColumn=9,title=BND0401 duplicate-endpoint\
             ::50%25 of%0A`a::b`%0Aoperators/a,b:100%25.yaml:3:5: first here%0Ahelp: change it\n"
        );
    }
}
