//! `bindery-agent create`, `update` and `delete`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Kind, Of, Output, Printed, body, show};
use crate::cli::admin::{Admin, Change};

/// What every change has.
#[derive(Debug, Args)]
pub(super) struct Asked {
    #[command(flatten)]
    admin: Admin,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Names this change, so that sending it again does not make it twice; one is made up for each run otherwise
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    printed: Printed,
}

/// Arguments of `create`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent create operator -f af-roshan-2.yaml --dry-run
  pass carriers/roshan | bindery-agent create operator -f af-roshan-2.yaml --password-stdin
  echo '{\"prefix\": \"+9379\", \"priority\": 10}' | bindery-agent create rule --operator af-roshan-1 -f -
  bindery-agent create changeset -f changes.json")]
pub struct Create {
    #[command(flatten)]
    asked: Asked,
    /// What
    #[arg(value_enum)]
    kind: Kind,
    #[command(flatten)]
    of: Of,
    /// The object as YAML or JSON; `-` for standard input. A file of the repository will do for operators and carriers
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Read an operator's password from standard input; it is never an argument
    #[arg(long)]
    password_stdin: bool,
}

/// Arguments of `update`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  echo 'spec: {tps: {outbound: 50}}' | bindery-agent update operator af-roshan-1 -f -
  pass carriers/roshan | bindery-agent update operator af-roshan-1 --password-stdin
  echo 'priority: 20' | bindery-agent update rule 9379 --operator af-roshan-1 -f - --dry-run")]
pub struct Update {
    #[command(flatten)]
    asked: Asked,
    /// What
    #[arg(value_enum)]
    kind: Kind,
    /// Which
    id: String,
    #[command(flatten)]
    of: Of,
    /// What changes, as YAML or JSON; null takes a field out. `-` for standard input
    #[arg(short, long, value_name = "FILE", required_unless_present = "password_stdin")]
    file: Option<PathBuf>,
    /// Read an operator's new password from standard input; it is never an argument
    #[arg(long)]
    password_stdin: bool,
    /// Only where the object still has this entity tag; --json shows it as `etag`
    #[arg(long, value_name = "TAG")]
    if_match: Option<String>,
}

/// Arguments of `delete`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent delete rule 9379 --operator af-roshan-1
  bindery-agent delete operator af-roshan-2 --dry-run")]
pub struct Delete {
    #[command(flatten)]
    asked: Asked,
    /// What
    #[arg(value_enum)]
    kind: Kind,
    /// Which
    id: String,
    #[command(flatten)]
    of: Of,
    /// Only where the object still has this entity tag
    #[arg(long, value_name = "TAG")]
    if_match: Option<String>,
}

impl Create {
    /// Creates an object.
    pub async fn run(self) -> anyhow::Result<()> {
        let path = self.kind.path(&self.of, None)?;
        let body = with_password(self.kind, Some(&self.file), self.password_stdin)?;
        self.asked.make(Method::POST, &path, Some(body), None, "created", self.kind, None).await
    }
}

impl Update {
    /// Changes an object.
    pub async fn run(self) -> anyhow::Result<()> {
        self.kind.is_changed()?;
        let path = self.kind.path(&self.of, Some(&self.id))?;
        let mut body = with_password(self.kind, self.file.as_ref(), self.password_stdin)?;
        // The id of a file of the repository says which, and is no change.
        if matches!(self.kind, Kind::Operator | Kind::Mno)
            && let Some(id) = body.as_object_mut().and_then(|body| body.remove("id"))
            && id != *self.id
        {
            bail!("the file is about {id}, not about {}", self.id);
        }
        let asked = self.asked;
        asked.make(Method::PATCH, &path, Some(body), self.if_match, "updated", self.kind, Some(&self.id)).await
    }
}

impl Delete {
    /// Takes an object out.
    pub async fn run(self) -> anyhow::Result<()> {
        self.kind.is_changed()?;
        let path = self.kind.path(&self.of, Some(&self.id))?;
        let asked = self.asked;
        asked.make(Method::DELETE, &path, None, self.if_match, "deleted", self.kind, Some(&self.id)).await
    }
}

impl Kind {
    fn is_changed(self) -> anyhow::Result<()> {
        if self == Self::Changeset {
            bail!("a changeset is a commit: `bindery-agent rollback` takes one back");
        }
        Ok(())
    }
}

fn with_password(kind: Kind, file: Option<&PathBuf>, password: bool) -> anyhow::Result<Value> {
    if password && kind != Kind::Operator {
        bail!("only an operator has a password");
    }
    if password && file.is_some_and(|file| file.as_os_str() == "-") {
        bail!("standard input cannot be both the file and the password");
    }
    let mut body = file.map_or_else(|| Ok(json!({})), |file| body::read(kind, file))?;
    if !body.is_object() {
        bail!("the file has to be an object of names and values");
    }
    if password {
        body["password"] = json!(*body::password()?);
    }
    Ok(body)
}

impl Asked {
    #[expect(clippy::too_many_arguments, reason = "what three commands differ in")]
    async fn make(
        self,
        method: Method,
        path: &str,
        body: Option<Value>,
        if_match: Option<String>,
        done: &str,
        kind: Kind,
        id: Option<&str>,
    ) -> anyhow::Result<()> {
        let key = self.idempotency_key.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        let change = Change { method, path, body, if_match, dry_run: self.dry_run, key };
        let (status, tag, mut answer) = self.admin.change(&change).await?;
        let mut out = anstream::stdout().lock();
        let form = self.printed.form();
        if !self.dry_run
            && let (Some(answer), Some(tag)) = (answer.as_object_mut(), tag)
        {
            answer.insert("etag".to_owned(), tag.into());
        }
        let text = match form {
            Output::Json | Output::Yaml if answer.is_null() => String::new(),
            Output::Json => format!("{answer:#}\n"),
            Output::Yaml => show::yaml(&answer)?,
            Output::Table if self.dry_run => show::plan(&answer),
            Output::Table if status == StatusCode::ACCEPTED => {
                let commit = answer["commit"].as_str().unwrap_or_default();
                format!("on its way with commit {commit}: `bindery-agent status` shows when it is applied\n")
            }
            Output::Table if kind == Kind::Changeset => format!(
                "made {} changes with commit {}\n",
                answer["objects"].as_array().map_or(0, Vec::len),
                answer["commit"]
            )
            .replace('"', ""),
            Output::Table => {
                let id = answer["id"].as_str().or(id).unwrap_or_default();
                format!("{done} {} {id}\n", kind.name())
            }
        };
        Ok(out.write_all(text.as_bytes())?)
    }
}
