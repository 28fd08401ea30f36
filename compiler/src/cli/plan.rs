//! `bindery plan`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::bail;
use bindery_compiler::Compiled;
use bindery_compiler::diagnostic::render::{concise, json};
use bindery_compiler::plan::markdown::{Comment, DEFAULT_BUDGET, SMALLEST};
use bindery_compiler::plan::{Catalogs, held, report_everywhere, text};
use bindery_schema::catalog::Catalog;
use bindery_schema::value::Day;
use clap::{Args, ValueEnum};

use super::Outcome;
use super::cached::Cached;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery plan                           the working tree against the last commit
  bindery plan --base origin/main        against what is live on main
  bindery plan --base v1 --head v2 --format json
  bindery plan --base origin/main --format markdown > comment.md

Where the configuration has an error there is no plan, in any format: standard output stays empty, \
and the findings are on standard error. `bindery check` and `bindery ci` answer in JSON all the same.

Exit code: 0 no changes, 2 changes, 1 error.")]
pub(super) struct Arguments {
    /// Revision that counts as live
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    base: String,
    /// Revision that is wanted, instead of the working tree
    #[arg(long, value_name = "REV")]
    head: Option<String>,
    /// Environment whose overlays are laid over the base; without it, the base, and what differs in which environment
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Day that counts as today
    #[arg(long, value_name = "YYYY-MM-DD")]
    at: Option<Day>,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Most bytes of what --format markdown writes, at least 2000
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BUDGET, value_parser = budget)]
    max_bytes: usize,
    #[command(flatten)]
    cached: Cached,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
    /// A comment on a pull request
    Markdown,
}

/// Reads the budget of a comment.
pub(super) fn budget(text: &str) -> Result<usize, String> {
    let bytes = text.parse().map_err(|_| format!("`{text}` is no number of bytes"))?;
    if bytes < SMALLEST { Err(format!("a comment needs at least {SMALLEST} bytes")) } else { Ok(bytes) }
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let options = super::options(arguments.at, arguments.env.as_deref());
    let mut compiler = arguments.cached.compiler();
    if options.environment.is_none() {
        compiler.everywhere();
    }
    let base = if has_no_commit(repo, &arguments.base)? {
        None
    } else {
        Some(super::compile_revision(&mut compiler, repo, &arguments.base, &options)?)
    };
    // The base's policy guards: a change cannot lift the guardrail it runs into.
    if let Some(base) = &base {
        compiler.guarded_by(base.policy().clone());
    }
    let mut head = super::compile_wanted(&mut compiler, repo, arguments.head.as_deref(), &options)?;
    super::must_know(&options, &head, base.as_ref())?;
    let nothing = (Catalog::default(), BTreeMap::new());
    let nothing = Catalogs { base: &nothing.0, environments: &nothing.1 };
    let live = base.as_ref().map_or(Some(nothing), Compiled::catalogs);
    let both = live.zip(head.catalogs());
    let report = both.map(|(live, wanted)| report_everywhere(live, wanted, options.now)).transpose()?;
    arguments.cached.save(&compiler)?;
    concise::write(&head.findings, &head.sources, &mut anstream::stderr().lock())?;
    if head.catalog().is_none() {
        return Ok(Outcome::Findings);
    }
    let Some(report) = report else {
        let base = &arguments.base;
        bail!("`{base}` does not compile (bindery check --rev {base}); name another base")
    };
    let reasons = held(&report);
    concise::write(&reasons, &head.sources, &mut anstream::stderr().lock())?;
    match arguments.format {
        Format::Human => {
            let mut lines = String::new();
            text::human_report(&report, &mut lines)?;
            out.write_all(lines.as_bytes())?;
        }
        Format::Json => {
            head.findings.extend(reasons);
            let mut value = text::json(&report);
            value["findings"] = json::findings(&head.findings, &head.sources).into();
            super::write_json(&value, out)?;
        }
        Format::Markdown => {
            let comment = Comment { findings: Vec::new(), report: Ok(&report), remarks: &[] };
            out.write_all(comment.render(arguments.max_bytes).as_bytes())?;
        }
    }
    let outcome = if report.changes_anything() { Outcome::Changes } else { Outcome::Clean };
    // The process ends: giving back a million rules one by one would only take time.
    std::mem::forget((compiler, base, head, report));
    Ok(outcome)
}

/// In a repository without a commit everything is new.
fn has_no_commit(repo: &Path, base: &str) -> anyhow::Result<bool> {
    Ok(base == "HEAD" && super::open(repo)?.is_empty()?)
}
