//! `bindery render`: the runbooks, written or checked.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bindery_compiler::diagnostic::render::concise;
use bindery_compiler::source::SourceMap;
use bindery_compiler::{Compiler, render};
use bindery_schema::value::MnoId;
use clap::Args;

use super::check::{self, Format};
use super::{Outcome, note, read_if_there, write_whole};

/// Where the runbooks are, from the root of the repository.
const FOLDER: &str = "runbooks/mno";
/// The repository's own template.
const TEMPLATE: &str = "templates/runbook.md.j2";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery render
  bindery render --check                 fail when a runbook is missing or stale

Text between `<!-- bindery:keep NAME -->` and `<!-- /bindery:keep -->` is yours and stays.")]
pub(super) struct Arguments {
    /// Write nothing; report every missing or stale runbook
    #[arg(long)]
    check: bool,
    /// Environment whose overlays are laid over the base
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// How findings of --check are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let options = super::options(None, arguments.env.as_deref());
    let compiled = super::compile(&mut Compiler::default(), repo, None, &options)?;
    let Some(catalog) = compiled.catalog() else {
        concise::write(&compiled.findings, &compiled.sources, &mut anstream::stderr().lock())?;
        return Ok(Outcome::Findings);
    };
    let own = read_if_there(&repo.join(TEMPLATE))?;
    let renderer = render::Renderer::new(own.as_deref().unwrap_or(render::TEMPLATE))?;

    let mut stale = Vec::new();
    let mut written = 0;
    for id in catalog.mnos.keys() {
        let path = format!("{FOLDER}/{id}.md");
        let existing = read_if_there(&repo.join(&path))?;
        let text =
            renderer.runbook(catalog, id, existing.as_deref()).map_err(|error| anyhow!(error).context(path.clone()))?;
        if existing.as_ref() == Some(&text) {
            continue;
        }
        if arguments.check {
            stale.push((path, existing, text));
        } else {
            write_whole(&repo.join(&path), &text)?;
            written += 1;
        }
    }
    for id in left_over(&repo.join(FOLDER), &catalog.mnos.keys().map(MnoId::as_str).collect())? {
        note(&format!("note: {FOLDER}/{id}.md belongs to no carrier; delete it when its notes are no longer needed"));
    }
    if !arguments.check {
        writeln!(out, "{written} of {} runbooks written", catalog.mnos.len())?;
        return Ok(Outcome::Clean);
    }
    // A source map finds files by path; ids sort otherwise, as `-` comes before `.`.
    stale.sort();
    let sources = stale
        .iter()
        .map(|(path, existing, _)| (Arc::from(&**path), Arc::from(existing.as_deref().unwrap_or_default())));
    let sources = SourceMap::new(sources.collect());
    let findings: Vec<_> = stale
        .iter()
        .filter_map(|(path, existing, text)| Some(render::stale(sources.find(path)?, path, existing.as_deref(), text)))
        .collect();
    check::write(&findings, &sources, arguments.format, out)?;
    Ok(if findings.is_empty() { Outcome::Clean } else { Outcome::Findings })
}

/// Names of runbooks without a carrier.
fn left_over(folder: &Path, known: &BTreeSet<&str>) -> anyhow::Result<BTreeSet<String>> {
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let unreadable = || format!("cannot read {}", folder.display());
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name();
        if let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".md"))
            && id != "README"
            && !known.contains(id)
        {
            names.insert(id.to_owned());
        }
    }
    Ok(names)
}
