//! `fmt`: one fixture folder is a file before and after; laws hold for whatever else is written.

use std::fs;
use std::path::{Path, PathBuf};

use bindery_compiler::format::format;
use bindery_compiler::parse::to_json;
use bindery_compiler::source::{Content, load_directory};
use proptest::prelude::*;

fn folder(area: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(area)
}

#[test]
fn every_case_is_written_as_expected() {
    // As with the other goldens: one variable rewrites them, and the diff is read.
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let mut cases: Vec<_> = fs::read_dir(folder("fmt")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 6);
    for case in cases {
        let before = fs::read_to_string(case.join("before.yaml")).unwrap();
        let formatted = format(&before).unwrap_or_else(|reason| panic!("{}: {reason}", case.display()));
        if update {
            fs::write(case.join("after.yaml"), &formatted).unwrap();
        }
        assert_eq!(formatted, fs::read_to_string(case.join("after.yaml")).unwrap(), "{}", case.display());
        assert_laws(&before);
    }
}

#[test]
fn the_shipped_configuration_is_in_canonical_form() {
    for file in load_directory(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap() {
        let Content::Text(text) = &file.content else { panic!("{} is no text", file.path) };
        assert_eq!(format(text).as_deref(), Ok(&**text), "{}", file.path);
    }
}

#[test]
fn broken_repositories_keep_what_they_say() {
    let (mut formatted, mut left) = (0, 0);
    for case in fs::read_dir(folder("diagnostics")).unwrap() {
        let Ok(files) = load_directory(&case.unwrap().path().join("repo")) else { continue };
        for file in files {
            let Content::Text(text) = &file.content else { continue };
            if assert_laws(text) { formatted += 1 } else { left += 1 }
        }
    }
    assert!(formatted > 500 && left * 10 < formatted, "{formatted} formatted, {left} left alone");
}

/// parse ∘ format = parse and format ∘ format = format, wherever there is a form. Says whether there is.
fn assert_laws(text: &str) -> bool {
    let Ok(once) = format(text) else { return false };
    let sorted = |text: &str| to_json(text).into_iter().map(sort).collect::<Vec<_>>();
    assert_eq!(sorted(&once), sorted(text), "{text}");
    assert_eq!(format(&once).as_deref(), Ok(&*once), "{text}");
    let comments = |text: &str| text.matches('#').count();
    assert_eq!(comments(&once), comments(text), "{text}");
    true
}

/// The same value with its keys in order of the alphabet.
fn sort(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(key, value)| (key, sort(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            members.into_iter().collect::<serde_json::Map<_, _>>().into()
        }
        serde_json::Value::Array(items) => items.into_iter().map(sort).collect(),
        other => other,
    }
}

/// Lines as people write them, in every order and depth.
fn lines() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("spec"),
        Just("kind"),
        Just("metadata"),
        Just("apiVersion"),
        Just("rules"),
        Just("prefix"),
        Just("cost"),
        Just("\"id\""),
        Just("'x y'"),
        Just("z"),
    ];
    let value = prop_oneof![
        Just(""),
        Just(" +93"),
        Just(" \"+93\""),
        Just(" 'no'"),
        Just(" {b: 1, a: \"x\"}"),
        Just(" [1, 'b']"),
        Just(" a b"),
        Just(" \"a # b\""),
        Just(" Routes"),
        Just(" it's"),
        Just(" \"q\\\"\""),
        Just(" |"),
        Just(" >-"),
        Just(" []"),
    ];
    let comment = prop_oneof![4 => Just(""), 1 => Just(" # ü"), 1 => Just("   # it's \"")];
    let entry = (0..4_usize, prop::bool::ANY, key, value, comment).prop_map(|(depth, dash, key, value, comment)| {
        format!("{}{}{key}:{value}{comment}\n", "  ".repeat(depth), if dash { "- " } else { "" })
    });
    let other = (0..4_usize, prop_oneof![Just("# alone"), Just(""), Just("- x"), Just("text"), Just("-")])
        .prop_map(|(depth, what)| format!("{}{what}\n", "  ".repeat(depth)));
    prop::collection::vec(prop_oneof![4 => entry, 1 => other], 0..9).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn laws_hold_for_lines_in_any_order(text in lines()) {
        assert_laws(&text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-a#:|>'\"{}\\[\\],&*! \n\r\té0+]{0,60}") {
        assert_laws(&text);
    }
}
