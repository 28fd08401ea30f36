//! `bindery-agent drift`: has all four stores compared with git, and shows what differs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use bindery_schema::wire::drift::{
    Difference, DriftDirection, DriftOutcome, DriftPolicy, DriftReport, DriftRequest, DriftStatus,
};
use clap::Args;
use reqwest::Method;

use super::admin::Admin;

const PATH: &str = "/v1/admin/sync/drift";
/// Time between two questions whether the look is over.
const ASK: Duration = Duration::from_millis(200);
/// Exit code where a store and git differ.
const DRIFT: u8 = 2;

/// Arguments of `drift`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  set -a; source .bindery/dev/env; set +a     the addresses of `bindery-agent dev`
  bindery-agent drift --dry-run               look, and heal nothing
  bindery-agent drift                         look, and heal where the agent's configuration says so
  bindery-agent drift --allow HASH            carry out a healing that a guardrail holds
  bindery-agent drift --last --json | jq '.differences[].object'

Exit code: 0 no drift, 2 drift was found, healed or not, 1 error, or a store could not be observed.")]
pub struct Drift {
    #[command(flatten)]
    admin: Admin,
    /// Look only: heal nothing, whatever the configuration says
    #[arg(long, conflicts_with = "allow")]
    dry_run: bool,
    /// Hash of a held healing to carry out, as the report names it
    #[arg(long, value_name = "HASH")]
    allow: Option<String>,
    /// Show what the last look found instead of taking one
    #[arg(long, conflicts_with_all = ["dry_run", "allow"])]
    last: bool,
    /// Longest wait for the look, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    timeout: u64,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Drift {
    /// Takes a look and prints the report.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let report = if self.last { self.admin.get::<DriftStatus>(PATH, &[]).await?.last } else { self.look().await? };
        let Some(report) = report else { bail!("the agent has taken no look yet") };
        let mut out = anstream::stdout().lock();
        if self.json {
            writeln!(out, "{:#}", serde_json::to_value(&report)?)?;
        } else {
            out.write_all(text(&report).as_bytes())?;
        }
        Ok(match report.count() {
            0 if report.is_complete() => ExitCode::SUCCESS,
            0 => ExitCode::from(1),
            _ => ExitCode::from(DRIFT),
        })
    }

    async fn look(&self) -> anyhow::Result<Option<DriftReport>> {
        let request = DriftRequest { dry_run: self.dry_run, allow: self.allow.clone() };
        let answer = self.admin.tell(Method::POST, PATH, Some(serde_json::to_value(&request)?)).await?;
        let DriftStatus { asked, .. } = serde_json::from_value(answer)?;
        let wait = async {
            loop {
                let status: DriftStatus = self.admin.get(PATH, &[]).await?;
                if status.answered >= asked {
                    return match status.failed {
                        Some(reason) => bail!("the agent could not look: {reason}"),
                        None => Ok(status.last),
                    };
                }
                tokio::time::sleep(ASK).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(self.timeout), wait).await {
            Ok(report) => report,
            Err(_) => bail!("the look is not over yet: `bindery-agent drift --last` shows it later"),
        }
    }
}

/// A report as lines for people.
fn text(report: &DriftReport) -> String {
    let mut lines = String::new();
    let commit = super::status::short(&report.commit);
    let _ = match report.count() {
        0 if report.is_complete() => writeln!(lines, "no drift: the stores say what commit {commit} says"),
        0 => writeln!(lines, "no drift found, but not every store was observed"),
        1 => writeln!(lines, "1 difference from commit {commit}"),
        count => writeln!(lines, "{count} differences from commit {commit}"),
    };
    for (store, found) in &report.stores {
        let _ = write!(lines, "  {store:<9} ");
        if found.differences > 0 {
            let _ = write!(lines, "{} ", found.differences);
        }
        let _ = write!(lines, "{}", found.outcome.as_str());
        let _ = match &found.reason {
            Some(reason) => writeln!(lines, ": {reason}"),
            None => writeln!(lines),
        };
    }
    for difference in &report.differences {
        let _ = writeln!(lines, "{}", line(difference));
    }
    let left = report.count() - report.differences.len();
    if left > 0 {
        let _ = writeln!(lines, "and {left} more");
    }
    for hold in &report.holds {
        let _ = writeln!(lines, "held by {hold}");
    }
    if let Some(hash) = &report.plan_hash {
        let _ = writeln!(
            lines,
            "next: `bindery-agent drift --allow {hash}` heals it, and so does a commit with the trailer `Bindery-Allow: {hash}`"
        );
    }
    let reported = report.stores.values().filter(|store| store.outcome == DriftOutcome::Reported);
    let (healable, told): (Vec<_>, Vec<_>) = reported.partition(|store| store.policy == DriftPolicy::Heal);
    if healable.iter().any(|store| store.reason.is_none()) {
        let _ = writeln!(lines, "next: `bindery-agent drift` heals what may be healed");
    }
    if !told.is_empty() {
        let _ = writeln!(lines, "next: commit what is right, or set the store to \"heal\" in the agent's [drift]");
    }
    lines
}

/// A difference on one line.
pub(super) fn line(difference: &Difference) -> String {
    let Difference { store, object, field, direction, stored, wanted } = difference;
    let field = field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
    match direction {
        DriftDirection::Missing if wanted.is_null() => {
            format!("- {store} {object}{field}: git has it, the store has not")
        }
        DriftDirection::Missing => format!("- {store} {object}{field}: the store lacks {wanted}"),
        DriftDirection::Unknown => format!("+ {store} {object}{field}: the store has it, git does not know it"),
        DriftDirection::Differs if stored.is_null() && wanted.is_null() => format!("~ {store} {object}{field} differs"),
        DriftDirection::Differs => format!("~ {store} {object}{field}: the store says {stored}, git says {wanted}"),
    }
}
