//! `bindery-agent get`.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;

use super::{Kind, Of, Output, Printed, show};
use crate::cli::admin::Admin;

/// Arguments of `get`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent get operators --filter country=AF --filter status=ACTIVE
  bindery-agent get operator af-roshan-1 -o yaml
  bindery-agent get rules --operator af-roshan-1 --filter prefix=9379
  bindery-agent get reservations --tenant bank --json | jq '.[].reservedTps'")]
pub struct Get {
    #[command(flatten)]
    admin: Admin,
    /// What
    #[arg(value_enum)]
    kind: Kind,
    /// Which; all where there is none
    id: Option<String>,
    #[command(flatten)]
    of: Of,
    /// Only those like this: operators by mno, country, status, q (a text) and includeDeleted; carriers by country and q; contracts
    /// by mno and direction; rules by prefix; reservations by mno
    #[arg(long = "filter", value_name = "NAME=VALUE", value_parser = filter, conflicts_with = "id")]
    filters: Vec<(String, String)>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    most: usize,
    #[command(flatten)]
    printed: Printed,
}

fn filter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "a filter is NAME=VALUE".to_owned())
}

impl Get {
    /// Prints an object or a list.
    pub async fn run(self) -> anyhow::Result<()> {
        if self.kind == Kind::Changeset {
            bail!("a changeset is a commit: `bindery-agent history` shows what became of it");
        }
        let path = self.kind.path(&self.of, self.id.as_deref())?;
        let found = if let Some(id) = &self.id {
            let found: Option<Value> = self.admin.find(&path, &[]).await?;
            found.with_context(|| format!("there is no {} {id}", self.kind.name()))?
        } else {
            let filters = self.filters.iter().map(|(name, value)| (name.as_str(), value.clone()));
            let filters: Vec<(&str, String)> = filters.collect();
            Value::Array(self.admin.list(&path, &filters, self.most).await?)
        };
        let mut out = anstream::stdout().lock();
        let text = match self.printed.form() {
            Output::Table => show::table(self.kind, &found),
            Output::Json => format!("{found:#}\n"),
            Output::Yaml => show::yaml(&found)?,
        };
        Ok(out.write_all(text.as_bytes())?)
    }
}
