//! One fixture folder is one case: a small repository and exactly what must be found in it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bindery_compiler::diagnostic::{Code, Finding, Location};
use bindery_compiler::source::SourceMap;
use bindery_compiler::{Compiled, Compiler, Options};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/diagnostics")
}

fn compile(repository: &Path) -> Compiled {
    let now = "2026-11-24T00:00:00Z".parse().expect("an instant");
    let options = Options { now, environment: None };
    Compiler::default().compile_directory(repository, &options).expect("a readable fixture")
}

fn place(sources: &SourceMap, location: Location) -> String {
    format!("{}:{}:{}", sources.path(location.file), location.span.start.line, location.span.start.column)
}

/// A line of `expect.txt`: the finding and its primary place, then the related places that must be among those found.
fn parse_line(line: &str) -> (String, BTreeSet<String>) {
    let mut parts = line.split(" ~ ").map(|part| part.trim().to_owned());
    (parts.next().unwrap_or_default(), parts.collect())
}

fn described(finding: &Finding, sources: &SourceMap) -> (String, BTreeSet<String>) {
    let related = finding.related.iter().map(|related| place(sources, related.location)).collect();
    (format!("{} {}", finding.code, place(sources, finding.primary)), related)
}

#[test]
fn every_case_finds_exactly_what_it_should() {
    let mut cases: Vec<_> = fs::read_dir(fixtures()).expect("fixtures").flatten().map(|entry| entry.path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    assert!(cases.len() > 200, "only {} cases", cases.len());
    let mut failures = String::new();
    for case in &cases {
        let expected = fs::read_to_string(case.join("expect.txt")).expect("expect.txt");
        let expected: Vec<_> = expected.lines().filter(|line| !line.trim().is_empty()).map(parse_line).collect();
        let compiled = compile(&case.join("repo"));
        let found: Vec<_> = compiled.findings.iter().map(|finding| described(finding, &compiled.sources)).collect();
        let agrees = expected.len() == found.len()
            && expected.iter().zip(&found).all(|(want, have)| want.0 == have.0 && want.1.is_subset(&have.1));
        if !agrees {
            let name = case.file_name().unwrap_or_default().to_string_lossy();
            writeln!(failures, "{name}\n  expected {expected:#?}\n  found {found:#?}")
                .expect("a string takes any text");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_code_a_repository_can_show_has_a_case() {
    let names: Vec<_> = fs::read_dir(fixtures()).expect("fixtures").flatten().map(|entry| entry.file_name()).collect();
    // A password is seen by `seal`, a row of a spreadsheet by `import`, a held plan by `plan`, a stale runbook by `render --check`.
    let elsewhere =
        [Code::LongPasswordLimit, Code::FormulaCell, Code::MalformedRecord, Code::PlanHeld, Code::RunbookStale];
    for code in Code::ALL.iter().filter(|code| !elsewhere.contains(code)) {
        let has_case = names.iter().any(|name| name.to_string_lossy().starts_with(code.number()));
        assert!(has_case, "{code} has no case");
    }
}

#[test]
fn the_real_configuration_is_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let compiled = compile(root);
    let found: Vec<_> = compiled.findings.iter().map(|finding| described(finding, &compiled.sources).0).collect();
    assert!(found.is_empty(), "{found:#?}");
    let catalog = compiled.catalog().expect("a catalog");
    assert_eq!((catalog.mnos.len(), catalog.operators.len()), (116, 155));
    let prefixes: BTreeSet<_> =
        catalog.operators.values().flat_map(|operator| operator.rules.iter()).map(|r| r.prefix).collect();
    assert_eq!(prefixes.len(), 579);
}
