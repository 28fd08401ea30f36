//! `bindery fmt`: the canonical form, written or checked.

use std::fs;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bindery_compiler::diagnostic::render::shown;
use bindery_compiler::source::{Content, Loaded};
use bindery_compiler::{format, source};
use clap::Args;

use super::{Outcome, note, write_whole};

/// Stands for standard input, as editors call a formatter.
const STDIN: &str = "-";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery fmt                            all configuration files
  bindery fmt --check                    say which would change, and fail if any would
  bindery fmt operators/ke-safaricom/mno.yaml
  bindery fmt - < a.yaml                 from standard input to standard output

Keys in the order of the schema, two spaces a level, quotes around what some YAML reader takes for a number, a date or a
boolean. Values and comments stay. A file with anchors, aliases, tags or directives is left alone, and said so.")]
pub(super) struct Arguments {
    /// Files, from the current folder; without any, all configuration files
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Write nothing; list what would change
    #[arg(long)]
    check: bool,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if let [only] = &*arguments.files
        && only.as_os_str() == STDIN
    {
        return standard_input(arguments.check, out);
    }
    let (mut changed, mut left) = (0, 0);
    let files = match &*arguments.files {
        [] => {
            let loaded = source::load_directory(repo)?;
            // A link may lead to what is none of the tree's files.
            let (readable, unreadable): (Vec<_>, Vec<_>) =
                loaded.iter().partition(|file| !matches!(file.content, Content::Unreadable { .. }));
            for Loaded { path, .. } in unreadable {
                note(&format!("note: {} is left alone: `bindery check` says why", name(&repo.join(&**path))));
                left += 1;
            }
            readable.iter().map(|file| repo.join(&*file.path)).collect()
        }
        files => files.to_vec(),
    };
    let mut same = 0;
    for path in &files {
        let Some(text) = read(path)? else {
            note(&format!("note: {} is left alone: it is no UTF-8 text file", name(path)));
            left += 1;
            continue;
        };
        match format::format(&text) {
            Err(reason) => {
                note(&format!("note: {} is left alone: {reason}", name(path)));
                left += 1;
            }
            Ok(formatted) if formatted == text => same += 1,
            Ok(formatted) => {
                changed += 1;
                if arguments.check {
                    writeln!(out, "would format {}", name(path))?;
                } else {
                    // The link's target, where the file is a link: a rename over the link would replace it.
                    write_whole(&path.canonicalize()?, &formatted)?;
                    writeln!(out, "formatted {}", name(path))?;
                }
            }
        }
    }
    let verb = if arguments.check { "to format" } else { "formatted" };
    writeln!(out, "{changed} {verb}, {same} as they should be, {left} left alone")?;
    Ok(if arguments.check && changed > 0 { Outcome::Findings } else { Outcome::Clean })
}

/// The name of a file in a line for people.
fn name(path: &Path) -> String {
    shown(&path.to_string_lossy()).into_owned()
}

/// The text of a file; none where it is a folder, a pipe, too large or not UTF-8. `check` says which.
fn read(path: &Path) -> anyhow::Result<Option<String>> {
    let unreadable = || format!("cannot read {}", path.display());
    let metadata = fs::metadata(path).with_context(unreadable)?;
    if !metadata.is_file() || metadata.len() > source::LARGEST_FILE {
        return Ok(None);
    }
    Ok(String::from_utf8(fs::read(path).with_context(unreadable)?).ok())
}

fn standard_input(check: bool, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
    // Without a result an editor would empty its buffer.
    let formatted = format::format(&text).map_err(anyhow::Error::new).context("standard input is left alone")?;
    if check {
        return Ok(if formatted == text { Outcome::Clean } else { Outcome::Findings });
    }
    out.write_all(formatted.as_bytes())?;
    Ok(Outcome::Clean)
}
