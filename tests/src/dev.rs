//! `bindery-agent dev` on this repository's own configuration, used by nothing but its addresses.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bindery_agent::dev::KeyPairFiles;
use bindery_schema::wire::api::{SyncPhase, SyncStatus};
use reqwest::Client;

use crate::listeners;
use crate::outside::{Addresses, Outside};
use crate::program::{self, Program, bindery, get, git};
use crate::stack::{self, scratch, workspace};
use crate::world::eventually;

/// A running `bindery-agent dev`.
#[derive(Debug)]
pub struct Dev {
    /// The process.
    pub program: Program,
    /// The file `env` of the data folder.
    pub env: BTreeMap<String, String>,
    /// The stores it started.
    pub outside: Outside,
    /// Where it keeps its data.
    pub data_dir: PathBuf,
    dir: PathBuf,
}

impl Dev {
    /// Clones this repository, starts `dev` in the clone and waits until it serves. `name` is the test's own.
    pub async fn start(name: &str) -> Self {
        let dir = scratch(name);
        let data_dir = dir.join("data");
        stack::remove(&data_dir).await;
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        git(&["clone", "--quiet", workspace().to_str().unwrap(), "seed"], &dir);
        let (seed, data) = (dir.join("seed"), data_dir.to_str().unwrap());
        let arguments = ["dev", "--repo", seed.to_str().unwrap(), "--data-dir", data];
        let mut program = Program::start("bindery-agent", &arguments, &dir);
        program.line(|line| line.starts_with("Ctrl-C ends it").then_some(())).await;
        let text = fs::read_to_string(data_dir.join("env")).unwrap();
        let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
        let env: BTreeMap<_, _> = text.lines().map(pair).collect();
        let outside = Outside::connect(Addresses {
            database_url: env["DATABASE_URL"].clone(),
            nats_url: env["NATS_URL"].clone(),
            redis_url: env["REDIS_URL"].clone(),
            vault_addr: env["VAULT_ADDR"].clone(),
            vault_token: env["VAULT_TOKEN"].clone(),
            vault_mount: "secret".to_owned(),
            stream: "OPS".to_owned(),
            subject_prefix: String::new(),
            key_prefix: String::new(),
        })
        .await;
        Self { program, env, outside, data_dir, dir }
    }

    /// Clones the repository that plays the forge.
    pub fn check_out(&self) -> WorkingCopy {
        git(&["clone", "--quiet", &self.env["BINDERY_REPO"], "work"], &self.dir);
        WorkingCopy { dir: self.dir.join("work") }
    }

    /// `GET /v1/admin/sync` with the token of the file `env`.
    pub async fn sync(&self) -> SyncStatus {
        let url = format!("{}/v1/admin/sync", self.env["BINDERY_ADMIN_URL"]);
        let answer = Client::new().get(url).bearer_auth(&self.env["BINDERY_ADMIN_TOKEN"]).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Runs a command of `bindery-agent` that asks this one: exit code and what it printed.
    pub fn ask(&self, arguments: &[&str]) -> (i32, String) {
        let output = program::ask(arguments, &self.env["BINDERY_ADMIN_URL"], &self.env["BINDERY_ADMIN_TOKEN"]);
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), text)
    }

    /// Waits until a commit is applied in full.
    pub async fn until_applied(&self, commit: &str) {
        eventually("the commit is applied", async || {
            let status = self.sync().await;
            status.phase == SyncPhase::InSync && status.applied.is_some_and(|applied| applied.commit == commit)
        })
        .await;
    }

    /// Waits until no event is owed any more.
    pub async fn until_published(&self) {
        let owed = "select count(*) from ops.outbox where published_at is null";
        eventually("all is published", async || self.outside.count(owed).await == 0).await;
    }

    /// Status and text of an answer of the ops listener.
    pub async fn ops(&self, path: &str) -> (u16, String) {
        get(&format!("{}{path}", self.env["BINDERY_OPS_URL"])).await
    }

    /// A client of the internal listener: with the certificate that `kind` of the file `env` names, or without one.
    pub fn client(&self, kind: Option<&str>) -> Client {
        let file = |key: String| PathBuf::from(&self.env[&key]);
        let identity = kind.map(|kind| KeyPairFiles {
            certificate: file(format!("BINDERY_{kind}_CERT")),
            key: file(format!("BINDERY_{kind}_KEY")),
        });
        listeners::client(Path::new(&self.env["BINDERY_CA"]), identity.as_ref())
    }

    /// Where an operator's credentials are served.
    pub fn credentials_url(&self, operator: &str) -> String {
        format!("{}/v1/internal/operators/{operator}/credentials", self.env["BINDERY_INTERNAL_URL"])
    }
}

/// A clone that somebody edits.
#[derive(Debug)]
pub struct WorkingCopy {
    /// Its folder.
    pub dir: PathBuf,
}

impl WorkingCopy {
    /// Replaces a text that stands in a file once.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.dir.join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {}", path.display());
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// Adds text at the end of a file.
    pub fn append(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        let text = fs::read_to_string(&path).unwrap() + text;
        fs::write(path, text).unwrap();
    }

    /// Runs `bindery` in it: exit code and what it printed.
    pub fn bindery(&self, arguments: &[&str], input: Option<&str>) -> (i32, String) {
        let output = bindery(arguments, &self.dir, input);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    /// Commits all changes and pushes them; returns the commit.
    pub fn push(&self, message: &str) -> String {
        git(&["commit", "--quiet", "--all", "--message", message], &self.dir);
        git(&["push", "--quiet", "origin", "HEAD"], &self.dir);
        git(&["rev-parse", "HEAD"], &self.dir)
    }
}
