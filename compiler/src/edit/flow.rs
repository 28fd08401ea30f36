//! Changes inside of brackets.

use std::ops::Range;

use serde_json::Value;

use super::page::Page;
use super::scan::Lost;
use super::tree::{Entry, Form, Node};
use super::write;
use crate::format::Shape;

/// A place for a value in brackets.
pub(super) enum Slot<'n, 't> {
    Entry(&'n Entry<'t>),
    Item(&'n Node<'t>),
}

/// The bytes of a key with its value.
pub(super) fn extent(entry: &Entry<'_>) -> Range<usize> {
    entry.key.begin..entry.value.end.max(entry.behind())
}

/// The text with another value in a place.
pub(super) fn set(page: &Page<'_>, slot: &Slot<'_, '_>, value: &Value, shape: Shape) -> String {
    let new = write::flow(value, shape, true);
    let node = match slot {
        Slot::Entry(entry) => &entry.value,
        Slot::Item(value) => value,
    };
    match slot {
        Slot::Entry(entry) if matches!(node.form, Form::Empty) => {
            let colon = if entry.colon.is_some() { "" } else { ":" };
            let behind = entry.behind();
            page.with(behind..node.end.max(behind), &format!("{colon} {new}"))
        }
        _ => page.with(node.begin..node.end, &new),
    }
}

/// The text with a member before that of a number; members with lines of their own get one more.
pub(super) fn insert(page: &Page<'_>, members: &[Range<usize>], at: usize, new: &str) -> Result<String, Lost> {
    let shares_line = |one: usize, other: usize| page.line_start(one) == page.line_start(other);
    let next = members.get(at);
    let Some(before) = at.checked_sub(1).and_then(|before| members.get(before)) else {
        let next = next.ok_or(Lost)?.start;
        let gap = if page.begins_line(next) {
            format!("{}{}", page.ending, " ".repeat(page.column(next)))
        } else {
            " ".to_owned()
        };
        return Ok(page.with(next..next, &format!("{new},{gap}")));
    };
    let rest = &page.text[before.end..page.line_end(before.end)];
    let (comma, comment) = match rest.trim_start().strip_prefix(',') {
        Some(behind) => (true, behind.trim_start()),
        None => (false, rest.trim_start()),
    };
    let closes_line = comment.is_empty() || comment.starts_with('#');
    if !page.begins_line(before.start) || !closes_line || next.is_some_and(|next| shares_line(before.end, next.start)) {
        return Ok(page.with(before.end..before.end, &format!(", {new}")));
    }
    let (own, last) = if comma { ("", ",") } else { (",", "") };
    let pad = " ".repeat(page.column(before.start));
    let rest = rest.trim_end();
    Ok(page.with(before.end..page.line_end(before.end), &format!("{own}{rest}{}{pad}{new}{last}", page.ending)))
}

/// The text without a member, and without its line where it has one for itself.
pub(super) fn take(page: &Page<'_>, members: &[Range<usize>], at: usize, open: usize) -> Result<String, Lost> {
    let member = members.get(at).ok_or(Lost)?;
    let before = at.checked_sub(1).and_then(|before| members.get(before));
    let rest = page.text[member.end..page.line_end(member.end)].trim_start();
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    if page.begins_line(member.start) && (rest.is_empty() || rest.starts_with('#')) {
        let floor = before.map_or(open, |before| before.end);
        let start = page.attached(page.line_start(member.start), page.column(member.start), floor);
        return Ok(page.without(start..page.next_line(member.end)));
    }
    match (members.get(at + 1), before) {
        (Some(next), _) => Ok(page.without(member.start..next.start)),
        (None, Some(before)) => Ok(page.without(before.end..member.end)),
        (None, None) => Err(Lost),
    }
}
