//! Any text as a configuration file: it is compiled, repaired, formatted and edited, nothing panics, and the laws hold.
#![no_main]

use std::sync::Arc;

use bindery_compiler::edit::{self, Object};
use bindery_compiler::format::format;
use bindery_compiler::parse::to_json;
use bindery_compiler::source::{Content, Loaded};
use bindery_compiler::{Compiler, Options, fix};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let file = |text: &str| Loaded { path: Arc::from("operators/a.yaml"), blob: None, content: Content::Text(text.into()) };
    let options = Options { now: jiff::Timestamp::UNIX_EPOCH, environment: None };
    let fixed = fix::fix(&mut Compiler::default(), vec![file(text)], &options);
    if let Some(changed) = fixed.files.first() {
        let again = fix::fix(&mut Compiler::default(), vec![file(&changed.after)], &options);
        assert!(again.repairs.is_empty(), "repaired twice: {:?}", again.repairs);
    }
    if let Ok(once) = format(text) {
        assert_eq!(format(&once).as_deref(), Ok(&*once));
        assert_eq!(to_json(&once).len(), to_json(text).len());
    }
    // An edit says what it should or is refused; that it does not panic is seen here.
    let rule = serde_json::json!({"prefix": "+9379", "weight": 1});
    let operator = "af-1".parse().expect("an id");
    let changed = edit::insert(text, &Object::Routes(&operator), "spec.rules", &rule);
    if let Ok(changed) = &changed {
        let member = [("prefix", &rule["prefix"])];
        edit::remove_member(changed, &Object::Routes(&operator), "spec.rules", &member).ok();
    }
    edit::merge(text, &Object::Operator(&operator), &serde_json::json!({"spec": {"smpp": {"port": 1, "host": null}}})).ok();
    edit::remove(text, &Object::Operator(&operator)).ok();
});
