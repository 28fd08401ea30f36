//! `bindery render`: the runbooks, written or checked.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bindery_compiler::diagnostic::Finding;
use bindery_compiler::diagnostic::render::concise;
use bindery_compiler::render::FOLDER;
use bindery_compiler::source::{SourceMap, read_text};
use bindery_compiler::{Compiler, render};
use bindery_schema::catalog::Catalog;
use bindery_schema::value::MnoId;
use clap::Args;

use super::check::{self, Format, Shown};
use super::{Outcome, note, whole};

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
    /// How findings of --check are written, those of the configuration too where it has errors
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let options = super::options(None, arguments.env.as_deref());
    let compiled = super::compile(&mut Compiler::default(), repo, None, &options)?;
    let shown = Shown { format: arguments.format, deny: None, now: options.now };
    let Some(catalog) = compiled.catalog() else {
        if arguments.check {
            check::write(&compiled.findings, &compiled.sources, shown, out)?;
            return Ok(Outcome::Findings);
        }
        concise::write(&compiled.findings, &compiled.sources, &mut anstream::stderr().lock())?;
        return Ok(Outcome::Findings);
    };
    for id in left_over(&repo.join(FOLDER), &catalog.mnos.keys().map(MnoId::as_str).collect())? {
        note(&format!("note: {FOLDER}/{id}.md belongs to no carrier; delete it when its notes are no longer needed"));
    }
    if !arguments.check {
        let files = files(repo, catalog)?;
        whole::write_all(&files)?;
        writeln!(out, "{} of {} runbooks written", files.len(), catalog.mnos.len())?;
        return Ok(Outcome::Clean);
    }
    let outdated = outdated(repo, catalog)?;
    let (findings, sources) = findings(&outdated, SourceMap::default());
    check::write(&findings, &sources, shown, out)?;
    Ok(if findings.is_empty() { Outcome::Clean } else { Outcome::Findings })
}

/// Every runbook that is missing or stale, with what is to be written there.
pub(super) fn files(repo: &Path, catalog: &Catalog) -> anyhow::Result<Vec<(PathBuf, String)>> {
    Ok(outdated(repo, catalog)?.into_iter().map(|Outdated { path, text, .. }| (repo.join(path), text)).collect())
}

/// A runbook that is missing or stale.
#[derive(Debug)]
pub(super) struct Outdated {
    path: String,
    existing: Option<Arc<str>>,
    text: String,
}

/// The runbooks that are not what the catalog and the template make of them, by path.
pub(super) fn outdated(repo: &Path, catalog: &Catalog) -> anyhow::Result<Vec<Outdated>> {
    let own = read_text(repo, render::OWN_TEMPLATE)?;
    let renderer = render::Renderer::new(own.as_deref().unwrap_or(render::TEMPLATE))?;
    let mut outdated = Vec::new();
    for id in catalog.mnos.keys() {
        let path = render::path_of(id);
        let existing = read_text(repo, &path)?;
        let text =
            renderer.runbook(catalog, id, existing.as_deref()).map_err(|error| anyhow!(error).context(path.clone()))?;
        if existing.as_deref() != Some(&*text) {
            outdated.push(Outdated { path, existing, text });
        }
    }
    // A source map finds files by path; ids sort otherwise, as `-` comes before `.`.
    outdated.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(outdated)
}

/// A finding for each outdated runbook, and the sources with the runbooks behind them.
pub(super) fn findings(outdated: &[Outdated], sources: SourceMap) -> (Vec<Finding>, SourceMap) {
    let texts =
        outdated.iter().map(|runbook| (Arc::from(&*runbook.path), runbook.existing.clone().unwrap_or_default()));
    let sources = sources.followed_by(texts);
    let findings = outdated.iter().filter_map(|Outdated { path, existing, text }| {
        Some(render::stale(sources.find(path)?, path, existing.as_deref(), text))
    });
    (findings.collect(), sources)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_of_what_does_not_compile_answers_in_its_format() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("operators")).unwrap();
        fs::write(folder.path().join("operators/a.yaml"), "a: [\n").unwrap();
        for format in [Format::Full, Format::Concise, Format::Json, Format::Github, Format::Sarif, Format::Junit] {
            let arguments = Arguments { check: true, env: None, format };
            let mut out = Vec::new();
            assert!(matches!(run(folder.path(), &arguments, &mut out).unwrap(), Outcome::Findings));
            let out = String::from_utf8(out).unwrap();
            assert!(out.contains("BND0101"), "{format:?}: {out}");
            if matches!(format, Format::Json | Format::Sarif) {
                serde_json::from_str::<serde_json::Value>(&out).unwrap();
            }
        }
    }
}
