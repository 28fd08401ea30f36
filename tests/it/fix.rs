//! `check --fix`: one fixture folder is a repository before and after, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};

use std::collections::BTreeSet;

use bindery_compiler::diagnostic::{Code, Finding};
use bindery_compiler::fix::Repair;
use bindery_compiler::source::load_directory;
use bindery_compiler::{Compiled, Compiler, Options, fix};

fn cases(area: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(area);
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    cases
}

fn options() -> Options {
    Options { now: "2026-11-24T00:00:00Z".parse().unwrap(), environment: None }
}

#[test]
fn every_case_is_repaired_exactly() {
    let cases = cases("fix");
    assert!(cases.len() >= 8);
    for case in cases {
        let before = load_directory(&case.join("before")).unwrap();
        let fixed = fix::fix(&mut Compiler::default(), before.clone(), &options());
        for file in before {
            let expected = fs::read_to_string(case.join("after").join(&*file.path)).unwrap();
            let changed = fixed.files.iter().find(|fixed| fixed.path == file.path);
            let text = match changed {
                Some(changed) => changed.after.to_string(),
                None => fs::read_to_string(case.join("before").join(&*file.path)).unwrap(),
            };
            assert_eq!(text, expected, "{} {}", case.display(), file.path);
        }
        // What a case repairs it repairs to the end.
        if !fixed.files.is_empty() {
            assert_eq!(fixed.compiled.findings, [], "{}", case.display());
        }
    }
}

#[test]
fn whatever_is_broken_a_second_repair_finds_nothing_to_do() {
    let mut repairs = 0;
    for case in cases("diagnostics") {
        let Ok(mut files) = load_directory(&case.join("repo")) else { continue };
        let fixed = fix::fix(&mut Compiler::default(), files.clone(), &options());
        repairs += fixed.repairs.len();
        // Lines stay where they are. A repair that only brings the next fault of the same value to light is none.
        let values = |compiled: &Compiled| -> BTreeSet<(String, u32)> {
            let about_values = compiled.findings.iter().filter(|finding| finding.code <= Code::LongPasswordLimit);
            let line = |finding: &Finding| {
                (compiled.sources.path(finding.primary.file).to_owned(), finding.primary.span.start.line)
            };
            about_values.map(line).collect()
        };
        let left = values(&fixed.compiled);
        for Repair { path, at, after, .. } in &fixed.repairs {
            let is_left = left.contains(&(path.to_string(), at.line));
            assert!(!is_left, "{}: {path}:{} is no better with {after}", case.display(), at.line);
        }
        for file in &mut files {
            if let Some(changed) = fixed.files.iter().find(|fixed| fixed.path == file.path) {
                assert_ne!(changed.before, changed.after, "{}", case.display());
                file.content = bindery_compiler::source::Content::Text(changed.after.clone());
            }
        }
        let again = fix::fix(&mut Compiler::default(), files, &options());
        assert_eq!(again.repairs, [], "{}", case.display());
        let left = again.compiled.findings.iter().filter(|finding| finding.fix.is_some()).count();
        assert_eq!(left, 0, "{}", case.display());
    }
    assert!(repairs > 20, "{repairs}");
}
