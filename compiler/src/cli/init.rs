//! `bindery init`: a new configuration repository.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bindery_compiler::{Compiler, scaffold};
use clap::Args;

use super::{Outcome, render, write_whole};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery init carriers                  a new folder
  git init carriers && bindery init carriers

Writes a policy, an example carrier that takes no traffic with its runbook, CI files for GitHub and GitLab, and JSON Schemas
for editors.
A folder with anything but .git in it is refused.")]
pub(super) struct Arguments {
    /// Folder of the new repository; --repo where none is named
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let folder = arguments.folder.as_deref().unwrap_or(repo);
    refuse_what_is_there(folder)?;
    for file in scaffold::files() {
        write_whole(&folder.join(&file.path), &file.text)?;
        writeln!(out, "wrote {}", folder.join(&file.path).display())?;
    }
    // Without its runbook the example would be the first thing the new pipeline refuses.
    let compiled = Compiler::default().compile_directory(folder, &super::options(None, None))?;
    for path in compiled.catalog().map_or(Ok(Vec::new()), |catalog| render::write(folder, catalog))? {
        writeln!(out, "wrote {}", folder.join(path).display())?;
    }
    writeln!(out, "next: cd {} && bindery check", folder.display())?;
    Ok(Outcome::Clean)
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
