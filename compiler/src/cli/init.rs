//! `bindery init`: a new configuration repository.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bindery_compiler::Compiler;
use bindery_compiler::scaffold::{self, ScaffoldFile};
use bindery_compiler::source::{self, Content, Loaded};
use clap::Args;

use super::{Outcome, render, whole};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery init carriers                  a new folder
  git init carriers && bindery init carriers

Writes a policy, an example carrier that takes no traffic with its runbook, CI files for GitHub and GitLab, and \
JSON Schemas for editors.
A folder with anything but .git in it is refused.")]
pub(super) struct Arguments {
    /// Folder of the new repository; --repo where none is named
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let folder = arguments.folder.as_deref().unwrap_or(repo);
    refuse_what_is_there(folder)?;
    let files = scaffold::files()?;
    // Without its runbook the example would be the first thing the new pipeline refuses.
    let mut configuration: Vec<Loaded> = files.iter().filter(|file| is_configuration(&file.path)).map(loaded).collect();
    configuration.sort_by(|a, b| a.path.cmp(&b.path));
    let compiled = Compiler::default().compile(configuration, &super::options(None, None));
    let runbooks = compiled.catalog().map_or(Ok(Vec::new()), |catalog| render::files(folder, catalog))?;
    let files = files.into_iter().map(|file| (folder.join(file.path), file.text)).chain(runbooks);
    whole::write_and_tell(&files.collect::<Vec<_>>(), out)?;
    writeln!(out, "next: cd {} && bindery check", folder.display())?;
    Ok(Outcome::Clean)
}

fn is_configuration(path: &str) -> bool {
    path == source::POLICY || source::ROOTS.iter().any(|root| Path::new(path).starts_with(root))
}

fn loaded(file: &ScaffoldFile) -> Loaded {
    Loaded { path: file.path.as_str().into(), blob: None, content: Content::Text(file.text.as_str().into()) }
}

fn refuse_what_is_there(folder: &Path) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(unreadable)?,
    };
    for entry in entries {
        let name = entry.with_context(unreadable)?.file_name();
        if name != ".git" {
            bail!("{} is not empty: it holds {}", folder.display(), name.to_string_lossy());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::Full;
    use crate::cli::schema;

    #[test]
    fn output_that_goes_away_leaves_the_whole_repository() {
        let folder = tempfile::tempdir().unwrap();
        let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
        let begin =
            |folder: &Path, mut out: &mut dyn Write| run(folder, &Arguments { folder: None }, &mut out).map(|_| ());
        begin(&whole, &mut Vec::new()).unwrap();
        assert!(begin(&cut, &mut Full).is_err());
        let differ = std::process::Command::new("diff").arg("-r").args([&whole, &cut]).status().unwrap();
        assert!(differ.success());
        assert!(whole.join("runbooks/mno/example.md").exists());
    }

    #[test]
    fn a_new_repository_has_the_schemas_that_schema_checks() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), &Arguments { folder: None }, &mut Vec::new()).unwrap();
        let check = schema::Arguments { kind: None, write: false, check: true };
        assert!(matches!(schema::run(folder.path(), &check, &mut Vec::new()).unwrap(), Outcome::Clean));
    }
}
