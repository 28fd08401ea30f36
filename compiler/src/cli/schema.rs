//! `bindery schema`: the generated JSON Schemas, written, checked or printed.

use std::io::Write;
use std::path::Path;

use anyhow::bail;
use bindery_schema::json;
use clap::Args;

use super::{Outcome, note, read_if_there, write_whole};

/// Where the schemas are, from the root of the repository.
const FOLDER: &str = "schema/json";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery schema Operator                print that of a kind
  bindery schema plan                    print that of `plan --format json`
  bindery schema --write                 write all below schema/json/
  bindery schema --check                 fail when one of them is stale")]
pub(super) struct Arguments {
    /// Kind or report whose schema is printed
    #[arg(value_name = "NAME", required_unless_present_any = ["write", "check"])]
    kind: Option<String>,
    /// Write every schema
    #[arg(long, conflicts_with_all = ["kind", "check"])]
    write: bool,
    /// Fail when a schema on disk is not what would be written
    #[arg(long, conflicts_with = "kind")]
    check: bool,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let mut schemas = Vec::new();
    for (kind, schema) in json::kinds().into_iter().chain(json::reports()) {
        schemas.push((kind, format!("{}\n", serde_json::to_string_pretty(&schema)?)));
    }
    if let Some(wanted) = &arguments.kind {
        let Some((_, text)) = schemas.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(wanted)) else {
            let kinds: Vec<_> = schemas.iter().map(|(kind, _)| *kind).collect();
            bail!("`{wanted}` has no schema; these have one: {}", kinds.join(", "));
        };
        out.write_all(text.as_bytes())?;
        return Ok(Outcome::Clean);
    }
    let mut outcome = Outcome::Clean;
    for (kind, text) in &schemas {
        let path = repo.join(FOLDER).join(format!("{kind}.json"));
        if read_if_there(&path)?.as_ref() == Some(text) {
            continue;
        }
        if arguments.check {
            note(&format!("{} is stale: run `bindery schema --write`", path.display()));
            outcome = Outcome::Findings;
        } else {
            write_whole(&path, text)?;
            writeln!(out, "wrote {}", path.display())?;
        }
    }
    Ok(outcome)
}
