//! `bindery-agent sync --once`: one step on servers of one's own, or only what it would do.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use bindery_compiler::plan::text::human;
use clap::Args;
use serde_json::{Value, json};

use super::status::{self, short};
use crate::config::Config;
use crate::sync::look::Look;
use crate::sync::once;
use crate::sync::step::Outcome;

/// Exit code of a dry run that found changes.
const CHANGES: u8 = 2;
/// Exit code where the tip is not what is applied now.
const BLOCKED: u8 = 3;

/// Arguments of `sync`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent sync --once --dry-run --config agent.toml
  bindery-agent sync --once --config agent.toml

The configuration is that of `bindery-agent run`. A dry run compares the branch with the stores and writes to none of
them; it may be made beside running agents. A step is refused while another agent leads.

Exit code: 0 nothing left to do, 2 a dry run found changes, 3 the tip is rejected, held or waits for a pause, 1 error.")]
pub struct Sync {
    /// Take one step and end; `bindery-agent run` is what goes on
    #[arg(long, required = true)]
    once: bool,
    /// Print the plan against the live stores and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Configuration file of the agent
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Sync {
    /// Takes the step.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(self.config.as_deref()).context("the configuration cannot be used")?;
        if self.dry_run {
            return self.preview(once::preview(config).await?);
        }
        let (outcome, status) = once::step(config).await?;
        let mut out = anstream::stdout().lock();
        if self.json {
            let document = json!({ "outcome": outcome.as_str(), "status": status });
            writeln!(out, "{document:#}")?;
        } else {
            write!(out, "{}", status::text(&status))?;
        }
        let done = matches!(outcome, Outcome::Applied | Outcome::Unchanged);
        Ok(if done { ExitCode::SUCCESS } else { ExitCode::from(BLOCKED) })
    }

    fn preview(&self, look: Look) -> anyhow::Result<ExitCode> {
        let mut out = anstream::stdout().lock();
        match look {
            Look::Broken { candidate, reason, findings } => {
                let commit = candidate.commit.to_string();
                if self.json {
                    let document = json!({ "commit": commit, "reason": reason, "findings": findings });
                    writeln!(out, "{document:#}")?;
                } else {
                    writeln!(out, "{}: {reason}; bindery check shows what to mend", short(&commit))?;
                }
                Ok(ExitCode::from(BLOCKED))
            }
            Look::Planned { candidate, plan, .. } => {
                let commit = candidate.commit.to_string();
                if self.json {
                    let mut document: Value = json!(plan);
                    document["commit"] = json!(commit);
                    document["counts"] = json!(plan.counts());
                    writeln!(out, "{document:#}")?;
                } else {
                    let mut text = String::new();
                    human(&plan, &mut text)?;
                    let applied = candidate.before.commit.as_deref().map_or("nothing", short);
                    write!(out, "{applied} -> {}\n\n{text}", short(&commit))?;
                }
                Ok(if plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CHANGES) })
            }
        }
    }
}
