//! `bindery ci`: what a pipeline runs on a pull request, in one go.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bindery_compiler::diagnostic::render::{concise, github};
use bindery_compiler::diagnostic::{Code, Finding, Severity};
use bindery_compiler::plan::markdown::{Comment, DEFAULT_BUDGET};
use bindery_compiler::plan::{NoPlan, held, policy, report_onto, text};
use bindery_compiler::render::FOLDER;
use bindery_compiler::source::{self, SourceMap};
use bindery_compiler::{Compiled, Options, PolicyRead};
use bindery_schema::policy::PolicySpec;
use bindery_schema::report::PlanReport;
use bindery_schema::value::Day;
use clap::Args;
use git2::{Oid, Repository};
use serde_json::json;

use super::cached::Cached;
use super::check::{self, Deny, Format, Shown};
use super::{Outcome, note, plan, render, write_whole};

/// Variables in which GitHub and GitLab name the branch a pull request goes to.
const VARIABLES: [&str; 2] = ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"];
/// Where a branch to go to is looked for when nothing names one.
const BRANCHES: [&str; 5] = ["origin/HEAD", "origin/main", "origin/master", "main", "master"];

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery ci                             against the branch the pull request goes to
  bindery ci --base origin/main --format github --comment plan.md
  bindery ci --format sarif > bindery.sarif

The branch is --base, $GITHUB_BASE_REF, $CI_MERGE_REQUEST_TARGET_BRANCH_NAME, or origin's default branch.
Guardrails, routing and throughput rules come from the merge base: a change cannot lift what it runs into.
A plan is also held by the guardrails that the branch has by now.

Exit code: 0 no errors, whatever the plan changes; 1 errors.")]
pub(super) struct Arguments {
    /// Branch or revision the change goes to
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Environment whose overlays are laid over the base; without it, the base, and what differs in which environment
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Day that counts as today
    #[arg(long, value_name = "YYYY-MM-DD")]
    at: Option<Day>,
    /// Findings that fail the run beside errors
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also write a comment for the pull request, in Markdown
    #[arg(long, value_name = "FILE")]
    comment: Option<PathBuf>,
    /// Most bytes of the comment, at least 2000
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BUDGET, value_parser = plan::budget)]
    max_bytes: usize,
    #[command(flatten)]
    cached: Cached,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let options = super::options(arguments.at, arguments.env.as_deref());
    let repository = super::open(repo)?;
    let (base, tip) = merge_base(&repository, arguments.base.as_deref())?;
    let mut compiler = arguments.cached.compiler();
    if options.environment.is_none() {
        compiler.everywhere();
    }
    let mut remarks = Vec::new();
    let branch = match tip {
        tip if tip == base => None,
        tip => {
            let tip = compiler.compile_revision(&repository, tip, &options)?;
            remark(&tip, "the branch the change goes to", &mut remarks);
            (tip.policy_read() != PolicyRead::NotAtAll).then(|| tip.policy().clone())
        }
    };
    let before = compiler.compile_revision(&repository, base, &options)?;
    compiler.guarded_by(before.policy().clone());
    let mut head = super::compile_wanted(&mut compiler, repo, None, &options)?;
    super::must_know(&options, &head, Some(&before))?;
    let report = planned(&before, &head, branch.as_ref(), &mut remarks, &options)?;
    let summary = check::summary(&head);
    if let Some(catalog) = head.catalog() {
        let outdated = render::outdated(repo, catalog)?;
        let (stale, sources) = render::findings(&outdated, std::mem::take(&mut head.sources));
        head.sources = sources;
        head.findings.extend(stale);
    }
    arguments.cached.save(&compiler)?;
    if let Ok(report) = &report {
        head.findings.extend(held(report));
    }
    let (findings, sources) = (&head.findings, &head.sources);
    let comment = Comment { findings: lines(findings, sources)?, report: report.as_ref(), remarks: &remarks };
    if let Some(path) = &arguments.comment {
        write_whole(path, &comment.render(arguments.max_bytes))?;
    }
    let shown = Shown { format: arguments.format, deny: arguments.deny, now: options.now };
    write(shown, &summary, findings, sources, &comment, out)?;
    let denied = arguments.deny == Some(Deny::Warnings) && check::count(findings, Severity::Warning) > 0;
    Ok(if check::count(findings, Severity::Error) > 0 || denied { Outcome::Findings } else { Outcome::Clean })
}

/// The plan, or why there is none. A base that does not compile fails nobody: the change may be what repairs it. What it
/// makes less strict is said all the same.
fn planned(
    before: &Compiled,
    head: &Compiled,
    branch: Option<&PolicySpec>,
    remarks: &mut Vec<String>,
    options: &Options,
) -> anyhow::Result<Result<PlanReport, NoPlan>> {
    let reason = match (before.catalogs(), head.catalogs()) {
        (Some(live), Some(wanted)) => return Ok(Ok(report_onto(live, wanted, branch, options.now)?)),
        (_, None) => "the configuration has errors",
        (None, _) => "the merge base does not compile",
    };
    remarks
        .push("without a plan no guardrail was looked at: what this change deletes or moves is not known".to_owned());
    remark(before, "the merge base", remarks);
    remark(head, "this change", remarks);
    let read = [before, head].iter().all(|tree| tree.policy_read() != PolicyRead::NotAtAll);
    let loosened = if read { policy::loosened(before.policy(), head.policy()) } else { Vec::new() };
    Ok(Err(NoPlan { reason, loosened }))
}

/// Says so where a policy could not be read in full.
fn remark(tree: &Compiled, whose: &str, remarks: &mut Vec<String>) {
    match tree.policy_read() {
        PolicyRead::InFull => {}
        PolicyRead::InPart => remarks.push(format!(
            "the policy of {whose} has errors: what could not be read of it counts as if it were not there"
        )),
        PolicyRead::NotAtAll => remarks.push(format!(
            "the policy of {whose} could not be read, so it holds nothing, and whether policies differ is not known"
        )),
    }
}

/// Writes everything to one stream where its format allows that, otherwise the plan beside it.
fn write(
    shown: Shown,
    summary: &str,
    findings: &[Finding],
    sources: &SourceMap,
    Comment { report, remarks, .. }: &Comment<'_>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if shown.format == Format::Json {
        let mut value = check::to_json(findings, sources);
        value["plan"] = report.map(text::json).unwrap_or_default();
        value["remarks"] = (*remarks).into();
        if let Err(NoPlan { reason, loosened }) = report {
            value["noPlan"] = json!({ "reason": reason, "loosened": loosened });
        }
        super::write_json(&value, out)?;
        return Ok(());
    }
    check::write(findings, sources, shown, out)?;
    let stale = findings.iter().filter(|finding| sources.path(finding.primary.file).starts_with(FOLDER)).count();
    let mut lines = format!("{summary}\n");
    match report {
        Ok(report) => {
            let runbooks = check::counted(stale, "runbook");
            lines.push_str(&format!("{runbooks} out of date\n\n"));
            text::human_report(report, &mut lines)?;
        }
        Err(none) => text::no_plan(none, &mut lines)?,
    }
    if !remarks.is_empty() {
        lines.push('\n');
        remarks.iter().for_each(|remark| lines.push_str(&format!("note: {remark}\n")));
    }
    if matches!(shown.format, Format::Sarif | Format::Junit) {
        note(lines.trim_end());
    } else if shown.format == Format::Github {
        out.write_all(github::harmless(&lines).as_bytes())?;
    } else {
        out.write_all(lines.as_bytes())?;
    }
    Ok(())
}

/// Findings one a line, errors first. What holds the plan has a part of the comment of its own.
fn lines(findings: &[Finding], sources: &SourceMap) -> anyhow::Result<Vec<String>> {
    let mut sorted: Vec<Finding> = findings.iter().filter(|finding| finding.code != Code::PlanHeld).cloned().collect();
    sorted.sort_by_key(Finding::severity);
    let mut text = Vec::new();
    concise::write(&sorted, sources, &mut text)?;
    Ok(String::from_utf8(text)?.lines().map(str::to_owned).collect())
}

/// Where the change left the branch it goes to, and where that branch is by now.
fn merge_base(repository: &Repository, base: Option<&str>) -> anyhow::Result<(Oid, Oid)> {
    let head = source::resolve_revision(repository, "HEAD")?;
    let (name, tip) = target(repository, base)?;
    let base = repository.merge_base(head, tip).with_context(|| {
        format!("HEAD and `{name}` have no common commit; fetch the whole history (fetch-depth: 0, GIT_DEPTH: 0)")
    })?;
    Ok((base, tip))
}

/// The branch the change goes to.
fn target(repository: &Repository, base: Option<&str>) -> anyhow::Result<(String, Oid)> {
    if let Some(name) = base {
        return Ok((name.to_owned(), source::resolve_revision(repository, name)?));
    }
    let named = VARIABLES.iter().filter_map(|name| std::env::var(name).ok()).find(|branch| !branch.is_empty());
    if let Some(branch) = named {
        let name = format!("origin/{branch}");
        let tip = source::resolve_revision(repository, &name)
            .with_context(|| format!("fetch the branch the change goes to, or name another with --base: `{branch}`"))?;
        return Ok((name, tip));
    }
    let found = BRANCHES.iter().find_map(|name| Some((*name, source::resolve_revision(repository, name).ok()?)));
    match found {
        Some((name, tip)) => Ok((name.to_owned(), tip)),
        None => bail!("there is no branch {}; name one with --base", BRANCHES.join(", ")),
    }
}
