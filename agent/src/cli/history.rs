//! `bindery-agent history`: what became of each commit.

use std::fmt::Write as _;
use std::io::Write as _;

use bindery_schema::wire::control::SyncRun;
use clap::Args;
use serde_json::Value;

use super::admin::Admin;
use super::status::short;

/// Arguments of `history`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent history
  bindery-agent history --last 5 --json | jq '.[].detail.counts'")]
pub struct History {
    #[command(flatten)]
    admin: Admin,
    /// How many runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

impl History {
    /// Prints the runs, newest first.
    pub async fn run(self) -> anyhow::Result<()> {
        let runs: Vec<SyncRun> = self.admin.list("/v1/admin/sync/runs", &[], self.last).await?;
        let mut out = anstream::stdout().lock();
        if self.json {
            return Ok(writeln!(out, "{:#}", serde_json::to_value(&runs)?)?);
        }
        runs.iter().try_for_each(|run| out.write_all(line(run).as_bytes()))?;
        Ok(())
    }
}

/// A run on one line.
fn line(run: &SyncRun) -> String {
    let seconds = std::time::Duration::from_millis(run.millis.unsigned_abs()).as_secs_f64();
    let mut line = format!("{}  {:8}  {}  {seconds:7.2} s", run.finished_at, run.outcome, short(&run.commit));
    if let Some(generation) = run.generation {
        let _ = write!(line, "  step {generation}");
    }
    let what = match run.outcome.as_str() {
        "applied" => changes(&run.detail),
        "held" => run.detail["holds"][0]["message"].as_str().unwrap_or_default().to_owned(),
        _ => run.detail["reason"].as_str().unwrap_or_default().to_owned(),
    };
    let _ = write!(line, "  {what}");
    match run.skipped.as_array().map_or(0, Vec::len) {
        0 => {}
        skipped => drop(write!(line, "; {skipped} commits in between")),
    }
    line.push('\n');
    line
}

/// The counts that are not zero.
fn changes(detail: &Value) -> String {
    let count = |key: &str| detail["counts"][key].as_u64().unwrap_or_default();
    let operators = ["created", "updated", "deleted", "restored", "renamed"];
    let mut parts: Vec<String> =
        operators.into_iter().filter(|key| count(key) > 0).map(|key| format!("{} {key}", count(key))).collect();
    if count("routes") > 0 {
        parts.push(format!("{} rules", count("routes")));
    }
    if let Some(mnos) = detail["mnos"].as_u64().filter(|mnos| *mnos > 0) {
        parts.push(format!("{mnos} carriers"));
    }
    if let Some(healed) = detail["healed"].as_u64() {
        parts.push(format!("{healed} healed"));
    }
    if parts.is_empty() { "no change".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_one_line() {
        let at = Timestamp::UNIX_EPOCH.into();
        let mut run = SyncRun {
            id: 1,
            commit: "0123456789abcdef".to_owned(),
            previous_commit: None,
            outcome: "applied".to_owned(),
            generation: Some(7),
            started_at: at,
            finished_at: at,
            millis: 1_250,
            detail: json!({ "counts": { "created": 2, "updated": 0, "routes": 5 }, "mnos": 1 }),
            skipped: json!(["a"]),
        };
        let applied = "1970-01-01T00:00:00.000Z  applied   0123456789     1.25 s  step 7  2 created, 5 rules, 1 carriers; 1 commits in between\n";
        assert_eq!(line(&run), applied);
        run.detail["healed"] = json!(2);
        assert!(line(&run).contains("1 carriers, 2 healed; "));
        (run.outcome, run.generation, run.skipped) = ("failed".to_owned(), None, json!([]));
        run.detail = json!({ "reason": "Vault does not answer" });
        assert!(line(&run).ends_with("1.25 s  Vault does not answer\n"));
    }
}
