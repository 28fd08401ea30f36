//! `bindery-agent audit`: who changed what.

use std::fmt::Write as _;
use std::io::Write as _;

use bindery_schema::value::Instant;
use bindery_schema::wire::control::AuditEntry;
use bindery_schema::wire::drift::Difference;
use clap::Args;
use jiff::Timestamp;
use serde::Deserialize as _;

use super::admin::Admin;
use super::drift;
use super::status::short;

/// Arguments of `audit`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent audit --since 24h
  bindery-agent audit --object af-roshan-1
  bindery-agent audit --object operator/af-roshan-1 --since 2026-11-01T00:00:00Z --json | jq '.[].detail'

An object is operator/ID, mno/ID, commit/NAME, plan/HASH, revision/NAME or sync/pause; the part behind the slash is
enough.")]
pub struct Audit {
    #[command(flatten)]
    admin: Admin,
    /// Of this object only
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Not before: an instant, or a time ago such as 24h
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<Instant>,
    /// Before: an instant, or a time ago
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<Instant>,
    /// Most rows
    #[arg(long, value_name = "N", default_value_t = 100)]
    last: usize,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

impl Audit {
    /// Prints the rows, newest first.
    pub async fn run(self) -> anyhow::Result<()> {
        let instant = |instant: Option<Instant>| instant.map(|instant| instant.to_string());
        let given = [("object", self.object), ("since", instant(self.since)), ("until", instant(self.until))];
        let query: Vec<_> = given.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let entries: Vec<AuditEntry> = self.admin.list("/v1/admin/audit", &query, self.last).await?;
        let mut out = anstream::stdout().lock();
        if self.json {
            return Ok(writeln!(out, "{:#}", serde_json::to_value(&entries)?)?);
        }
        entries.iter().try_for_each(|entry| out.write_all(text(entry).as_bytes()))?;
        Ok(())
    }
}

/// A row on one line, and a line for each field or healed difference below it.
fn text(entry: &AuditEntry) -> String {
    let AuditEntry { at, actor, action, object, commit, .. } = entry;
    let mut text = format!("{at}  {action}  {object}  by {actor}");
    match commit {
        Some(commit) => drop(writeln!(text, "  ({} {})", entry.via, short(commit))),
        None => drop(writeln!(text, "  ({})", entry.via)),
    }
    for field in entry.detail["fields"].as_array().into_iter().flatten() {
        let path = field["path"].as_str().unwrap_or_default();
        let _ = writeln!(text, "    {path}: {} -> {}", field["before"], field["after"]);
    }
    for difference in entry.detail["differences"].as_array().into_iter().flatten() {
        if let Ok(difference) = Difference::deserialize(difference) {
            let _ = writeln!(text, "    {}", drift::line(&difference));
        }
    }
    text
}

/// An instant, or so long ago.
fn when(text: &str) -> Result<Instant, String> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let ago = super::token::duration(text);
    let ago = ago.map_err(|_| "an instant such as 2026-12-01T22:00:00Z, or a time ago such as 24h".to_owned())?;
    Ok((Timestamp::now() - ago).into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_shows_before_and_after() {
        let entry = AuditEntry {
            id: 1,
            at: Timestamp::UNIX_EPOCH.into(),
            actor: "Ada <ada@example.org>".to_owned(),
            committer: None,
            via: "commit".to_owned(),
            action: "operator.update".to_owned(),
            object: "operator/one".to_owned(),
            detail: json!({ "fields": [{ "path": "smpp.port", "before": 2775, "after": 2776 }] }),
            commit: Some("0123456789abcdef".to_owned()),
            generation: Some(2),
            plan_hash: None,
        };
        let mut healed = AuditEntry { action: "drift.heal".to_owned(), ..entry.clone() };
        healed.detail = json!({ "differences": [
            { "store": "postgres", "object": "operator/one", "field": "port", "direction": "differs", "stored": 1, "wanted": 2 },
        ] });
        assert!(
            text(&healed).ends_with("\n    ~ postgres operator/one port: the store says 1, git says 2\n"),
            "{}",
            text(&healed)
        );
        let head =
            "1970-01-01T00:00:00.000Z  operator.update  operator/one  by Ada <ada@example.org>  (commit 0123456789)";
        assert_eq!(text(&entry), format!("{head}\n    smpp.port: 2775 -> 2776\n"));
        assert!(when("24h").unwrap().timestamp() < Timestamp::now());
        assert!(when("yesterday").is_err());
    }
}
