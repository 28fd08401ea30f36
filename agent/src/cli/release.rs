//! `bindery-agent release`: lets exactly one held plan be applied.

use std::io::Write as _;

use clap::Args;
use reqwest::Method;

use super::admin::Admin;

/// Arguments of `release`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent status                        shows the held plan and its hash
  bindery-agent release 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae

A commit with the trailer `Bindery-Allow: HASH` does the same. Both are on the audit trail.")]
pub struct Release {
    #[command(flatten)]
    admin: Admin,
    /// The plan's hash, in full
    #[arg(value_name = "PLAN_HASH", value_parser = hash)]
    hash: String,
}

impl Release {
    /// Releases the plan.
    pub async fn run(self) -> anyhow::Result<()> {
        self.admin.tell(Method::POST, &format!("/v1/admin/sync/held/{}/release", self.hash), None).await?;
        Ok(writeln!(anstream::stdout().lock(), "released; it is about to be applied: bindery-agent status --watch")?)
    }
}

fn hash(text: &str) -> Result<String, String> {
    let whole = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if whole { Ok(text.to_ascii_lowercase()) } else { Err("a plan's hash has 64 hexadecimal digits".to_owned()) }
}
