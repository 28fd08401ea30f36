//! Findings in the forms other programs read, held against what those accept, over every broken fixture.

use std::fs;
use std::path::{Path, PathBuf};

use bindery_compiler::diagnostic::Severity;
use bindery_compiler::diagnostic::render::{junit, sarif};
use bindery_compiler::{Compiled, Compiler, Options};
use serde_json::Value;

fn options() -> Options {
    Options { now: "2026-11-24T00:00:00Z".parse().unwrap(), environment: None }
}

fn broken() -> Vec<(PathBuf, Compiled)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/diagnostics");
    let cases = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).filter(|case| case.is_dir());
    cases
        .map(|case| {
            let compiled = Compiler::default().compile_directory(&case.join("repo"), &options()).unwrap();
            (case, compiled)
        })
        .collect()
}

#[test]
fn sarif_follows_its_schema() {
    let schema = include_str!("../fixtures/formats/sarif.schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let (mut related, mut fixes) = (0, 0);
    for (case, compiled) in broken() {
        let mut out = Vec::new();
        sarif::write(&compiled.findings, &compiled.sources, &mut out).unwrap();
        let log: Value = serde_json::from_slice(&out).unwrap();
        let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", case.display());
        let (rules, results) = (&log["runs"][0]["tool"]["driver"]["rules"], &log["runs"][0]["results"]);
        assert_eq!(results.as_array().unwrap().len(), compiled.findings.len());
        for result in results.as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            related += usize::from(result.get("relatedLocations").is_some());
            fixes += usize::from(result.get("fixes").is_some());
        }
    }
    assert!(related > 20 && fixes > 0, "{related} with related places, {fixes} with a fix");
}

/// The names of the elements of a document in order, ends with a slash. Panics where they do not nest.
fn elements(xml: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for tag in xml.split('<').skip(2).map(|part| part.split_once('>').expect("a tag ends").0) {
        let name = tag.trim_end_matches('/').split_whitespace().next().unwrap().trim_start_matches('/').to_owned();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_ref(), Some(&name));
            all.push(format!("/{name}"));
            continue;
        }
        all.push(name.clone());
        if tag.ends_with('/') {
            all.push(format!("/{name}"));
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

#[test]
fn junit_has_one_test_a_file_and_the_form_readers_expect() {
    let mut warned = 0;
    for ((case, compiled), least) in broken().iter().flat_map(|one| [(one, Severity::Error), (one, Severity::Warning)])
    {
        let mut out = Vec::new();
        junit::write(&compiled.findings, &compiled.sources, options().now, least, &mut out).unwrap();
        let xml = String::from_utf8(out).unwrap();
        let count = |name: &str| elements(&xml).iter().filter(|element| *element == name).count();
        let shown = case.display();
        assert_eq!((count("testsuite"), count("testcase")), (1, compiled.sources.len()), "{shown}");
        assert!(
            xml.contains(&format!(" tests=\"{}\" failures=\"{}\" ", count("testcase"), count("failure"))),
            "{shown}"
        );
        let fails = compiled.findings.iter().any(|finding| finding.severity() <= least);
        assert_eq!(count("failure") > 0, fails, "{shown}");
        warned += usize::from(fails && compiled.error_count() == 0);
        for finding in &compiled.findings {
            assert!(xml.contains(finding.code.number()), "{shown}: {}", finding.code);
        }
        let form = elements(&xml);
        assert_eq!(form[..4], ["testsuites", "testsuite", "properties", "/properties"], "{shown}");
        let end = ["system-out", "/system-out", "system-err", "/system-err", "/testsuite", "/testsuites"];
        assert_eq!(form[form.len() - 6..], end, "{shown}");
    }
    assert!(warned > 10, "only {warned} cases fail by their warnings alone");
}
