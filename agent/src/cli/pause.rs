//! `bindery-agent pause` and `resume`: stop applying for a while, and go on.

use std::io::Write as _;
use std::time::Duration;

use bindery_schema::wire::control::Pause;
use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::admin::Admin;

const PATH: &str = "/v1/admin/sync/pause";

/// Arguments of `pause`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent pause --for 2h --reason 'carrier maintenance, INC-4711'

Commits are still fetched, compiled and planned, and `status` says what waits. A step under way comes to its end. The
pause outlives a restart and ends by itself; a second one takes the place of the first.")]
pub struct PauseArgs {
    #[command(flatten)]
    admin: Admin,
    /// Why, for whoever finds the sync paused
    #[arg(long)]
    reason: String,
    /// For how long, such as 30m or 2h; a week at most
    #[arg(long = "for", value_name = "DURATION", value_parser = super::token::duration)]
    duration: Duration,
}

impl PauseArgs {
    /// Pauses.
    pub async fn run(self) -> anyhow::Result<()> {
        let body = json!({ "reason": self.reason, "seconds": self.duration.as_secs() });
        let pause: Pause = serde_json::from_value(self.admin.tell(Method::POST, PATH, Some(body)).await?)?;
        let mut out = anstream::stdout().lock();
        Ok(writeln!(out, "paused until {}; to go on before: bindery-agent resume", pause.until)?)
    }
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent resume && bindery-agent status --watch")]
pub struct Resume {
    #[command(flatten)]
    admin: Admin,
}

impl Resume {
    /// Ends the pause.
    pub async fn run(self) -> anyhow::Result<()> {
        self.admin.tell(Method::DELETE, PATH, None).await?;
        Ok(writeln!(anstream::stdout().lock(), "the sync goes on")?)
    }
}
