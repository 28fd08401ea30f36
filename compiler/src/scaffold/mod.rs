//! The files of a new configuration repository: a policy, one example carrier that takes no traffic, CI and schemas.
//!
//! The runbook of the example is rendered from them, as every other is, by whoever writes them.

use bindery_schema::json;

/// A file by its path from the repository's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaffoldFile {
    /// The path, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

const FILES: [(&str, &str); 9] = [
    ("policy.yaml", include_str!("policy.yaml")),
    ("operators/example/mno.yaml", include_str!("mno.yaml")),
    ("operators/example/example-1.yaml", include_str!("operator.yaml")),
    ("operators/example/example-1.routes.yaml", include_str!("routes.yaml")),
    ("contracts/example.yaml", include_str!("contract.yaml")),
    ("README.md", include_str!("README.md")),
    (".gitignore", include_str!("gitignore")),
    (".github/workflows/bindery.yaml", include_str!("../../../templates/ci/github-actions.yml")),
    (".gitlab-ci.yml", include_str!("../../../templates/ci/gitlab-ci.yml")),
];

/// Every file of a new repository.
pub fn files() -> Result<Vec<ScaffoldFile>, serde_json::Error> {
    let fixed = FILES.iter().map(|(path, text)| ScaffoldFile { path: (*path).to_owned(), text: (*text).to_owned() });
    Ok(fixed.chain(schemas()?.into_iter().map(|(_, file)| file)).collect())
}

/// The JSON Schemas of kinds and reports as they are kept in a repository, each with the name of what it describes.
pub fn schemas() -> Result<Vec<(&'static str, ScaffoldFile)>, serde_json::Error> {
    let file = |(name, schema)| {
        let text = format!("{}\n", serde_json::to_string_pretty(&schema)?);
        Ok((name, ScaffoldFile { path: format!("schema/json/{name}.json"), text }))
    };
    json::kinds().into_iter().chain(json::reports()).map(file).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Compiler, Options, format};

    #[test]
    fn a_new_repository_is_clean_and_in_canonical_form() {
        let directory = tempfile::tempdir().unwrap();
        for file in files().unwrap() {
            let path = directory.path().join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &file.text).unwrap();
            let is_configuration = file.path == "policy.yaml" || file.path.contains("example");
            if is_configuration {
                assert_eq!(format::format(&file.text).as_deref(), Ok(&*file.text), "{}", file.path);
            }
        }
        for now in ["2026-11-24T00:00:00Z", "2033-01-01T00:00:00Z"] {
            let options = Options { now: now.parse().unwrap(), environment: None };
            let compiled = Compiler::default().compile_directory(directory.path(), &options).unwrap();
            assert_eq!(compiled.findings, []);
            assert_eq!(compiled.catalog().unwrap().rule_count(), 2);
        }
    }
}
