//! `bindery timeline`.

use std::io::Write;
use std::path::Path;

use anyhow::bail;
use bindery_compiler::diagnostic::Severity;
use bindery_compiler::timeline::{Window, text};
use bindery_compiler::{Compiler, source};
use bindery_schema::value::Day;
use clap::{Args, ValueEnum};

use super::Outcome;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery timeline                         from today on
  bindery timeline --until 2027-03-31      up to the end of the quarter
  bindery timeline --problems              what someone has to act on
  bindery timeline --rev origin/main --format json

What is wrong already is not listed: `bindery check` does that, and `bindery check --at DAY` as of a day.
Exit code: 0, whatever comes.")]
pub(super) struct Arguments {
    /// First day, by default today
    #[arg(long, visible_alias = "at", value_name = "YYYY-MM-DD")]
    from: Option<Day>,
    /// Last day, by default none
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<Day>,
    /// Look at this revision instead of the working tree
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Leave out what merely happens: contracts and reservations that begin and end in order, renames
    #[arg(long)]
    problems: bool,
    /// How the events are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// For people: one line each
    #[default]
    Table,
    /// For programs
    Json,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let options = super::options(arguments.from, None);
    let window = Window { from: Day::of(options.now), until: arguments.until };
    if let Some(until) = window.until.filter(|until| *until < window.from) {
        let Window { from, .. } = window;
        let which = if arguments.from.is_some() { format!("--from {from}") } else { format!("today, {from}") };
        bail!("--until {until} is before {which}: no day is left to list; name a later day or an earlier --from");
    }
    let mut compiler = Compiler::default();
    let (tree, mut events) = match &arguments.rev {
        None => compiler.timeline_directory(repo, &options, window)?,
        Some(revision) => {
            let repository = super::open(repo)?;
            let commit = source::resolve_revision(&repository, revision)?;
            compiler.timeline_revision(&repository, commit, &options, window)?
        }
    };
    if arguments.problems {
        events.retain(|event| event.severity != Severity::Note);
    }
    match arguments.format {
        Format::Table => {
            let mut lines = String::new();
            text::table(&events, window, &tree.sources, &mut lines)?;
            out.write_all(lines.as_bytes())?;
        }
        Format::Json => super::write_json(&text::json(&events, &tree.sources), out)?,
    }
    if tree.error_count() > 0 {
        super::note("note: the tree has errors, and what they hide is not listed; see `bindery check`");
    }
    Ok(Outcome::Clean)
}
