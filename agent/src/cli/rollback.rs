//! `bindery-agent rollback`: takes a commit back on the branch itself.

use std::io::Write as _;

use bindery_schema::wire::control::RolledBack;
use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::admin::Admin;
use super::status::short;

/// Arguments of `rollback`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent history                       shows which commits were applied
  bindery-agent rollback 4f2a91c --reason 'traffic to +93 drops'
  bindery-agent rollback --allow 4f2a91c

The agent commits a revert on the branch and pushes it unless someone else was faster; it does so only if the result
compiles. Where later commits changed the same places, nothing happens and they are named. From then on a tip with the
tree of that commit is rejected, until it is allowed again here or by a commit with the trailer `Bindery-Allow: COMMIT`.")]
pub struct Rollback {
    #[command(flatten)]
    admin: Admin,
    /// The commit to take back: at least 7 digits of its name
    #[arg(value_name = "REVISION", value_parser = revision)]
    revision: String,
    /// Why; it stands in the commit and in the status
    #[arg(long, conflicts_with = "allow")]
    reason: Option<String>,
    /// Take nothing back, but allow the revision to be applied again
    #[arg(long)]
    allow: bool,
}

impl Rollback {
    /// Rolls back, or allows again.
    pub async fn run(self) -> anyhow::Result<()> {
        let revision = &self.revision;
        if self.allow {
            self.admin.tell(Method::DELETE, &format!("/v1/admin/sync/refused/{revision}"), None).await?;
            return Ok(writeln!(anstream::stdout().lock(), "{} may be applied again", short(revision))?);
        }
        let body = json!({ "revision": revision, "reason": self.reason });
        let answer = self.admin.tell(Method::POST, "/v1/admin/sync/rollback", Some(body)).await?;
        let RolledBack { revision, commit } = serde_json::from_value(answer)?;
        let mut out = anstream::stdout().lock();
        match &commit {
            Some(commit) => writeln!(out, "commit {} takes {} back", short(commit), short(&revision))?,
            None => writeln!(out, "the branch has nothing of {} any more", short(&revision))?,
        }
        Ok(writeln!(out, "it is refused from now on; to allow it again: bindery-agent rollback --allow {revision}")?)
    }
}

fn revision(text: &str) -> Result<String, String> {
    let plain = (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a revision is 7 to 40 digits of a commit's name".to_owned())
    }
}
