//! Events as a table for people and as JSON for programs.

use std::fmt;

use serde_json::{Value, json};

use super::{Event, Window};
use crate::diagnostic::render::shown;
use crate::diagnostic::{Code, Severity};
use crate::source::SourceMap;

/// Writes events as a table, one line each, and how many there are.
pub fn table(events: &[Event], window: Window, sources: &SourceMap, out: &mut impl fmt::Write) -> fmt::Result {
    let end = window.until.map_or_else(|| "on".to_owned(), |until| format!("to {until}"));
    if events.is_empty() {
        return writeln!(out, "Nothing from {} {end}.", window.from);
    }
    let label = |event: &Event| event.code.map_or("", Code::number);
    let width = |column: &dyn Fn(&Event) -> usize| events.iter().map(column).max().unwrap_or(0);
    let object = width(&|event| event.object.chars().count());
    let code = width(&|event| label(event).len());
    for event in events {
        let Event { date, severity, message, location, .. } = event;
        write!(out, "{date}  {:7}  ", severity.as_str())?;
        if code > 0 {
            write!(out, "{:code$}  ", label(event))?;
        }
        let place = format!("{}:{}", shown(sources.path(location.file)), location.span.start.line);
        let (name, message) = (shown(&event.object), shown(message));
        writeln!(out, "{name:object$}  {message}  ({place})")?;
    }
    let count = |severity| events.iter().filter(|event| event.severity == severity).count();
    let counted = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    writeln!(
        out,
        "\nFrom {} {end}: {}, {}, {}",
        window.from,
        counted(count(Severity::Error), "error"),
        counted(count(Severity::Warning), "warning"),
        counted(count(Severity::Note), "note")
    )
}

/// Events as JSON: `{events: [{date, code, kind, severity, object, message, file, line}]}`, `code` null where nothing
/// is wrong.
pub fn json(events: &[Event], sources: &SourceMap) -> Value {
    let events: Vec<Value> = events
        .iter()
        .map(|event| {
            json!({
                "date": event.date, "code": event.code.map(Code::number), "kind": event.kind,
                "severity": event.severity, "object": event.object, "message": event.message,
                "file": sources.path(event.location.file), "line": event.location.span.start.line,
            })
        })
        .collect();
    json!({ "events": events })
}
