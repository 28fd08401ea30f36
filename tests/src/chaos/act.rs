//! Carries operations out. Each says what it did; one that finds nothing to do says that it was `nothing`, and why.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::Campaign;
use super::edits::{self, Place};
use super::forge::{Changes, Files};
use super::operation::{Call, Damage, Edit, Numbered, Operation, Page, Server, Who};
use super::writes::Request;
use crate::listeners::client;

/// Longest wait for stores to become equal to the branch before the campaign goes on.
const SETTLES: Duration = Duration::from_secs(6);
/// Longest wait for the lease of a frozen agent to pass to the other one.
const PASSES: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

impl Campaign {
    /// Does what an operation says.
    pub(super) async fn carry_out(&mut self, index: usize, operation: &Operation) -> Result<String> {
        match operation {
            Operation::Commit(list) => self.commit_all(index, list),
            Operation::Break => self.change_whole(index, "Add an operator that nobody understands", edits::broken),
            Operation::Mend => self.change_whole(index, "Take it out again", edits::mended),
            Operation::MassDelete(pick) => self.decimate(index, *pick),
            Operation::Release => self.release(index).await,
            Operation::Write(calls) => self.write(index, calls),
            Operation::Read(who, page) => self.read(*who, *page).await,
            Operation::Credentials(who, pick) => self.credentials(*who, *pick).await,
            Operation::Crash(who) => Ok(did(self.fleet.kill(*who)?, "it did not run")),
            Operation::Revive(who) => Ok(did(self.fleet.start(*who).await, "it runs")),
            Operation::Freeze(who) => Ok(did(self.fleet.freeze(*who), "it does not run")),
            Operation::Thaw(who, until_passed) => self.thaw(*who, *until_passed).await,
            Operation::Kill(server) => self.kill(*server).await,
            Operation::Start(server) => self.start(*server).await,
            Operation::Seal => Ok(did(self.world.stack.vault.seal().await.is_ok(), "Vault is away")),
            Operation::Unseal => Ok(did(self.world.stack.vault.unseal().await.is_ok(), "Vault is away")),
            Operation::Flush => self.redis(&["FLUSHALL"]).await,
            Operation::Damage(damage) => self.damage(*damage).await,
            Operation::Pause => {
                let body = json!({ "reason": "a campaign", "seconds": 3_600 });
                self.tell(Method::POST, "/sync/pause", Some(&body)).await
            }
            Operation::Resume => self.tell(Method::DELETE, "/sync/pause", None).await,
            Operation::Hide => Ok(did(self.forge.hide()?, "it is away")),
            Operation::Show => Ok(did(self.forge.show()?, "it is there")),
            Operation::Settle => self.settle(index).await,
            Operation::Check => {
                let found = self.converge(index).await?;
                let found = if found.is_empty() { self.check().await? } else { found };
                let count = found.len();
                self.violate(index, found)?;
                Ok(format!("{count} violations"))
            }
        }
    }

    fn commit_all(&mut self, index: usize, list: &[Numbered<Edit>]) -> Result<String> {
        let mut made = Vec::new();
        for edit in list {
            let (passwords, graves) = (self.passwords.clone(), self.forge.graves.clone());
            let before = self.files()?;
            let message = format!("{:?} {}", edit.what, edit.number);
            let commit =
                self.forge.commit(index, &message, |files| edits::changes(*edit, files, &graves, &passwords))?;
            if commit.is_some() && edit.what == Edit::Delete {
                self.bury(&before)?;
            }
            made.extend(commit.map(|commit| commit.to_string()));
        }
        Ok(if made.is_empty() { "nothing to change, or the repository is away".to_owned() } else { made.join(" ") })
    }

    /// Remembers the operators that were there and are not any more.
    fn bury(&mut self, before: &Files) -> Result<()> {
        let after = edits::operators(&self.files()?);
        for place in edits::operators(before).into_iter().filter(|place| !after.contains(place)) {
            self.forge.graves.insert(place.id.clone(), place.files(before));
        }
        Ok(())
    }

    pub(super) fn change_whole(
        &mut self,
        index: usize,
        message: &str,
        change: fn(&Files) -> Option<Changes>,
    ) -> Result<String> {
        let commit = self.forge.commit(index, message, |files| Ok(change(files)))?;
        Ok(commit.map_or_else(|| "nothing to change, or the repository is away".to_owned(), |id| id.to_string()))
    }

    fn decimate(&mut self, index: usize, pick: u32) -> Result<String> {
        let before = self.files()?;
        let commit = self.forge.commit(index, "Delete two fifths", |files| {
            let gone = edits::decimated(files, pick);
            Ok(gone.map(|gone| {
                gone.iter().flat_map(|place| place.files(files).into_keys()).map(|path| (path, None)).collect()
            }))
        })?;
        self.bury(&before)?;
        Ok(commit.map_or_else(|| "nothing to delete, or the repository is away".to_owned(), |id| id.to_string()))
    }

    /// Releases what is held by a commit's trailer.
    pub(super) async fn release(&mut self, index: usize) -> Result<String> {
        let Some(hash) = self.watch.held().await else { return Ok("nothing is held".to_owned()) };
        let message = format!("Go on\n\nBindery-Allow: {hash}\n");
        let commit = self.forge.commit(index, &message, |_| Ok(Some(Vec::new())))?;
        Ok(commit.map_or_else(|| "nothing: the repository is away".to_owned(), |id| format!("{id} releases {hash}")))
    }

    fn write(&mut self, index: usize, calls: &[Numbered<Call>]) -> Result<String> {
        let files = self.files()?;
        let mut sent = Vec::new();
        for call in calls {
            let count = edits::operators(&files).len();
            let many = call.what == Call::Create && count >= edits::MOST;
            let few = call.what == Call::Delete && count <= edits::FEWEST;
            let place = edits::one(&files, call.pick);
            if let Some(place) = place.as_ref().filter(|_| call.what == Call::Delete && !few) {
                self.forge.graves.insert(place.id.clone(), place.files(&files));
            }
            let Some(request) = Request::of(*call, place.as_ref(), &self.passwords.canary).filter(|_| !many && !few)
            else {
                continue;
            };
            let key = format!("{}-{}", self.seed, call.number);
            let first = if call.number % 2 == 0 { Who::A } else { Who::B };
            if self.desk.send(index, &key, request, first) {
                sent.push(format!("{:?} {}", call.what, place.map(|place| place.id).unwrap_or_default()));
            }
        }
        Ok(if sent.is_empty() {
            "nothing: nothing to ask for, or too much is asked already".to_owned()
        } else {
            sent.join(", ")
        })
    }

    async fn read(&self, who: Who, page: Numbered<Page>) -> Result<String> {
        let path = match page.what {
            Page::Operators => "/operators?limit=100".to_owned(),
            Page::Rules => {
                let place = edits::one(&self.files()?, page.pick);
                format!("/operators/{}/routing-rules", place.map_or_else(|| "none".to_owned(), |place| place.id))
            }
            Page::Status => "/sync".to_owned(),
            Page::Runs => "/sync/runs?limit=50".to_owned(),
            Page::Audit => "/audit?limit=100".to_owned(),
            Page::Metrics => return Ok(answered(self.ops(who, "/metrics").await)),
            Page::Ready => return Ok(answered(self.ops(who, "/health/ready").await)),
        };
        Ok(answered(self.desk.ask(who, Method::GET, &path, None).await.map(|(status, _)| status)))
    }

    async fn ops(&self, who: Who, path: &str) -> Result<u16> {
        let address = self.fleet.addresses.of(who).context("it does not run")?;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build()?;
        let answer = http.get(format!("{}{path}", address.ops)).send().await?;
        let status = answer.status().as_u16();
        self.desk.hear(path, &answer.text().await?);
        Ok(status)
    }

    /// Reads a password. Only whose it is is looked at: which one is right changes from moment to moment.
    async fn credentials(&mut self, who: Who, pick: u32) -> Result<String> {
        let Some(address) = self.fleet.addresses.of(who) else { return Ok("nothing: it does not run".to_owned()) };
        let Some(place) = edits::one(&self.files()?, pick) else { return Ok("nothing to ask for".to_owned()) };
        let pki = &self.world.stack.pki;
        let url = format!("{}/v1/internal/operators/{}/credentials", address.internal, place.id);
        let request = client(&pki.ca, Some(&pki.smpp_connector)).get(url).timeout(Duration::from_secs(3));
        let Ok(answer) = request.send().await else { return Ok("nothing: no answer".to_owned()) };
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_default();
        ensure!(status != 200 || body["operatorId"] == place.id.as_str(), "the answer for {} is another's", place.id);
        Ok(status.to_string())
    }

    async fn thaw(&mut self, who: Who, until_passed: bool) -> Result<String> {
        let other = if who == Who::A { Who::B } else { Who::A };
        if until_passed && self.fleet.is_up(other) {
            let (begun, wanted) = (Instant::now(), self.fleet.holder(other));
            while begun.elapsed() < PASSES && self.watch.leader().await != wanted {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(did(self.fleet.thaw(who), "it is not frozen"))
    }

    async fn kill(&mut self, server: Server) -> Result<String> {
        let stack = &self.world.stack;
        match server {
            Server::Postgres => stack.postgres.kill().await,
            Server::Nats => stack.nats.kill().await,
            Server::Redis => stack.redis.kill().await,
            Server::Vault => stack.vault.kill().await,
        }
        Ok("killed".to_owned())
    }

    pub(super) async fn start(&mut self, server: Server) -> Result<String> {
        let stack = &self.world.stack;
        match server {
            Server::Postgres => stack.postgres.start().await?,
            Server::Nats => stack.nats.start().await?,
            Server::Redis => stack.redis.start().await?,
            Server::Vault => stack.vault.start().await?,
        }
        Ok("started".to_owned())
    }

    /// One command to Redis, as somebody with its password.
    async fn redis(&mut self, command: &[&str]) -> Result<String> {
        let at = redis::Client::open(self.world.stack.redis.url())?;
        let run = async {
            let mut connection = at.get_multiplexed_async_connection().await?;
            redis::cmd(command[0]).arg(&command[1..]).query_async::<redis::Value>(&mut connection).await
        };
        let ran = tokio::time::timeout(Duration::from_secs(2), run).await;
        Ok(did(matches!(ran, Ok(Ok(_))), "Redis is away"))
    }

    async fn damage(&mut self, damage: Numbered<Damage>) -> Result<String> {
        let Some(Place { id, .. }) = edits::one(&self.files()?, damage.pick) else {
            return Ok("nothing there".to_owned());
        };
        let rows = match damage.what {
            Damage::Row => {
                let sql = format!("update ops.operators set tps_outbound = {} where id = '{id}'", damage.number);
                self.watch.execute(sql).await
            }
            Damage::Rules => {
                self.watch.execute(format!("delete from ops.routing_rules where operator_id = '{id}'")).await
            }
            Damage::Projection => {
                let key = format!("{}ops:operator:{id}", self.world.config.redis.key_prefix);
                return self.redis(&["SET", &key, "{\"id\":\"somebody else\"}"]).await;
            }
            Damage::Secret => {
                let config = &self.world.config.vault;
                let url = format!("{}/v1/{}/data/ops/operators/{id}/credentials", config.addr, config.mount);
                let root = self.world.stack.vault.root_token();
                let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
                let answer = http.delete(url).header("X-Vault-Token", root).send().await;
                return Ok(did(answer.is_ok_and(|answer| answer.status().is_success()), "Vault is away"));
            }
        };
        Ok(rows.map_or_else(|| "nothing: Postgres is away or busy".to_owned(), |rows| format!("{rows} rows of {id}")))
    }

    /// Tells the sync something over whichever agent answers.
    pub(super) async fn tell(&self, method: Method, path: &str, body: Option<&Value>) -> Result<String> {
        let mut said = String::new();
        for who in [Who::A, Who::B] {
            match self.desk.ask(who, method.clone(), path, body).await {
                Ok((status, _)) if status < 300 => return Ok(status.to_string()),
                answer => said = answered(answer.map(|(status, _)| status)),
            }
        }
        Ok(format!("nothing: {said}"))
    }

    /// Waits until the tip is applied, releasing what is held, and no longer than a little: an outage may stand in the way.
    async fn settle(&mut self, index: usize) -> Result<String> {
        let begun = Instant::now();
        while begun.elapsed() < SETTLES {
            let Ok(tip) = self.forge.tip() else { return Ok("nothing: the repository is away".to_owned()) };
            let applied = self.watch.text("select applied_commit from ops.sync_state").await;
            if applied == Some(tip.to_string()) {
                return Ok("settled".to_owned());
            }
            // Outages add up deletions that nobody meant to be many, and while a plan is held every call is refused.
            if self.watch.held().await.is_some() {
                return self.release(index).await;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok("not settled".to_owned())
    }
}

/// No answer is nothing unusual.
fn answered(answer: Result<u16>) -> String {
    answer.map_or_else(|error| format!("nothing: {error}"), |status| status.to_string())
}

fn did(done: bool, why_not: &str) -> String {
    if done { "done".to_owned() } else { format!("nothing: {why_not}") }
}
