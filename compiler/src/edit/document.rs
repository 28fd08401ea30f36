//! Documents as a whole: a new one, one more, one less.

use serde_json::Value;

use super::page::Page;
use super::{Error, Object, Sound, finish, tree, write};
use crate::format::{self, Shape};

/// A new document as canonical text, from JSON with `apiVersion`, `kind`, `metadata` and `spec`.
pub fn document(value: &Value) -> Result<String, Error> {
    let kind = value.get("kind").and_then(Value::as_str);
    let refused = || Error::Layout(kind.unwrap_or("the document").to_owned());
    let members = value.as_object().filter(|members| !members.is_empty()).ok_or_else(refused)?;
    let lines = write::mapping(members, Shape::of_kind(kind), 0);
    let text = Page { text: "", ending: "\n" }.lines(&lines);
    let is_same = Sound::of(&text).is_some_and(|sound| sound.documents == std::slice::from_ref(value));
    if is_same && format::format(&text).as_deref() == Ok(&text) { Ok(text) } else { Err(refused()) }
}

/// The documents of a text as JSON, which is YAML too; none where it is neither.
pub fn documents(text: &str) -> Option<Vec<Value>> {
    Sound::of(text).map(|sound| sound.documents)
}

/// A document put behind those of a file, with the file's line ends.
pub fn append(text: &str, document: &str) -> String {
    let page = Page::of(text);
    let document = document.replace("\r\n", "\n").replace('\n', page.ending);
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { page.ending };
    // Comments alone head the document.
    let is_alone = text.lines().all(|line| line.trim().is_empty() || line.starts_with('#'));
    let mark = if is_alone { String::new() } else { format!("---{}", page.ending) };
    [text, end, &mark, &document].concat()
}

/// Takes an object's document out of a file, with the comments up to the next; none where nothing else is in the file,
/// so that the file goes.
pub fn remove(text: &str, object: &Object<'_>) -> Result<Option<String>, Error> {
    let refused = || Error::Layout(object.to_string());
    let Sound { text: edited, mut documents } = Sound::of(text).ok_or_else(refused)?;
    let absent = || Error::NoObject(object.to_string());
    let number = documents.iter().position(|document| object.is(document)).ok_or_else(absent)?;
    documents.remove(number);
    if documents.iter().all(Value::is_null) {
        return Ok(None);
    }
    let places = tree::read(&edited).map_err(|_| refused())?;
    let place = places.get(number).ok_or_else(refused)?;
    let begin = place.begin;
    let end = places.get(number + 1).map_or(edited.len(), |next| {
        // The first document needs no mark where the one before it had none.
        let page = Page::of(&edited);
        match (place.mark, next.mark) {
            (None, Some(mark)) if number == 0 && next.begin == mark && page.ends_line(mark + 3) => {
                let line_end = page.line_end(mark);
                if page.text[mark + 3..line_end].trim().is_empty() { page.next_line(mark) } else { mark }
            }
            _ => next.begin,
        }
    });
    let left = Page::of(&edited).without(begin..end);
    finish(text, &left, &documents).map(Some).ok_or_else(refused)
}
