//! `bindery check`.

use std::io::Write;
use std::path::Path;

use bindery_compiler::Compiled;
use bindery_compiler::diagnostic::render::{concise, full, github, json, junit, sarif};
use bindery_compiler::diagnostic::{Finding, Severity};
use bindery_compiler::source::SourceMap;
use bindery_schema::value::Day;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::cached::Cached;
use super::{Outcome, fix, progress, watch};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery check
  bindery check --rev origin/main --format concise
  bindery check --at 2027-01-01          what will be wrong on that day
  bindery check --deny warnings --format github
  bindery check --fix --dry-run          what can be repaired for certain, and how
  bindery check --fix                    repair it; comments and order stay
  bindery check --watch                  check again after every change")]
pub(super) struct Arguments {
    /// Environment whose overlays are laid over the base
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Day that counts as today
    #[arg(long, value_name = "YYYY-MM-DD")]
    at: Option<Day>,
    /// Check this revision instead of the working tree
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Findings that fail the check beside errors
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Repair what is certain in the working tree, then report what is left
    #[arg(long, conflicts_with_all = ["rev", "watch"])]
    fix: bool,
    /// With --fix: say what would be repaired, and write nothing
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// Check again whenever a configuration file changes, until Ctrl-C
    #[arg(long, conflicts_with = "rev")]
    watch: bool,
    #[command(flatten)]
    cached: Cached,
}

/// What fails a check beside errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Deny {
    Warnings,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// With the lines they are about
    #[default]
    Full,
    /// One line each
    Concise,
    /// For programs
    Json,
    /// Annotations of a GitHub workflow
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// A JUnit report, one test a file
    Junit,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if arguments.watch {
        return watch::run(repo, out, |out| once(repo, arguments, out));
    }
    once(repo, arguments, out)
}

fn once(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let options = super::options(arguments.at, arguments.env.as_deref());
    let compiled = if arguments.fix {
        let fixed = progress::shown("repairing", || fix::run(repo, &options, arguments.dry_run))?;
        match arguments.format {
            Format::Full => fix::report(&fixed, arguments.dry_run, Some(out))?,
            Format::Json => {
                let mut value = to_json(&fixed.compiled.findings, &fixed.compiled.sources);
                value["fixed"] = fix::to_json(&fixed.repairs);
                super::write_json(&value, out)?;
            }
            _ => fix::report(&fixed, arguments.dry_run, None)?,
        }
        fixed.compiled
    } else {
        let mut through = arguments.cached.compiler();
        let compiled = super::compile(&mut through, repo, arguments.rev.as_deref(), &options)?;
        arguments.cached.save(&through)?;
        if !arguments.watch {
            std::mem::forget(through);
        }
        compiled
    };
    if !(arguments.fix && arguments.format == Format::Json) {
        let shown = Shown { format: arguments.format, deny: arguments.deny, now: options.now };
        write(&compiled.findings, &compiled.sources, shown, out)?;
    }
    if arguments.format == Format::Full {
        writeln!(out, "{}", summary(&compiled))?;
    }
    let denied = arguments.deny == Some(Deny::Warnings) && count(&compiled.findings, Severity::Warning) > 0;
    let outcome = if compiled.error_count() > 0 || denied { Outcome::Findings } else { Outcome::Clean };
    if !arguments.watch {
        // The process ends: giving back a million rules one by one would only take time.
        std::mem::forget(compiled);
    }
    Ok(outcome)
}

/// How findings are shown.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub(super) format: Format,
    /// What fails beside errors.
    pub(super) deny: Option<Deny>,
    pub(super) now: Timestamp,
}

/// Writes findings in a format.
pub(super) fn write(
    findings: &[Finding],
    sources: &SourceMap,
    Shown { format, deny, now }: Shown,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match format {
        Format::Full => full::write(findings, sources, out)?,
        Format::Concise => concise::write(findings, sources, out)?,
        Format::Github => github::write(findings, sources, out)?,
        Format::Sarif => sarif::write(findings, sources, out)?,
        Format::Junit => {
            let least = deny.map_or(Severity::Error, |Deny::Warnings| Severity::Warning);
            junit::write(findings, sources, now, least, out)?;
        }
        Format::Json => super::write_json(&to_json(findings, sources), out)?,
    }
    Ok(())
}

/// Findings as JSON, and how many there are.
pub(super) fn to_json(findings: &[Finding], sources: &SourceMap) -> serde_json::Value {
    serde_json::json!({
        "findings": json::findings(findings, sources),
        "errors": count(findings, Severity::Error), "warnings": count(findings, Severity::Warning),
    })
}

/// How many findings have a severity.
pub(super) fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity() == severity).count()
}

/// One line: what was checked and what was found.
pub(super) fn summary(compiled: &Compiled) -> String {
    let checked = match compiled.catalog() {
        Some(catalog) => {
            let (carriers, operators, rules) = (catalog.mnos.len(), catalog.operators.len(), catalog.rule_count());
            let contracts: usize = catalog.mnos.values().map(|mno| mno.contracts.contracts.len()).sum();
            format!(
                "{}, {}, {}, {}",
                counted(carriers, "carrier"),
                counted(operators, "operator"),
                counted(rules, "prefix rule"),
                counted(contracts, "contract")
            )
        }
        None => counted(compiled.sources.len(), "file"),
    };
    let errors = counted(count(&compiled.findings, Severity::Error), "error");
    let warnings = counted(count(&compiled.findings, Severity::Warning), "warning");
    let fixable = compiled.findings.iter().filter(|finding| finding.fix.is_some()).count();
    let offer = if fixable > 0 { format!(" ({fixable} can be repaired by --fix)") } else { String::new() };
    format!("checked {checked}: {errors}, {warnings}{offer}")
}

/// A number with its noun.
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
