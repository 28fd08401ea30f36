//! The command line: arguments, output and exit codes. What the commands do is the library's.
//!
//! Exit codes: 0 clean or no changes, 1 findings or an error, 2 `plan` found changes. Wrong usage is
//! an error too: clap's own 2 would look like changes to a pipeline. 141 where the reader of the output went away before
//! its end, as if by SIGPIPE: neither a finding nor its absence. Files a command writes are written before it prints.

mod cached;
mod check;
mod ci;
mod completions;
mod explain;
mod fix;
mod fmt;
mod import;
mod init;
mod man;
mod output;
mod plan;
mod progress;
mod render;
mod schema;
mod seal;
mod timeline;
mod trace;
mod watch;
mod whole;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bindery_compiler::{Compiled, Compiler, Options, source, validate};
use bindery_schema::value::Day;
use clap::{Parser, Subcommand};
use jiff::Timestamp;

use output::Output;
use whole::write_whole;

/// Exit code where nobody reads the output to its end: what a shell makes of a program that SIGPIPE (13) ended.
const CLOSED: u8 = 128 + 13;

/// Checks SMPP operator configuration kept as YAML in git, plans changes and renders runbooks.
#[derive(Debug, Parser)]
#[command(
    name = "bindery",
    version,
    max_term_width = 100,
    after_help = "Start with `bindery check`; `bindery explain BND0501` tells what a finding means.

Exit code: 0 clean, 1 findings or an error, 2 changes (plan), 141 the reader of the output left."
)]
struct Cli {
    /// Root of the configuration repository
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin a new configuration repository
    Init(init::Arguments),
    /// Check the configuration and report everything that is wrong
    Check(check::Arguments),
    /// Show what a change of the configuration would do
    Plan(plan::Arguments),
    /// Check, plan against the merge base and look for stale runbooks, in one go
    Ci(ci::Arguments),
    /// Write the runbook of every carrier
    Render(render::Arguments),
    /// Show where a number goes, and why
    Trace(trace::Arguments),
    /// List what will become wrong without a new commit, day by day
    Timeline(timeline::Arguments),
    /// Bring configuration files into one canonical form
    Fmt(fmt::Arguments),
    /// Explain a finding code
    Explain(explain::Arguments),
    /// Encrypt an operator's password so that git may hold it
    Seal(seal::Arguments),
    /// Turn a legacy spreadsheet into operators, their carriers and their prefixes
    Import(import::Arguments),
    /// Write, check or print the JSON Schemas of kinds and reports
    Schema(schema::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Print the manual page, or write that of every command
    Man(man::Arguments),
}

/// How a command ended.
enum Outcome {
    /// Nothing to report.
    Clean,
    /// Something is wrong with the input; it has been printed.
    Findings,
    /// The plan has changes.
    Changes,
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version come as an error too. Where the output is closed there is nobody to tell.
            let _ = usage.print();
            return if usage.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    // Like git itself: a repository's objects are taken for what their names say.
    git2::opts::strict_hash_verification(false);
    let out = &mut Output(anstream::stdout().lock());
    let done = match &cli.command {
        Command::Init(arguments) => init::run(&cli.repo, arguments, out),
        Command::Check(arguments) => check::run(&cli.repo, arguments, out),
        Command::Plan(arguments) => plan::run(&cli.repo, arguments, out),
        Command::Ci(arguments) => ci::run(&cli.repo, arguments, out),
        Command::Render(arguments) => render::run(&cli.repo, arguments, out),
        Command::Trace(arguments) => trace::run(&cli.repo, arguments, out),
        Command::Timeline(arguments) => timeline::run(&cli.repo, arguments, out),
        Command::Fmt(arguments) => fmt::run(&cli.repo, arguments, out),
        Command::Explain(arguments) => explain::run(arguments, out),
        Command::Seal(arguments) => seal::run(&cli.repo, arguments, out),
        Command::Import(arguments) => import::run(arguments, out),
        Command::Schema(arguments) => schema::run(&cli.repo, arguments, out),
        Command::Completions(arguments) => completions::run(arguments, out),
        Command::Man(arguments) => man::run(arguments, out),
    };
    match done.and_then(|outcome| out.flush().map(|()| outcome).map_err(Into::into)) {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Ok(Outcome::Changes) => ExitCode::from(2),
        Err(error) if output::is_closed(&error) => ExitCode::from(CLOSED),
        Err(error) => {
            note(&format!("error: {error:#}"));
            ExitCode::from(1)
        }
    }
}

/// Writes a JSON value, indented. In one piece: the output looks for colours in each piece it is given.
fn write_json(value: &serde_json::Value, out: &mut impl Write) -> io::Result<()> {
    out.write_all(format!("{value:#}\n").as_bytes())
}

/// Writes a line to standard error. Where that is closed there is nobody to tell.
fn note(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// The present moment, or the beginning of a day.
fn options(at: Option<Day>, environment: Option<&str>) -> Options {
    Options { now: at.map_or_else(Timestamp::now, Day::midnight), environment: environment.map(str::to_owned) }
}

/// Compiles a revision, or the working tree where none is named. One that holds no configuration is a mistake, and so is an
/// environment that is named nowhere.
fn compile(
    compiler: &mut Compiler,
    repo: &Path,
    revision: Option<&str>,
    options: &Options,
) -> anyhow::Result<Compiled> {
    let tree = compile_wanted(compiler, repo, revision, options)?;
    must_know(options, &tree, None)?;
    Ok(tree)
}

/// Compiles what a plan is to lead to, whatever environment is asked for: the other side of the plan may name it.
fn compile_wanted(
    compiler: &mut Compiler,
    repo: &Path,
    revision: Option<&str>,
    options: &Options,
) -> anyhow::Result<Compiled> {
    let tree = match revision {
        None => progress::shown("checking", || compiler.compile_directory(repo, options))?,
        Some(revision) => compile_revision(compiler, repo, revision, options)?,
    };
    if let Some(revision) = revision.filter(|_| tree.sources.is_empty()) {
        bail!("`{revision}` holds no configuration: expected operators/, contracts/ or policy.yaml");
    }
    Ok(tree)
}

/// Compiles a revision, whatever it holds.
fn compile_revision(
    compiler: &mut Compiler,
    repo: &Path,
    revision: &str,
    options: &Options,
) -> anyhow::Result<Compiled> {
    let repository = open(repo)?;
    let commit = source::resolve_revision(&repository, revision)?;
    Ok(progress::shown("checking", || compiler.compile_revision(&repository, commit, options))?)
}

/// Says so where no operator names an environment, neither of a tree nor of the base it is compared with: it is the base of all
/// environments then. That may be meant, as of a `production` that nothing is laid over, but not of a name that is near one
/// there is, which is refused. An operator of the tree that could not be read may name it.
fn must_know(options: &Options, tree: &Compiled, base: Option<&Compiled>) -> anyhow::Result<()> {
    let Some(name) = options.environment.as_deref() else { return Ok(()) };
    let trees = std::iter::once(tree).chain(base);
    let mut known: Vec<&str> = trees.flat_map(|tree| &tree.environments).map(|known| &**known).collect();
    if known.contains(&name) || tree.error_count() > 0 {
        return Ok(());
    }
    known.sort_unstable();
    known.dedup();
    if let Some(near) = validate::nearest(name, known.iter().copied()) {
        bail!("no operator has the environment `{name}`; did you mean `{near}`?");
    }
    let others = if known.is_empty() { "nor any other".to_owned() } else { format!("known are {}", known.join(", ")) };
    note(&format!("warning: no operator has the environment `{name}`, so the base counts; {others}"));
    Ok(())
}

fn open(repo: &Path) -> anyhow::Result<git2::Repository> {
    let error = match git2::Repository::open(repo) {
        Ok(repository) => return Ok(repository),
        Err(error) => error,
    };
    let around = git2::Repository::discover(repo).ok();
    if let Some(root) = around.as_ref().and_then(git2::Repository::workdir) {
        bail!("{} lies inside the git repository at {}; --repo needs its root", repo.display(), root.display());
    }
    Err(error).with_context(|| format!("{} is not a git repository", repo.display()))
}

/// The text of a file; none where there is no such file.
fn read_if_there(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Width of a terminal that all help fits.
    const WIDTH: usize = 100;

    #[test]
    fn help_breaks_no_sentence_and_no_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines().filter(|line| !line.is_empty()) {
                let whole = match line.strip_prefix("  ") {
                    Some(example) => example.chars().count() + 2 <= WIDTH,
                    // The terminal's width breaks what is longer.
                    None => line.ends_with(['.', ':']),
                };
                assert!(whole, "{}: {line}", command.get_name());
            }
        }
    }
}
