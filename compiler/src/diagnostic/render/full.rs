//! Findings with the lines they are about, for people.

use std::io::{self, Write};

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::mask::Lines;
use super::shown;
use crate::diagnostic::{Finding, Location, Severity};
use crate::source::SourceMap;

/// Writes every finding with colours; a writer that is no terminal takes them out. Secrets are covered.
pub fn write(findings: &[Finding], sources: &SourceMap, out: &mut impl Write) -> io::Result<()> {
    let lines = Lines::of(findings, sources);
    let renderer = Renderer::styled();
    for finding in findings {
        writeln!(out, "{}\n", renderer.render(&[group(finding, sources, &lines)]))?;
    }
    Ok(())
}

fn group<'a>(finding: &'a Finding, sources: &'a SourceMap, lines: &'a Lines) -> Group<'a> {
    let level = match finding.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(&*finding.message).id(finding.code.number());
    let mut group = Group::with_title(title);
    let related = finding.related.iter().map(|related| (related.location, Some(&*related.message)));
    for (location, label) in finding.place().map(|place| (place, None)).into_iter().chain(related) {
        let path = shown(sources.path(location.file));
        match lines.get(location.file, location.span.start.line) {
            Some(line) => {
                let kind = if label.is_some() { AnnotationKind::Context } else { AnnotationKind::Primary };
                let annotation: Annotation<'_> = kind.span(bytes(line, location)).label(label);
                let snippet = Snippet::source(line).line_start(location.span.start.line as usize).path(path);
                group = group.element(snippet.annotation(annotation));
            }
            // A file without text has no line to show.
            None => group = group.element(Origin::path(path)),
        }
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(&**help));
    }
    if finding.fix.is_some() {
        group = group.element(Level::NOTE.message("fix available: bindery check --fix"));
    }
    group
}

/// The part of the location on its first line, in bytes. Only that line is shown: a file may have a million.
fn bytes(line: &str, location: Location) -> std::ops::Range<usize> {
    let at = |column: u32| line.char_indices().nth(column.saturating_sub(1) as usize).map_or(line.len(), |(at, _)| at);
    let span = location.span;
    let start = at(span.start.column);
    let end = if span.end.line > span.start.line { line.trim_end().len() } else { at(span.end.column) };
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Compiler, Options, diagnostic::render};

    #[test]
    fn no_format_shows_a_secret() {
        let secrets = ["k3y7pq2x", "hvs.CAESIJ", "s3cond"];
        let text = "apiVersion: bindery/v1\nkind: Operator\nspec:\n  smpp: {systemId: 5, password: k3y7pq2x, port: x}\n  \
                    displayName: hvs.CAESIJ\n  credentials: {password: s3cond}\n";
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("operators");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("parses.yaml"), text).unwrap();
        fs::write(folder.join("broken.yaml"), "spec:\n  password: k3y7pq2x: s3cond\n").unwrap();
        fs::write(folder.join("no-colon.yaml"), "spec:\n  password k3y7pq2x\n  port: 1\n").unwrap();
        fs::write(folder.join("no-space.yaml"), "spec:\n  a: 1\n  password:k3y7pq2x\n  port: 1\n").unwrap();
        fs::write(folder.join("below.yaml"), "password:\n  a: 1\n  k3y7pq2x\n  port: 1\n").unwrap();
        let options = Options { now: jiff::Timestamp::UNIX_EPOCH, environment: None };
        let compiled = Compiler::default().compile_directory(directory.path(), &options).unwrap();
        let (findings, sources) = (&compiled.findings, &compiled.sources);

        let mut out = Vec::new();
        write(findings, sources, &mut out).unwrap();
        let shown = String::from_utf8_lossy(&out).into_owned();
        assert!(shown.contains("password:") && shown.contains("***"), "{shown}");
        render::concise::write(findings, sources, &mut out).unwrap();
        render::github::write(findings, sources, &mut out).unwrap();
        let mut shown = String::from_utf8(out).unwrap();
        shown.push_str(&serde_json::Value::from(render::json::findings(findings, sources)).to_string());
        for secret in secrets {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }
}
