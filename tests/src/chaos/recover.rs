//! Brings everything back, and waits until the stores are equal to the branch.

use std::time::{Duration, Instant};

use anyhow::Result;
use bindery_schema::wire::api::{SyncPhase, SyncStatus};
use bindery_schema::wire::drift::{DriftOutcome, DriftStatus};
use reqwest::Method;
use serde_json::{Value, json};

use super::edits;
use super::operation::{Server, Who};
use super::{Campaign, Violation};

/// Longest wait for convergence. A call whose agent died is taken up again after a minute, and a lease is given up on
/// after ten seconds; the rest is for slow machines.
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK: Duration = Duration::from_millis(200);

impl Campaign {
    /// Ends every outage and waits for convergence; what never came about otherwise.
    pub(super) async fn converge(&mut self, index: usize) -> Result<Vec<Violation>> {
        self.forge.show()?;
        for server in [Server::Postgres, Server::Nats, Server::Redis, Server::Vault] {
            Box::pin(self.start(server)).await?;
        }
        for who in [Who::A, Who::B] {
            self.fleet.thaw(who);
            self.fleet.start(who).await;
        }
        self.change_whole(index, "Take it out again", edits::mended)?;
        let begun = Instant::now();
        let mut at = "the end of a pause";
        while begun.elapsed() < PATIENCE {
            let resumed = self.tell(Method::DELETE, "/sync/pause", None).await?;
            if !resumed.starts_with("nothing") {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        // A plan may be held, and calls are refused until it is released: both are looked after together.
        let mut is_final = false;
        while begun.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK).await;
            if self.desk.open() > 0 {
                at = "answers to all calls";
                self.release_if_held(index).await?;
                continue;
            }
            if !is_final {
                // Nobody waits for an answer any more. A password that was written ahead of a commit that never came is
                // left alone for an hour: that hour passes now. A commit has the agent look.
                let past = "update ops.secret_intents set held_until = now() where held_until > now()".to_owned();
                if self.watch.execute(past).await.is_none() {
                    at = "an end of the transactions that hold rows";
                    continue;
                }
                self.forge.commit(index, "Nothing new", |_| Ok(Some(Vec::new())))?;
                is_final = true;
            }
            let Some((leader, status)) = self.leader().await else {
                at = "a leader";
                continue;
            };
            if status.phase == SyncPhase::Held {
                at = "the release of a held plan";
                self.release_if_held(index).await?;
                continue;
            }
            let tip = self.forge.tip()?.to_string();
            let is_applied = status.applied.as_ref().is_some_and(|applied| applied.commit == tip);
            if status.phase != SyncPhase::InSync || !is_applied {
                at = "the application of the tip";
                continue;
            }
            if let Some(owed) = self.owed().await {
                at = owed;
                continue;
            }
            if self.has_no_drift(leader).await {
                return Ok(Vec::new());
            }
            at = "stores without drift";
        }
        let open = self.desk.open();
        self.desk.give_up().await;
        let text =
            format!("{at} never came within {} s; {open} calls open; {}", PATIENCE.as_secs(), self.shown().await);
        Ok(vec![Violation::new("convergence", text)])
    }

    async fn release_if_held(&mut self, index: usize) -> Result<()> {
        if self.watch.held().await.is_some() {
            self.release(index).await?;
            // The commit has to be looked at before it is known whether something else is held.
            tokio::time::sleep(LOOK * 3).await;
        }
        Ok(())
    }

    async fn status(&self, who: Who) -> Option<SyncStatus> {
        let (status, body) = self.desk.ask(who, Method::GET, "/sync", None).await.ok()?;
        if status == 200 { serde_json::from_value(body).ok() } else { None }
    }

    async fn leader(&self) -> Option<(Who, SyncStatus)> {
        for who in [Who::A, Who::B] {
            if let Some(status) = self.status(who).await.filter(|status| status.leads) {
                return Some((who, status));
            }
        }
        None
    }

    /// What is still to be done after a step; a text of the database says so.
    async fn owed(&self) -> Option<&'static str> {
        let count = |text: Option<String>| text.is_none_or(|count| count != "0");
        if count(self.watch.text("select count(*)::text from ops.outbox where published_at is null").await) {
            return Some("the publication of all events");
        }
        let intents = "select count(*)::text from ops.secret_intents";
        count(self.watch.text(intents).await).then_some("an end of all intents for Vault")
    }

    /// Has the leader heal, then look once more.
    async fn has_no_drift(&self, leader: Who) -> bool {
        let heal = self.looked(leader, &json!({})).await.is_some();
        let Some(status) = self.looked(leader, &json!({ "dryRun": true })).await.filter(|_| heal) else { return false };
        status.last.is_some_and(|report| {
            report.is_complete() && report.stores.values().all(|store| store.outcome == DriftOutcome::None)
        })
    }

    async fn looked(&self, leader: Who, request: &Value) -> Option<DriftStatus> {
        let (status, body) = self.desk.ask(leader, Method::POST, "/sync/drift", Some(request)).await.ok()?;
        let asked: DriftStatus = serde_json::from_value(body).ok().filter(|_| status == 202)?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE / 8 {
            let (_, body) = self.desk.ask(leader, Method::GET, "/sync/drift", None).await.ok()?;
            let status: DriftStatus = serde_json::from_value(body).ok()?;
            if status.answered >= asked.asked {
                return status.failed.is_none().then_some(status);
            }
            tokio::time::sleep(LOOK).await;
        }
        None
    }

    /// What both agents and the database say, for whoever has to find out.
    async fn shown(&self) -> String {
        let mut text = String::new();
        for who in [Who::A, Who::B] {
            let status = self.status(who).await;
            let status = status.and_then(|status| serde_json::to_string(&status).ok());
            text.push_str(&format!("\n  agent {who:?}: {}", status.unwrap_or_else(|| "no answer".to_owned())));
            let drift = self.desk.ask(who, Method::GET, "/sync/drift", None).await;
            text.push_str(&format!("\n  drift {who:?}: {}", drift.map(|(_, body)| body).unwrap_or_default()));
        }
        let facts = [
            ("events owed", "select count(*)::text from ops.outbox where published_at is null"),
            ("intents", "select string_agg(i::text, '; ') from ops.secret_intents i"),
            ("calls noted", "select count(*)::text from ops.idempotency_keys where status is null"),
            ("lease", "select l::text from ops.leases l"),
            ("locks", "select string_agg(left(query, 80), '; ') from pg_stat_activity where wait_event_type = 'Lock'"),
        ];
        for (name, sql) in facts {
            text.push_str(&format!("\n  {name}: {}", self.watch.text(sql).await.unwrap_or_default()));
        }
        if let Ok(tip) = self.forge.tip() {
            text.push_str(&format!("\n  tip: {tip}"));
        }
        text
    }
}
