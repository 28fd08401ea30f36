//! Pages of a list: `?limit=` and an opaque `?cursor=`.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bindery_schema::wire::api::Page;
use serde::Deserialize;

use super::error::{Code, Problem};

/// Items on a page unless asked for otherwise.
const USUAL: u16 = 100;
/// Most items on a page.
const MOST: u16 = 1_000;

/// What a client asks for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PageQuery {
    limit: Option<u16>,
    cursor: Option<String>,
}

impl PageQuery {
    /// How many items, 1 to 1000.
    pub(super) fn limit(&self) -> Result<u16, Problem> {
        match self.limit.unwrap_or(USUAL) {
            limit @ 1..=MOST => Ok(limit),
            _ => Err(Problem::new(Code::BadRequest).detail(format!("limit is a number from 1 to {MOST}"))),
        }
    }

    /// The number of the last item the client has seen, in a list that is numbered; none for the first page.
    pub(super) fn before(&self) -> Result<Option<i64>, Problem> {
        let number = |key: String| key.parse().map(Some).map_err(|_| bad_cursor());
        self.cursor.as_ref().map_or(Ok(None), |_| self.after().and_then(number))
    }

    /// The key of the last item the client has seen; empty for the first page.
    pub(super) fn after(&self) -> Result<String, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(String::new()) };
        let key = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad_cursor())?;
        String::from_utf8(key).ok().filter(|key| !key.is_empty() && !key.contains('\0')).ok_or_else(bad_cursor)
    }
}

fn bad_cursor() -> Problem {
    Problem::new(Code::BadRequest).detail("cursor is not one this list gave out")
}

/// A page of a numbered list, of which one item more than `limit` was asked for.
pub(super) fn numbered<T>(mut items: Vec<T>, limit: u16, number: impl Fn(&T) -> i64) -> Page<T> {
    let more = items.len() > usize::from(limit);
    items.truncate(usize::from(limit));
    let last = items.last().filter(|_| more);
    Page { next_cursor: last.map(|item| cursor(&number(item).to_string())), items }
}

/// A page of a list that is ordered by name, of which at least one item more than `limit` was asked for, if there is one.
pub(super) fn named<T>(mut items: Vec<T>, limit: u16, name: impl Fn(&T) -> &str) -> Page<T> {
    let more = items.len() > usize::from(limit);
    items.truncate(usize::from(limit));
    let last = items.last().filter(|_| more);
    Page { next_cursor: last.map(|item| cursor(name(item))), items }
}

/// The cursor that goes on after an item.
pub(super) fn cursor(key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_key() {
        let query = |limit, cursor: Option<&str>| PageQuery { limit, cursor: cursor.map(str::to_owned) };
        assert_eq!(query(None, Some(&cursor("af-roshan-1"))).after().unwrap(), "af-roshan-1");
        assert_eq!((query(None, None).limit().unwrap(), query(None, None).after().unwrap()), (100, String::new()));
        for bad in ["", "ö", "AA", "!"] {
            assert!(query(None, Some(bad)).after().is_err(), "{bad}");
        }
        for (limit, good) in [(0, false), (1, true), (1_000, true), (1_001, false)] {
            assert_eq!(query(Some(limit), None).limit().is_ok(), good, "{limit}");
        }
    }
}
