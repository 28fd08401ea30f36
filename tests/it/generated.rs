//! Generated files are fresh, and every shipped YAML file says which schema it follows and does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The program as built for the tests, beside this test's own folder.
fn bindery(arguments: &[&str]) -> std::process::Output {
    let own = std::env::current_exe().expect("a path");
    let program = own.parent().and_then(Path::parent).expect("the target folder").join("bindery");
    Command::new(program).args(arguments).current_dir(root()).output().expect("`cargo build --workspace` was run")
}

/// The configuration files of a repository.
fn yaml_files(repository: &Path) -> Vec<PathBuf> {
    let mut files = Vec::from_iter(Some(repository.join("policy.yaml")).filter(|file| file.exists()));
    let mut folders = vec![repository.join("operators"), repository.join("contracts")];
    folders.retain(|folder| folder.exists());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn schemas_and_runbooks_are_fresh() {
    for arguments in [&["schema", "--check"][..], &["render", "--check"]] {
        let output = bindery(arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "bindery {}: {text}", arguments.join(" "));
    }
}

#[test]
fn every_shipped_file_names_its_schema_and_follows_it() {
    let files = yaml_files(root());
    assert!(files.len() > 500, "only {} files", files.len());
    let validators: Vec<(String, jsonschema::Validator)> = bindery_schema::json::kinds()
        .into_iter()
        .map(|(kind, schema)| (kind.to_owned(), jsonschema::validator_for(schema.as_value()).expect("a schema")))
        .collect();
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        let shown = file.display();
        let named = text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
        let named = named.unwrap_or_else(|| panic!("{shown} names no schema"));
        let schema = file.parent().expect("a folder").join(named).canonicalize();
        let schema = schema.unwrap_or_else(|error| panic!("{shown} names {named}: {error}"));
        let document: Value = yaml(&text);
        let kind = document["kind"].as_str().unwrap_or_default();
        assert_eq!(
            schema,
            root().join(format!("schema/json/{kind}.json")).canonicalize().expect("a schema"),
            "{shown}"
        );
        let (_, validator) = validators.iter().find(|(name, _)| name == kind).expect("a kind");
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{shown}: {errors:#?}");
    }
}

/// Cases about values whose fault a schema does not see: 29 February of a year without one, the zeros a number begins
/// with, and what an environment makes of its base.
const BEYOND_A_SCHEMA: [&str; 3] = ["BND0104-octal-port", "BND0203-tps-both-zero-in-staging", "BND0207-no-such-day"];

#[test]
fn a_schema_accepts_what_the_compiler_accepts_and_refuses_what_a_value_cannot_be() {
    let validators: Vec<(&str, jsonschema::Validator)> = bindery_schema::json::kinds()
        .into_iter()
        .map(|(kind, schema)| (kind, jsonschema::validator_for(schema.as_value()).expect("a schema")))
        .collect();
    let follows = |document: &Value| {
        let kind = document["kind"].as_str().unwrap_or_default();
        let validator = validators.iter().find(|(name, _)| *name == kind);
        validator.is_some_and(|(_, validator)| validator.is_valid(document))
    };
    let cases = root().join("tests/fixtures/diagnostics");
    let mut failures = Vec::new();
    for case in fs::read_dir(cases).expect("fixtures").flatten().map(|entry| entry.path()).filter(|case| case.is_dir())
    {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        let texts = yaml_files(&case.join("repo")).into_iter().filter_map(|file| fs::read_to_string(file).ok());
        let documents: Vec<Value> = texts.flat_map(|text| bindery_compiler::parse::to_json(&text)).collect();
        let all_follow = documents.iter().filter(|document| !document.is_null()).all(follows);
        let is_about_values = ["BND0103", "BND0104", "BND0105", "BND02"].iter().any(|code| name.starts_with(code));
        if name.starts_with("clean-") && !all_follow
            || is_about_values && all_follow != BEYOND_A_SCHEMA.contains(&&*name)
        {
            failures.push(name);
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// One document as JSON, read by the parser the compiler uses.
fn yaml(text: &str) -> Value {
    bindery_compiler::parse::to_json(text).remove(0)
}
