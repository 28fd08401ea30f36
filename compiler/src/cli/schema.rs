//! `bindery schema`: the generated JSON Schemas, written, checked or printed.

use std::io::Write;
use std::path::Path;

use anyhow::bail;
use bindery_compiler::scaffold;
use clap::Args;

use super::{Outcome, note, read_if_there, whole};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery schema Operator                print that of a kind
  bindery schema plan                    print that of `plan --format json`
  bindery schema --write                 write all below schema/json/
  bindery schema --check                 fail when one of them is stale")]
pub(super) struct Arguments {
    /// Kind or report whose schema is printed
    #[arg(value_name = "NAME", required_unless_present_any = ["write", "check"])]
    pub(super) kind: Option<String>,
    /// Write every schema
    #[arg(long, conflicts_with_all = ["kind", "check"])]
    pub(super) write: bool,
    /// Fail when a schema on disk is not what would be written
    #[arg(long, conflicts_with = "kind")]
    pub(super) check: bool,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let schemas = scaffold::schemas()?;
    if let Some(wanted) = &arguments.kind {
        let Some((_, file)) = schemas.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(wanted)) else {
            let kinds: Vec<_> = schemas.iter().map(|(kind, _)| *kind).collect();
            bail!("`{wanted}` has no schema; these have one: {}", kinds.join(", "));
        };
        out.write_all(file.text.as_bytes())?;
        return Ok(Outcome::Clean);
    }
    let mut stale = Vec::new();
    for (_, file) in schemas {
        let path = repo.join(&file.path);
        if read_if_there(&path)?.as_ref() != Some(&file.text) {
            stale.push((path, file.text));
        }
    }
    if arguments.check {
        for (path, _) in &stale {
            note(&format!("{} is stale: run `bindery schema --write`", path.display()));
        }
        return Ok(if stale.is_empty() { Outcome::Clean } else { Outcome::Findings });
    }
    whole::write_and_tell(&stale, out)?;
    Ok(Outcome::Clean)
}
