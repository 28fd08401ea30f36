//! `bindery-agent status`: what an agent's sync is doing, for people and for scripts.

use bindery_schema::wire::api::{Blocked, SyncPhase, SyncStatus};
use clap::Args;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use super::admin::Agent;

/// Exit code where the branch's tip is not what is applied, because it was rejected, is held or failed.
const BLOCKED: u8 = 3;

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  set -a; source .bindery/dev/env; set +a     the addresses of `bindery-agent dev`
  bindery-agent status
  bindery-agent status --json | jq -r .applied.commit

Exit code: 0 in sync or on the way there, 3 the tip is rejected, held or retried, 1 error.")]
pub struct Status {
    #[command(flatten)]
    agent: Agent,
    /// Print the agent's answer as JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Prints the status once.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let status: SyncStatus = self.agent.get("/v1/admin/sync").await?;
        let mut out = anstream::stdout().lock();
        if self.json {
            writeln!(out, "{:#}", serde_json::to_value(&status)?)?;
        } else {
            out.write_all(text(&status).as_bytes())?;
        }
        let blocked = matches!(status.phase, SyncPhase::Rejected | SyncPhase::Held | SyncPhase::Retrying);
        Ok(if blocked { ExitCode::from(BLOCKED) } else { ExitCode::SUCCESS })
    }
}

/// A status as lines for people.
pub(super) fn text(status: &SyncStatus) -> String {
    let mut lines = String::new();
    let _ = writeln!(lines, "{}", headline(status.phase));
    if let Some(applied) = &status.applied {
        let (commit, generation) = (short(&applied.commit), applied.generation);
        let _ = writeln!(lines, "  applied  {commit}, generation {generation}, at {}", applied.at);
    }
    let wanted = status.wanted.as_deref();
    if let Some(wanted) = wanted.filter(|wanted| status.applied.as_ref().is_none_or(|done| done.commit != *wanted)) {
        let _ = writeln!(lines, "  wanted   {}", short(wanted));
    }
    match status.last_fetch_at {
        Some(at) => drop(writeln!(lines, "  fetched  {at}")),
        None => lines.push_str("  fetched  not yet\n"),
    }
    if let Some(blocked) = &status.blocked {
        explain(blocked, &mut lines);
    }
    lines
}

fn headline(phase: SyncPhase) -> &'static str {
    match phase {
        SyncPhase::Starting => "starting: nothing was applied since the start",
        SyncPhase::InSync => "in sync: the stores are equal to the branch",
        SyncPhase::Applying => "applying a commit",
        SyncPhase::Rejected => "rejected: the tip of the branch does not compile; the commit before stays applied",
        SyncPhase::Held => "held: a guardrail holds the plan of the tip; the commit before stays applied",
        SyncPhase::Retrying => "retrying: a store or the repository failed",
    }
}

fn explain(blocked: &Blocked, lines: &mut String) {
    let _ = writeln!(lines, "  since    {}\n  reason   {}", blocked.since, blocked.reason);
    for hold in &blocked.holds {
        let _ = writeln!(lines, "    {hold}");
    }
    for finding in &blocked.findings {
        let part = |key: &str| finding[key].as_str().unwrap_or_default();
        let (line, column) = (&finding["line"], &finding["column"]);
        let (severity, code, message, file) = (part("severity"), part("code"), part("message"), part("file"));
        let _ = writeln!(lines, "    {severity} {code} {file}:{line}:{column}: {message}");
    }
    if let Some(hash) = &blocked.plan_hash {
        let _ = writeln!(lines, "  plan     {hash}");
    }
    let _ = writeln!(lines, "  next     {}", blocked.next_step);
}

/// Enough of a commit's name to know it by.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rejected_commit_says_why_and_what_to_do() {
        let at = Timestamp::UNIX_EPOCH.into();
        let status = SyncStatus {
            phase: SyncPhase::Rejected,
            applied: None,
            wanted: Some("0123456789abcdef".to_owned()),
            blocked: Some(Blocked {
                commit: "0123456789abcdef".to_owned(),
                reason: "1 error".to_owned(),
                findings: vec![json!({
                    "severity": "error", "code": "BND0201", "file": "a.yaml", "line": 3, "column": 7, "message": "no such carrier",
                })],
                holds: Vec::new(),
                plan_hash: None,
                since: at,
                next_step: "push a commit that compiles".to_owned(),
            }),
            last_fetch_at: Some(at),
        };
        let text = text(&status);
        for part in
            ["wanted   0123456789\n", "error BND0201 a.yaml:3:7: no such carrier\n", "next     push a commit that"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
