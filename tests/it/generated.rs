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

fn yaml_files() -> Vec<PathBuf> {
    let mut files = vec![root().join("policy.yaml")];
    let mut folders = vec![root().join("operators"), root().join("contracts")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
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
    let files = yaml_files();
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

/// One document as JSON, read by the parser the compiler uses.
fn yaml(text: &str) -> Value {
    bindery_compiler::parse::to_json(text).remove(0)
}
