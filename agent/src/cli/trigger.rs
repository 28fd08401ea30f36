//! `bindery-agent trigger`: a look at the branch now instead of at the next poll.

use std::io::Write as _;

use clap::Args;
use reqwest::Method;

use super::admin::Admin;

/// Arguments of `trigger`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  git push && bindery-agent trigger && bindery-agent status --watch")]
pub struct Trigger {
    #[command(flatten)]
    admin: Admin,
}

impl Trigger {
    /// Asks the agent.
    pub async fn run(self) -> anyhow::Result<()> {
        self.admin.tell(Method::POST, "/v1/admin/sync/trigger", None).await?;
        Ok(writeln!(anstream::stdout().lock(), "the agent looks at the branch")?)
    }
}
