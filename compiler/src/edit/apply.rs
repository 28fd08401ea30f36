//! One change made to a text: the bytes it takes are those of what changes, with the comments that belong to it.

use serde_json::Value;

use super::change::{Change, Step, What};
use super::flow;
use super::page::Page;
use super::scan::Lost;
use super::tree::{self, Entry, Form, Item, Node};
use super::write::{self, Written};
use crate::format::Shape;

/// A value in its place.
struct Place<'n, 't> {
    node: &'n Node<'t>,
    owner: Owner<'n, 't>,
    in_flow: bool,
    shape: Shape,
}

/// What a value belongs to.
#[derive(Clone, Copy)]
enum Owner<'n, 't> {
    Document,
    Entry(&'n Entry<'t>),
    Item(&'n Item<'t>),
}

impl Owner<'_, '_> {
    /// The end of the key with its colon, or of the dash; for the whole of a document its beginning.
    fn behind(&self) -> usize {
        match self {
            Self::Document => 0,
            Self::Entry(entry) => entry.behind(),
            Self::Item(item) => item.dash.map_or(item.value.begin, |dash| dash + 1),
        }
    }
}

/// The text after a change of its n-th document.
pub(super) fn apply(text: &str, document: usize, kind: Option<&str>, change: &Change) -> Result<String, Lost> {
    let documents = tree::read(text)?;
    let root = &documents.get(document).ok_or(Lost)?.root;
    let page = Page::of(text);
    let place = find(root, Shape::of_kind(kind), &change.path)?;
    match &change.what {
        What::Set(value) if place.in_flow => Ok(flow::set(&page, &place.slot(), value, place.shape)),
        What::Set(value) => set(&page, &place, value),
        What::Add(key, value) => add(&page, &place, key, value),
        What::Drop(key) => drop_key(&page, &place, key),
        What::Insert(at, value) => insert(&page, &place, *at, value),
        What::Take(at) => take(&page, &place, *at),
    }
}

fn find<'n, 't>(root: &'n Node<'t>, shape: Shape, path: &[Step]) -> Result<Place<'n, 't>, Lost> {
    let mut place = Place { node: root, owner: Owner::Document, in_flow: false, shape };
    for step in path {
        let in_flow = place.in_flow || place.node.is_flow();
        place = match (step, &place.node.form) {
            (Step::Key(key), Form::Mapping { entries, .. }) => {
                let entry = entries.iter().find(|entry| entry.name.as_deref() == Some(key)).ok_or(Lost)?;
                let shape = place.shape.key(key).1;
                Place { node: &entry.value, owner: Owner::Entry(entry), in_flow, shape }
            }
            (Step::At(at), Form::Sequence { items, .. }) => {
                let item = items.get(*at).ok_or(Lost)?;
                Place { node: &item.value, owner: Owner::Item(item), in_flow, shape: place.shape.member() }
            }
            // An alias, say.
            _ => return Err(Lost),
        };
    }
    Ok(place)
}

impl<'n, 't> Place<'n, 't> {
    fn slot(&self) -> flow::Slot<'n, 't> {
        match self.owner {
            Owner::Entry(entry) => flow::Slot::Entry(entry),
            Owner::Document | Owner::Item(_) => flow::Slot::Item(self.node),
        }
    }
}

/// A value that has a key or a dash on a line of its own.
fn set(page: &Page<'_>, place: &Place<'_, '_>, value: &Value) -> Result<String, Lost> {
    let node = place.node;
    let behind = place.owner.behind();
    let (indent, Written { head, below }) = match place.owner {
        Owner::Document => return Err(Lost),
        Owner::Entry(entry) => {
            let indent = page.column(entry.key.begin);
            (indent, write::value(value, place.shape, indent))
        }
        Owner::Item(item) => {
            let indent = page.column(item.dash.ok_or(Lost)?);
            (indent, write::behind_dash(value, place.shape, indent))
        }
    };
    let is_below = node.head.is_some() || node.is_block_collection();
    let stays_flow = node.is_flow() && page.line_start(node.begin) == page.line_start(node.end) && !is_empty(node);
    if stays_flow && (value.is_object() || value.is_array()) {
        return Ok(page.with(node.begin..node.end, &write::flow(value, place.shape, false)));
    }
    if below.is_empty() && !is_below && !matches!(node.form, Form::Empty) {
        return Ok(page.with(node.begin..node.end, &head));
    }
    // What the line of the key goes on with behind the old value: a comment.
    let in_line = page.line_start(node.begin) == page.line_start(behind);
    let head_end = match node.head {
        Some(head) => head,
        None if in_line && !node.is_block_collection() => node.end,
        None => behind,
    };
    let tail = if in_line && node.is_block_collection() && node.head.is_none() {
        ""
    } else if page.ends_line(head_end) {
        page.text[head_end..page.line_end(head_end)].trim_end()
    } else {
        return Err(Lost);
    };
    let gap = match &*head {
        "" => "",
        // Lines below a dash stand as far in as what is behind it.
        _ if below.is_empty() && in_line && node.begin > behind => &page.text[behind..node.begin],
        _ => " ",
    };
    let end = if is_below { page.below(node.end, indent) } else { page.next_line(node.end.max(behind)) };
    let lines = page.lines(&[vec![format!("{gap}{head}{tail}")], below].concat());
    Ok(page.with(behind..end, &lines))
}

fn is_empty(node: &Node<'_>) -> bool {
    match &node.form {
        Form::Sequence { items, .. } => items.is_empty(),
        Form::Mapping { entries, .. } => entries.is_empty(),
        Form::Empty | Form::Inline | Form::Block => false,
    }
}

/// A key is put where the schema has it: behind the last that comes before it.
fn add(page: &Page<'_>, place: &Place<'_, '_>, key: &str, value: &Value) -> Result<String, Lost> {
    let Form::Mapping { flow, entries } = &place.node.form else { return Err(Lost) };
    let (rank, shape) = place.shape.key(key);
    let comes_before = |entry: &Entry<'_>| entry.name.as_deref().is_some_and(|name| place.shape.key(name).0 <= rank);
    let at = entries.iter().rposition(comes_before).map_or(0, |last| last + 1);
    if *flow {
        let pair = write::pair(key, value, shape);
        return flow::insert(page, &entries.iter().map(flow::extent).collect::<Vec<_>>(), at, &pair);
    }
    let first = entries.first().ok_or(Lost)?.key.begin;
    let indent = page.column(first);
    let lines = page.lines(&write::entry(key, value, shape, indent));
    if let Some(before) = at.checked_sub(1) {
        let begin = page.below(entries[before].value.end.max(entries[before].behind()), indent);
        return Ok(page.with(begin..begin, &lines));
    }
    if page.begins_line(first) {
        let begin = page.attached(page.line_start(first), indent, place.owner.behind());
        return Ok(page.with(begin..begin, &lines));
    }
    // Behind a dash, which the next key no longer has.
    let pad = " ".repeat(indent);
    Ok(page.with(first..first, &format!("{}{pad}", lines.trim_start_matches(' '))))
}

fn drop_key(page: &Page<'_>, place: &Place<'_, '_>, key: &str) -> Result<String, Lost> {
    let Form::Mapping { flow, entries } = &place.node.form else { return Err(Lost) };
    let at = entries.iter().position(|entry| entry.name.as_deref() == Some(key)).ok_or(Lost)?;
    if *flow {
        return flow::take(page, &entries.iter().map(flow::extent).collect::<Vec<_>>(), at, place.node.begin);
    }
    let entry = &entries[at];
    let (begin, end) = (entry.key.begin, entry.value.end.max(entry.behind()));
    let indent = page.column(begin);
    if page.begins_line(begin) {
        let floor = at.checked_sub(1).map_or(place.owner.behind(), |before| entries[before].value.end);
        let start = page.attached(page.line_start(begin), indent, floor);
        return Ok(page.without_lines(start..page.below(end, indent), at == 0));
    }
    let next = entries.get(at + 1).ok_or(Lost)?.key.begin;
    let between = page.text[page.line_end(end)..next].trim();
    if between.is_empty() {
        return Ok(page.without(begin..next));
    }
    // Comments of the next key: the dash stays alone on its line.
    Ok(page.without(place.owner.behind()..page.line_end(end)))
}

fn insert(page: &Page<'_>, place: &Place<'_, '_>, at: usize, value: &Value) -> Result<String, Lost> {
    let Form::Sequence { flow, items } = &place.node.form else { return Err(Lost) };
    let shape = place.shape.member();
    if *flow {
        let extents: Vec<_> = items.iter().map(|item| item.value.begin..item.value.end).collect();
        return flow::insert(page, &extents, at, &write::flow(value, shape, true));
    }
    let neighbour = at.checked_sub(1).map_or_else(|| items.first(), |before| items.get(before)).ok_or(Lost)?;
    let dash = neighbour.dash.ok_or(Lost)?;
    let indent = page.column(dash);
    let is_flow = neighbour.value.is_flow() && !is_empty(&neighbour.value);
    let lines = if is_flow {
        vec![format!("{}- {}", " ".repeat(indent), write::flow(value, shape, false))]
    } else {
        write::item(value, shape, indent)
    };
    let begin = match at {
        0 if page.begins_line(dash) => page.attached(page.line_start(dash), indent, place.owner.behind()),
        0 => return Err(Lost),
        _ => page.below(neighbour.value.end.max(dash + 1), indent),
    };
    Ok(page.with(begin..begin, &page.lines(&lines)))
}

fn take(page: &Page<'_>, place: &Place<'_, '_>, at: usize) -> Result<String, Lost> {
    let Form::Sequence { flow, items } = &place.node.form else { return Err(Lost) };
    if *flow {
        let extents: Vec<_> = items.iter().map(|item| item.value.begin..item.value.end).collect();
        return flow::take(page, &extents, at, place.node.begin);
    }
    let item = items.get(at).ok_or(Lost)?;
    let dash = item.dash.filter(|dash| page.begins_line(*dash)).ok_or(Lost)?;
    let indent = page.column(dash);
    let floor = at.checked_sub(1).map_or(place.owner.behind(), |before| items[before].value.end);
    let start = page.attached(page.line_start(dash), indent, floor);
    Ok(page.without_lines(start..page.below(item.value.end.max(dash + 1), indent), at == 0))
}
