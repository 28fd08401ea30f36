//! Plans of fixture folders: `before/` counts as live, `after/` is wanted, `plan.snap` is what a person reads.

use std::fs;
use std::path::{Path, PathBuf};

use bindery_compiler::plan::{plan, text};
use bindery_compiler::{Compiler, Options};
use bindery_schema::catalog::Catalog;
use bindery_schema::live::Live;
use bindery_schema::plan::Plan;

fn options() -> Options {
    Options { now: "2026-11-24T00:00:00Z".parse().expect("an instant"), environment: None }
}

fn catalog(repository: &Path) -> Catalog {
    let compiled = Compiler::default().compile_directory(repository, &options()).expect("a readable fixture");
    // A rename that is due warns that its lead is over; errors would make the fixture worthless.
    assert_eq!(compiled.error_count(), 0, "{}: {:#?}", repository.display(), compiled.findings);
    compiled.catalog().expect("a catalog").clone()
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plan");
    let mut cases: Vec<_> = fs::read_dir(folder).expect("fixtures").flatten().map(|entry| entry.path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    cases
}

fn planned(case: &Path) -> (Catalog, Catalog, Plan) {
    let (before, after) = (catalog(&case.join("before")), catalog(&case.join("after")));
    let plan = plan(&after, &Live::of(&before), &before.policy, options().now).expect("all content is at hand");
    (before, after, plan)
}

#[test]
fn every_case_reads_as_it_should() {
    let cases = cases();
    assert!(cases.len() > 15, "only {} cases", cases.len());
    for case in cases {
        let (_, _, plan) = planned(&case);
        let mut shown = String::new();
        text::human(&plan, &mut shown).expect("a string takes any text");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&case);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("plan", shown));
    }
}

#[test]
fn an_applied_plan_leaves_nothing_to_plan() {
    for case in cases() {
        let (before, after, _) = planned(&case);
        let again = plan(&after, &Live::of(&after), &before.policy, options().now).expect("all content is at hand");
        // A rename that is pending keeps the stores at the old id, which a catalog alone does not show.
        if case.file_name().is_some_and(|name| name != "rename-pending") {
            assert!(again.is_empty(), "{}: {again:#?}", case.display());
        }
    }
}
