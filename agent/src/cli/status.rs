//! `bindery-agent status`: what an agent's sync is doing, for people and for scripts.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use bindery_schema::wire::api::{Blocked, SyncPhase, SyncStatus};
use bindery_schema::wire::control::HeldPlan;
use clap::Args;

use super::admin::Admin;

/// Exit code where the branch's tip is not what is applied, because it was rejected, is held, waits or failed.
const BLOCKED: u8 = 3;
/// Time between two looks of `--watch`.
const WATCH: Duration = Duration::from_secs(1);

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  set -a; source .bindery/dev/env; set +a     the addresses of `bindery-agent dev`
  bindery-agent status
  bindery-agent status --watch
  bindery-agent status --json | jq -r .applied.commit

Exit code: 0 in sync or on the way there, 3 the tip is rejected, held, paused or retried, 1 error.")]
pub struct Status {
    #[command(flatten)]
    admin: Admin,
    /// Print the agent's answer as JSON
    #[arg(long)]
    json: bool,
    /// Go on and print each change, until interrupted
    #[arg(long)]
    watch: bool,
}

impl Status {
    /// Prints the status once, or whenever it changes.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut shown = None;
        loop {
            let status: SyncStatus = self.admin.get("/v1/admin/sync", &[]).await?;
            if shown.as_ref() != Some(&status) {
                self.show(&status).await?;
            }
            if !self.watch {
                return Ok(if status.blocked.is_some() { ExitCode::from(BLOCKED) } else { ExitCode::SUCCESS });
            }
            shown = Some(status);
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
                () = tokio::time::sleep(WATCH) => {}
            }
        }
    }

    async fn show(&self, status: &SyncStatus) -> anyhow::Result<()> {
        let text = if self.json {
            let json = serde_json::to_value(status)?;
            // A line a change, where there is more than one.
            if self.watch { format!("{json}\n") } else { format!("{json:#}\n") }
        } else {
            let held: Option<HeldPlan> = match status.phase {
                SyncPhase::Held => self.admin.find("/v1/admin/sync/held", &[]).await?,
                _ => None,
            };
            let plan = held.map(|held| format!("\n{}", held.summary)).unwrap_or_default();
            format!("{}{plan}", text(status))
        };
        let mut out = anstream::stdout().lock();
        if self.watch && !self.json && std::io::stdout().is_terminal() {
            // From the top of an empty screen.
            out.write_all(b"\x1b[2J\x1b[H")?;
        }
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// A status as lines for people.
pub(super) fn text(status: &SyncStatus) -> String {
    let mut lines = String::new();
    let _ = writeln!(lines, "{}", headline(status.phase));
    if !status.leads && status.phase != SyncPhase::Starting {
        lines.push_str("  role     follower: another agent applies\n");
    }
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
    if let Some(pause) = &status.pause {
        let (by, reason, until) = (&pause.by, &pause.reason, pause.until);
        let _ = writeln!(lines, "  paused   until {until} by {by}: {reason}");
    }
    for refused in &status.refused {
        let (revision, by, since) = (short(&refused.revision), &refused.by, refused.since);
        let why = refused.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let _ = writeln!(lines, "  refused  {revision}, rolled back by {by} at {since}{why}");
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
        SyncPhase::Rejected => "rejected: the tip of the branch cannot be applied; the commit before stays applied",
        SyncPhase::Held => "held: a guardrail holds the plan of the tip; the commit before stays applied",
        SyncPhase::Paused => "paused: the branch is looked at and not applied",
        SyncPhase::Retrying => "retrying: a store or the repository failed",
    }
}

fn explain(blocked: &Blocked, lines: &mut String) {
    let _ = writeln!(lines, "  since    {}", blocked.since);
    if let Some(until) = blocked.until {
        let _ = writeln!(lines, "  until    {until}");
    }
    let _ = writeln!(lines, "  reason   {}", blocked.reason);
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
                until: None,
                next_step: "push a commit that compiles".to_owned(),
            }),
            last_fetch_at: Some(at),
            leads: true,
            pause: None,
            refused: Vec::new(),
        };
        let text = text(&status);
        for part in
            ["wanted   0123456789\n", "error BND0201 a.yaml:3:7: no such carrier\n", "next     push a commit that"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
