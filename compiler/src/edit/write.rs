//! New values as text, written as `bindery fmt` writes them.

use serde_json::{Map, Value};

use crate::format::{Shape, needs_quotes};

/// Spaces a level, as every shipped file has them.
pub(super) const STEP: usize = 2;

/// What stands behind `key:` or a dash, and the lines below.
pub(super) struct Written {
    pub(super) head: String,
    pub(super) below: Vec<String>,
}

/// The value of a key that stands `indent` spaces in.
pub(super) fn value(value: &Value, shape: Shape, indent: usize) -> Written {
    match value {
        Value::Object(members) if !members.is_empty() => {
            Written { head: String::new(), below: mapping(members, shape, indent + STEP) }
        }
        Value::Array(items) if !items.is_empty() => {
            let lines = items.iter().flat_map(|member| item(member, shape.member(), indent + STEP));
            Written { head: String::new(), below: lines.collect() }
        }
        Value::String(text) if is_literal(text) => {
            let pad = " ".repeat(indent + STEP);
            let line = |line: &str| if line.is_empty() { String::new() } else { format!("{pad}{line}") };
            let head = if text.ends_with('\n') { "|" } else { "|-" };
            Written { head: head.to_owned(), below: text.lines().map(line).collect() }
        }
        _ => Written { head: flow(value, shape, false), below: Vec::new() },
    }
}

/// The lines of a mapping whose keys stand `indent` spaces in.
pub(super) fn mapping(members: &Map<String, Value>, shape: Shape, indent: usize) -> Vec<String> {
    in_order(members, shape).into_iter().flat_map(|(key, value, shape)| entry(key, value, shape, indent)).collect()
}

/// The lines of a key and its value; the key stands `indent` spaces in.
pub(super) fn entry(key: &str, value: &Value, shape: Shape, indent: usize) -> Vec<String> {
    let Written { head, below } = self::value(value, shape, indent);
    let gap = if head.is_empty() { "" } else { " " };
    let line = format!("{}{}:{gap}{head}", " ".repeat(indent), text(key, false));
    std::iter::once(line).chain(below).collect()
}

/// The lines of a list's member whose dash stands `indent` spaces in.
pub(super) fn item(value: &Value, shape: Shape, indent: usize) -> Vec<String> {
    let Written { head, below } = behind_dash(value, shape, indent);
    std::iter::once(format!("{}- {head}", " ".repeat(indent))).chain(below).collect()
}

/// What stands behind a dash that stands `indent` spaces in.
pub(super) fn behind_dash(value: &Value, shape: Shape, indent: usize) -> Written {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let mut lines = mapping(members, shape, indent + STEP).into_iter();
            let head = lines.next().unwrap_or_default().trim_start().to_owned();
            Written { head, below: lines.collect() }
        }
        Value::Array(_) => Written { head: flow(value, shape, false), below: Vec::new() },
        _ => self::value(value, shape, indent),
    }
}

/// A value on one line.
pub(super) fn flow(value: &Value, shape: Shape, in_flow: bool) -> String {
    match value {
        Value::String(value) => text(value, in_flow),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, shape.member(), true)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members = in_order(members, shape).into_iter();
            let members: Vec<String> = members.map(|(key, value, shape)| pair(key, value, shape)).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A key and its value in braces.
pub(super) fn pair(key: &str, value: &Value, shape: Shape) -> String {
    format!("{}: {}", text(key, true), flow(value, shape, true))
}

fn in_order(members: &Map<String, Value>, shape: Shape) -> Vec<(&str, &Value, Shape)> {
    let mut ranked: Vec<_> = members.iter().map(|(key, value)| (shape.key(key), key.as_str(), value)).collect();
    ranked.sort_by_key(|((rank, _), ..)| *rank);
    ranked.into_iter().map(|((_, shape), key, value)| (key, value, shape)).collect()
}

/// Whether a text can stand below `|`: lines that are all there when they are read again.
fn is_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with(char::is_whitespace)
        && !text.chars().any(|c| c != '\n' && is_unprintable(c))
}

fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

/// A text on one line, in quotes where some reader takes it for something else.
fn text(text: &str, in_flow: bool) -> String {
    if !needs_quotes(text, in_flow) {
        return text.to_owned();
    }
    if text.chars().any(is_unprintable) {
        // JSON's escapes are YAML's too.
        let json = Value::from(text).to_string();
        let escape = |c: char| if is_unprintable(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
        return json.chars().map(escape).collect();
    }
    if text.contains(['"', '\\']) { format!("'{}'", text.replace('\'', "''")) } else { format!("\"{text}\"") }
}
