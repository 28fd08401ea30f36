//! Timelines of fixture folders: a repository and perhaps `window.txt` (first and last day); `table.snap` is what a
//! person reads, `json.snap` what a program does.

use std::fs;
use std::path::Path;

use bindery_compiler::diagnostic::Severity;
use bindery_compiler::timeline::{Window, text};
use bindery_compiler::{Compiler, Options};

fn window(case: &Path) -> Window {
    let text = fs::read_to_string(case.join("window.txt")).unwrap_or_else(|_| "2026-11-24".to_owned());
    let mut days = text.split_whitespace().map(|day| day.parse().expect("a day"));
    Window { from: days.next().expect("a first day"), until: days.next() }
}

#[test]
fn every_case_reads_as_it_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/timeline");
    let mut cases: Vec<_> = fs::read_dir(folder).expect("fixtures").flatten().map(|entry| entry.path()).collect();
    cases.sort();
    assert!(cases.len() > 8, "only {} cases", cases.len());
    for case in cases {
        let window = window(&case);
        let options = Options { now: window.from.midnight(), environment: None };
        let (compiled, events) =
            Compiler::default().timeline_directory(&case, &options, window).expect("a readable fixture");
        let mut table = String::new();
        text::table(&events, window, &compiled.sources, &mut table).expect("a string takes any text");
        let json = format!("{:#}", text::json(&events, &compiled.sources));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&case);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            insta::assert_snapshot!("table", table);
            insta::assert_snapshot!("json", json);
        });
        // What is announced for a day is there on that day.
        for event in events.iter().filter(|event| event.severity == Severity::Error) {
            let then = Options { now: event.date.midnight(), environment: None };
            let then = Compiler::default().compile_directory(&case, &then).expect("a readable fixture");
            let found = then.findings.iter().any(|f| Some(f.code) == event.code && f.primary == event.location);
            assert!(found, "{}: {event:?} is not found on that day", case.display());
        }
    }
}
