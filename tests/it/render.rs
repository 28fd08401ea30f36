//! Runbooks of fixture folders: `repo/` is compiled, `existing.md` is what stood there before, `<carrier>.snap` results.

use std::fs;
use std::path::Path;

use bindery_compiler::render::{TEMPLATE, runbook};
use bindery_compiler::{Compiler, Options};

#[test]
fn every_case_reads_as_it_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/render");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    cases.sort();
    assert!(cases.len() >= 4);
    for case in cases {
        let options = Options { now: "2026-11-24T00:00:00Z".parse().unwrap(), environment: None };
        let compiled = Compiler::default().compile_directory(&case.join("repo"), &options).unwrap();
        let catalog = compiled.catalog().unwrap_or_else(|| panic!("{}: {:#?}", case.display(), compiled.findings));
        let existing = fs::read_to_string(case.join("existing.md")).ok();
        for mno in catalog.mnos.keys() {
            let page = runbook(catalog, mno, TEMPLATE, existing.as_deref()).unwrap();
            let again = runbook(catalog, mno, TEMPLATE, Some(&page)).unwrap();
            assert_eq!(again, page, "{}: a second rendering changes nothing", case.display());
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(&case);
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_snapshot!(mno.as_str(), page));
        }
    }
}
