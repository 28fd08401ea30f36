//! Plans of fixture folders: `before/` counts as live, `after/` is wanted. `plan.snap` is what a person reads, `comment.snap`
//! what a pull request shows.

use std::fs;
use std::path::{Path, PathBuf};

use bindery_compiler::plan::markdown::{Comment, DEFAULT_BUDGET};
use bindery_compiler::plan::{in_stores, plan, report_everywhere, text};
use bindery_compiler::{Compiled, Compiler, Options};
use bindery_schema::catalog::Catalog;
use bindery_schema::live::Live;
use bindery_schema::report::PlanReport;

fn options() -> Options {
    Options { now: "2026-11-24T00:00:00Z".parse().expect("an instant"), environment: None }
}

fn compiled(repository: &Path) -> Compiled {
    let mut compiler = Compiler::default();
    compiler.everywhere();
    let tree = compiler.compile_directory(repository, &options()).expect("a readable fixture");
    // A rename that is due warns that its lead is over; errors would make the fixture worthless.
    assert_eq!(tree.error_count(), 0, "{}: {:#?}", repository.display(), tree.findings);
    tree
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plan");
    let mut cases: Vec<_> = fs::read_dir(folder).expect("fixtures").flatten().map(|entry| entry.path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    cases
}

fn planned(case: &Path) -> (Catalog, Catalog, PlanReport) {
    let (before, after) = (compiled(&case.join("before")), compiled(&case.join("after")));
    let both = (before.catalogs().expect("a catalog"), after.catalogs().expect("a catalog"));
    let report = report_everywhere(both.0, both.1, options().now).expect("all content is at hand");
    (both.0.base.clone(), both.1.base.clone(), report)
}

#[test]
fn every_case_reads_as_it_should() {
    let cases = cases();
    assert!(cases.len() > 15, "only {} cases", cases.len());
    for case in cases {
        let (_, _, report) = planned(&case);
        let mut shown = String::new();
        text::human_report(&report, &mut shown).expect("a string takes any text");
        let comment = Comment { findings: Vec::new(), report: Ok(&report), remarks: &[] }.render(DEFAULT_BUDGET);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&case);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            insta::assert_snapshot!("plan", shown);
            insta::assert_snapshot!("comment", comment);
        });
    }
}

#[test]
fn every_report_follows_the_published_schema() {
    let (_, schema) = bindery_schema::json::reports().remove(0);
    let validator = jsonschema::validator_for(schema.as_value()).expect("a schema");
    for case in cases() {
        let (_, _, report) = planned(&case);
        let value = text::json(&report);
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", case.display());
    }
}

#[test]
fn an_applied_plan_leaves_nothing_to_plan() {
    for case in cases() {
        let (before, after, _) = planned(&case);
        // A rename that is pending keeps the stores at the old id.
        let operators = in_stores(&after, &Live::default(), options().now);
        let live = Live::of(&Catalog { operators, ..after.clone() });
        let again = plan(&after, &live, &before.policy, options().now).expect("all content is at hand");
        assert!(again.is_empty(), "{}: {again:#?}", case.display());
    }
}
