//! Findings as a JUnit report: one test a file, which fails where the file has an error, or a warning where those are denied.
//!
//! The form has no standard. This is the one of Ant's `junitreport`, the strictest in use, which GitLab and Jenkins read
//! too: one failure a test, all elements and attributes in place.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;

use super::concise::place;
use super::{shown, shown_lines};
use crate::diagnostic::{Finding, Location, Severity};
use crate::source::{FileId, SourceMap};

/// Writes one suite, in which findings of at least a severity are failures. What does not fail a check stands in the suite's
/// output. A finding in no file, such as a plan that is held, fails a test of its own.
pub fn write(
    findings: &[Finding],
    sources: &SourceMap,
    now: Timestamp,
    least: Severity,
    out: &mut impl Write,
) -> io::Result<()> {
    let (failures, others): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.severity() <= least);
    let mut failed: BTreeMap<FileId, Vec<&Finding>> = BTreeMap::new();
    for finding in failures {
        failed.entry(finding.primary.file).or_default().push(finding);
    }
    let plan = failed.contains_key(&Location::NOWHERE.file).then_some(("plan", Location::NOWHERE.file));
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>")?;
    writeln!(
        out,
        "  <testsuite id=\"0\" package=\"bindery\" name=\"check\" timestamp=\"{}\" hostname=\"localhost\" tests=\"{}\" \
         failures=\"{}\" errors=\"0\" time=\"0\">\n    <properties/>",
        now.strftime("%Y-%m-%dT%H:%M:%S"),
        sources.len() + usize::from(plan.is_some()),
        failed.len()
    )?;
    for (path, file) in sources.files().map(|file| (sources.path(file), file)).chain(plan) {
        write!(out, "    <testcase classname=\"check\" name=\"{}\" time=\"0\"", escaped(&shown(path)))?;
        let Some(found) = failed.get(&file) else {
            writeln!(out, "/>")?;
            continue;
        };
        let message = match found[..] {
            [only] => only.message.clone(),
            _ => format!("{} findings, the first: {}", found.len(), found[0].message),
        };
        let (code, message) = (found[0].code, escaped(&message));
        write!(out, ">\n      <failure type=\"{code}\" message=\"{message}\">")?;
        let lines: Vec<String> = found.iter().map(|finding| escaped(&lines(finding, sources))).collect();
        writeln!(out, "{}</failure>\n    </testcase>", lines.join("\n"))?;
    }
    let others: Vec<String> = others.into_iter().map(|finding| escaped(&lines(finding, sources))).collect();
    writeln!(out, "    <system-out>{}</system-out>\n    <system-err/>", others.join("\n"))?;
    writeln!(out, "  </testsuite>\n</testsuites>")
}

/// A finding with its other places and its help.
fn lines(finding: &Finding, sources: &SourceMap) -> String {
    let at = |location: Location| {
        let start = location.span.start;
        format!("{}:{}:{}", shown(sources.path(location.file)), start.line, start.column)
    };
    let (place, severity) = (place(finding, sources), finding.severity().as_str());
    let mut text = format!("{place}: {severity} {} {}", finding.code, finding.message);
    for related in &finding.related {
        text.push_str(&format!("\n  {}: {}", at(related.location), related.message));
    }
    if let Some(help) = &finding.help {
        text.push_str(&format!("\n  help: {help}"));
    }
    text
}

/// Escapes markup; what XML 1.0 cannot hold at all becomes a replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shown_lines(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_ends_the_attribute() {
        assert_eq!(escaped("a\"<b>&\u{1b}\u{0}ü"), "a&quot;&lt;b&gt;&amp;\\u{1b}\\u{0}ü");
    }
}
