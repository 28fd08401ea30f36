//! `edit`: laws that hold for every layout. A document is written in a random style, each line known by what it belongs
//! to; after an edit the text says what it should, and every line of something else is still there.

use std::path::Path;

use bindery_compiler::edit::{self, Object};
use bindery_compiler::format::format;
use bindery_compiler::parse::to_json;
use bindery_compiler::source::{Content, load_directory};
use bindery_schema::value::{MnoId, OperatorId};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

/// Keys and list positions from the root of a document.
type At = Vec<String>;

/// A text under way, with what each line belongs to.
struct Page {
    lines: Vec<(At, String)>,
    /// What chance is drawn from.
    state: u64,
}

impl Page {
    /// A document in a style that a number stands for.
    fn of(document: &Map<String, Value>, style: u64) -> Self {
        let mut page = Self { lines: Vec::new(), state: style };
        page.mapping(document, "", "", &Vec::new());
        page
    }

    /// Whether one of `n` throws, at random, is a hit.
    fn hit(&mut self, n: u64) -> bool {
        // splitmix64, by Vigna.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).is_multiple_of(n)
    }

    fn push(&mut self, at: &At, line: String) {
        self.lines.push((at.clone(), line));
    }

    fn comment(&mut self) -> String {
        let number = self.lines.len();
        if self.hit(4) { format!("  # {number} it's \"so\"") } else { String::new() }
    }

    fn above(&mut self, pad: &str, at: &At) {
        if self.hit(5) {
            self.push(at, String::new());
        }
        if self.hit(4) {
            let number = self.lines.len();
            self.push(at, format!("{pad}# {number}: above"));
        }
    }

    fn mapping(&mut self, members: &Map<String, Value>, pad: &str, first: &str, at: &At) {
        for (number, (key, value)) in members.iter().enumerate() {
            let at = [&**at, std::slice::from_ref(key)].concat();
            let lead = if number == 0 && !first.is_empty() { first } else { pad };
            if number > 0 || first.is_empty() {
                self.above(pad, &at);
            }
            let key = if self.hit(6) { format!("'{key}'") } else { key.clone() };
            self.value(&format!("{lead}{key}:"), value, pad, &at);
        }
    }

    /// A value behind a key or dash, which stands behind `pad`.
    fn value(&mut self, lead: &str, value: &Value, pad: &str, at: &At) {
        let deeper = format!("{pad}{}", if self.hit(4) { "    " } else { "  " });
        match value {
            Value::Object(members) if !members.is_empty() && !self.hit(4) => {
                if lead.ends_with('-') && !self.hit(8) {
                    let inner = format!("{pad}  ");
                    return self.mapping(members, &inner, &format!("{lead} "), at);
                }
                let comment = self.comment();
                self.push(at, format!("{lead}{comment}"));
                self.mapping(members, &deeper, "", at);
            }
            Value::Array(items) if !items.is_empty() && !lead.ends_with('-') && !self.hit(4) => {
                let comment = self.comment();
                self.push(at, format!("{lead}{comment}"));
                let pad = if self.hit(4) && !pad.is_empty() { pad } else { &deeper };
                for (number, item) in items.iter().enumerate() {
                    let at = [&**at, &[number.to_string()]].concat();
                    self.above(pad, &at);
                    self.value(&format!("{pad}-"), item, pad, &at);
                }
            }
            Value::String(text) if is_literal(text) && self.hit(2) => {
                let comment = self.comment();
                self.push(at, format!("{lead} |{comment}"));
                for line in text.lines() {
                    self.push(at, if line.is_empty() { String::new() } else { format!("{deeper}{line}") });
                }
            }
            Value::Object(_) | Value::Array(_) if self.hit(3) && value != &json!({}) && value != &json!([]) => {
                self.open_flow(lead, value, &deeper, pad, at);
            }
            _ => {
                let (text, comment) = (self.flow(value), self.comment());
                let gap = if self.hit(6) { "   " } else { " " };
                self.push(at, format!("{lead}{gap}{text}{comment}"));
            }
        }
    }

    /// Brackets with a line for each member.
    fn open_flow(&mut self, lead: &str, value: &Value, deeper: &str, pad: &str, at: &At) {
        let members: Vec<String> = match value {
            Value::Object(members) => {
                members.iter().map(|(key, value)| format!("{key}: {}", self.flow(value))).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.flow(item)).collect(),
            _ => Vec::new(),
        };
        let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
        self.push(at, format!("{lead} {open}"));
        let last = members.len() - 1;
        for (number, member) in members.into_iter().enumerate() {
            let comma = if number < last || self.hit(2) { "," } else { "" };
            let comment = self.comment();
            self.push(at, format!("{deeper}{member}{comma}{comment}"));
        }
        self.push(at, format!("{pad} {close}"));
    }

    fn flow(&mut self, value: &Value) -> String {
        match value {
            Value::Object(members) => {
                let members = members.iter().map(|(key, value)| format!("{key}: {}", self.flow(value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
            Value::Array(items) => {
                let items = items.iter().map(|item| self.flow(item)).collect::<Vec<_>>();
                format!("[{}]", items.join(", "))
            }
            Value::String(text) if text == "abc" && self.hit(2) => text.clone(),
            Value::String(text) if !text.contains('\n') && self.hit(2) => format!("'{}'", text.replace('\'', "''")),
            other => other.to_string(),
        }
    }

    fn text(&self, ending: &str) -> String {
        self.lines.iter().flat_map(|(_, line)| [line, ending]).collect()
    }
}

fn is_literal(text: &str) -> bool {
    text.ends_with('\n') && !text.ends_with("\n\n") && !text.starts_with(' ')
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..9999_u32).prop_map(Value::from),
        Just(json!(0.25)),
        prop::sample::select(vec![
            "abc",
            "+9379",
            "it's",
            "a # b",
            "x: y",
            "[",
            "",
            "2026-01-01",
            "say \"hi\"",
            "ü, é",
            "- x"
        ])
        .prop_map(Value::from),
        prop::sample::select(vec!["one\ntwo\n", "a\n\n# b\n", "a: b\nc", "\nx\n", "x\n\n", "  y\nz\n"])
            .prop_map(Value::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["guardrails", "protect", "routing", "tps", "secrets", "alpha", "beta", "gamma", "delta"])
        .prop_map(str::to_owned)
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn document(spec: &Value) -> Map<String, Value> {
    let document = json!({"apiVersion": "bindery/v1", "kind": "Policy", "spec": spec});
    document.as_object().unwrap().clone()
}

/// Every value by its path.
fn places<'v>(value: &'v Value, at: &At, found: &mut Vec<(At, &'v Value)>) {
    found.push((at.clone(), value));
    let below = |key: String| [&**at, &[key]].concat();
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| places(value, &below(key.clone()), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, item)| places(item, &below(number.to_string()), found));
        }
        _ => {}
    }
}

/// A merge patch that changes one place, with keys alone on the way.
fn patch_at(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |value, key| json!({ key: value }))
}

/// The lines that belong to nothing below a path are there as they were, and in the order they were. Empty lines may go.
fn assert_rest_is_kept(page: &Page, edited: &str, changed: &At) {
    let mut left = edited.lines();
    // What stands in brackets has no line of its own, and the line above may turn into `key: {}`.
    let holders = page.lines.iter().filter(|(at, _)| changed.starts_with(at)).map(|(at, _)| at.len());
    let holder = holders.max().unwrap_or(0).min(changed.len() - 1);
    for (at, line) in &page.lines {
        let is_owner = changed.starts_with(at) && at.len() >= holder;
        if !at.starts_with(changed) && !is_owner && !line.is_empty() {
            assert!(left.any(|other| other == line), "{line:?} is gone:\n{}\n---\n{edited}", page.text("\n"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_patch_changes_one_place(
        spec in tree().prop_filter("a mapping with something in it", |spec| spec.as_object().is_some_and(|spec| !spec.is_empty())),
        new in prop_oneof![3 => tree(), 1 => Just(Value::Null)],
        (style, pick, crlf, name) in (any::<u64>(), any::<Index>(), any::<bool>(), key()),
    ) {
        let before = document(&spec);
        let page = Page::of(&before, style);
        let text = page.text(if crlf { "\r\n" } else { "\n" });
        let whole = Value::from(before);
        prop_assert_eq!(to_json(&text), vec![whole.clone()], "{}", text);
        let mut all = Vec::new();
        places(&whole["spec"], &vec!["spec".to_owned()], &mut all);
        // Members of lists have no place in a patch.
        all.retain(|(at, _)| at.iter().all(|key| key.parse::<u32>().is_err()));
        let (mut at, value) = all[pick.index(all.len())].clone();
        if at.len() == 1 || value.is_object() && style % 2 == 0 {
            at.push(name);
        }
        let patch = patch_at(&at, new);
        let edited = edit::merge(&text, &Object::Policy, &patch);
        let edited = edited.unwrap_or_else(|error| panic!("{error}, {patch}:\n{text}"));
        prop_assert_eq!(edited.matches('\n').count(), edited.matches(if crlf { "\r\n" } else { "\n" }).count());
        let mut expected = whole.clone();
        merge(&mut expected, &patch);
        prop_assert_eq!(&to_json(&edited), &[expected], "{}---\n{}", text, edited);
        assert_rest_is_kept(&page, &edited, &at);
        let canonical = edit::merge(&edit::document(&whole).unwrap(), &Object::Policy, &patch).unwrap();
        prop_assert_eq!(format(&canonical), Ok(canonical));
    }

    #[test]
    fn members_come_change_and_go_alone(
        members in prop::collection::vec(prop::collection::btree_map(key(), tree(), 0..4), 1..5),
        member in prop::collection::btree_map(key(), tree(), 0..3),
        (style, pick, what) in (any::<u64>(), any::<Index>(), 0..3_usize),
    ) {
        let named = |(number, members): (usize, std::collections::BTreeMap<String, Value>)| {
            let id = json!({ "id": number });
            let members = id.as_object().unwrap().clone().into_iter().chain(members);
            Value::from(members.collect::<Map<_, _>>())
        };
        let mut items: Vec<Value> = members.into_iter().enumerate().map(named).collect();
        let before = document(&json!({"rest": {"list": items, "last": 1}}));
        let page = Page::of(&before, style);
        let text = page.text("\n");
        prop_assert_eq!(&to_json(&text), &[Value::from(before.clone())], "{}", text);
        let number = pick.index(items.len());
        let (list, id) = ("spec.rest.list", json!(number));
        let path = |number: usize| ["spec", "rest", "list"].map(str::to_owned).into_iter().chain([number.to_string()]).collect();
        let member = Value::from(member.into_iter().collect::<Map<_, _>>());
        let (edited, changed) = match what {
            0 => {
                items.push(member.clone());
                (edit::insert(&text, &Object::Policy, list, &member), path(items.len() - 1))
            }
            1 => {
                items.remove(number);
                (edit::remove_member(&text, &Object::Policy, list, &[("id", &id)]), path(number))
            }
            _ => {
                merge(&mut items[number], &member);
                (edit::merge_member(&text, &Object::Policy, list, &[("id", &id)], &member), path(number))
            }
        };
        let edited = edited.unwrap_or_else(|error| panic!("{error}, {what} {number}:\n{text}"));
        prop_assert_eq!(&to_json(&edited), &[Value::from(document(&json!({"rest": {"list": items, "last": 1}})))]);
        assert_rest_is_kept(&page, &edited, &changed);
    }

    #[test]
    fn a_new_document_is_canonical(spec in tree()) {
        let value = Value::from(document(&spec));
        let text = edit::document(&value).unwrap();
        prop_assert_eq!(to_json(&text), vec![value.clone()]);
        let two = edit::append(&text, &text);
        prop_assert_eq!(&to_json(&two), &[value.clone(), value]);
        prop_assert_eq!(edit::remove(&two, &Object::Policy), Ok(Some(text)));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-a#:|>?'\"{}\\[\\],&*!%. \n\r\té0+]{0,40}", new in tree()) {
        let text = format!("kind: Policy\nspec:\n  {}\n  z: 1\n", text.replace('\n', "\n  "));
        let member = json!({"a": new});
        for edited in [
            edit::merge(&text, &Object::Policy, &json!({"spec": member})),
            edit::merge(&text, &Object::Policy, &json!({"spec": {"a": null}})),
            edit::insert(&text, &Object::Policy, "spec.a", &new),
        ].into_iter().flatten() {
            prop_assert!(edit::defines(&edited, &Object::Policy));
        }
        let _ = edit::remove(&text, &Object::Policy);
    }
}

/// RFC 7396, as the standard words it.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let members = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            members.remove(key);
        } else {
            merge(members.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[test]
fn the_shipped_configuration_can_be_edited_line_by_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut edits = 0;
    for file in load_directory(root).unwrap() {
        let Content::Text(text) = &file.content else { panic!("{} is no text", file.path) };
        for document in to_json(text) {
            let id = |field: &str| document["metadata"][field].as_str().unwrap_or_default();
            let (mno, operator) = (
                [id("id"), id("mno")].into_iter().find_map(|id| id.parse::<MnoId>().ok()),
                [id("id"), id("operator")].into_iter().find_map(|id| id.parse::<OperatorId>().ok()),
            );
            let object = match (document["kind"].as_str().unwrap(), &mno, &operator) {
                ("Mno", Some(id), _) => Object::Mno(id),
                ("Operator", _, Some(id)) => Object::Operator(id),
                ("Routes", _, Some(id)) => Object::Routes(id),
                ("TpsContract", Some(id), _) => Object::TpsContract(id),
                _ => Object::Policy,
            };
            edits += assert_lines_change_alone(text, &object, &document);
        }
    }
    assert!(edits > 500, "{edits} edits");
}

/// Each scalar but those in lists is set to another, then taken out; says how many were. One line differs each time.
fn assert_lines_change_alone(text: &str, object: &Object<'_>, document: &Value) -> usize {
    let mut all = Vec::new();
    places(&document["spec"], &vec!["spec".to_owned()], &mut all);
    let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
    all.retain(|(at, value)| is_scalar(value) && at.iter().all(|key| key.parse::<u32>().is_err()));
    for (at, _) in &all {
        let edited = edit::merge(text, object, &patch_at(at, json!("+1"))).unwrap();
        let differ = text.lines().zip(edited.lines()).filter(|(one, two)| one != two).count();
        assert_eq!((differ, edited.lines().count()), (1, text.lines().count()), "{at:?}");
        let edited = edit::merge(text, object, &patch_at(at, Value::Null)).unwrap();
        assert!(edited.lines().count() < text.lines().count() || edited.contains("{}"), "{at:?}");
        assert_eq!(format(&edited).as_deref(), Ok(&*edited), "{at:?}");
    }
    all.len()
}
