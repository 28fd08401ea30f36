//! Any text as a configuration file: it is compiled, repaired and formatted, nothing panics, and the laws hold.
#![no_main]

use std::sync::Arc;

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
});
