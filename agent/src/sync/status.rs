//! What the sync is doing, for people and for metrics.

use std::sync::Arc;

use bindery_schema::value::Instant;
use bindery_schema::wire::api::{AppliedCommit, Blocked, SyncPhase, SyncStatus};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::store::postgres::control::Control;

/// The one writer of the status.
#[derive(Debug)]
pub struct Publisher {
    sender: watch::Sender<SyncStatus>,
    metrics: Arc<Metrics>,
}

impl Publisher {
    /// A status of an agent that has just started.
    pub fn new(metrics: Arc<Metrics>) -> (Self, watch::Receiver<SyncStatus>) {
        let start = SyncStatus {
            phase: SyncPhase::Starting,
            applied: None,
            wanted: None,
            blocked: None,
            last_fetch_at: None,
            leads: false,
            pause: None,
            refused: Vec::new(),
        };
        let (sender, receiver) = watch::channel(start);
        (Self { sender, metrics }, receiver)
    }

    /// The branch was fetched and this is its tip.
    pub fn fetched(&self, tip: &str) {
        let now = Timestamp::now();
        self.metrics.last_fetch.set(now.as_second());
        self.sender.send_modify(|status| {
            status.last_fetch_at = Some(now.into());
            status.wanted = Some(tip.to_owned());
        });
    }

    /// Whether this agent is the one that applies.
    pub fn leads(&self, leads: bool) {
        self.sender.send_if_modified(|status| std::mem::replace(&mut status.leads, leads) != leads);
    }

    /// What people have said.
    pub fn controlled(&self, control: &Control) {
        self.metrics.sync_paused.set(i64::from(control.pause.is_some()));
        let refused = control.revisions();
        self.sender.send_if_modified(|status| {
            let changed = status.pause != control.pause || status.refused != refused;
            status.pause.clone_from(&control.pause);
            status.refused = refused;
            changed
        });
    }

    /// Whether a pause is in force.
    pub fn is_paused(&self) -> bool {
        self.sender.borrow().pause.is_some()
    }

    /// The stores are found equal to this step; whether that is news.
    pub fn applied(&self, applied: Option<AppliedCommit>) -> bool {
        if let Some(applied) = &applied {
            self.metrics.generation.set(applied.generation);
        }
        self.sender.send_if_modified(|status| {
            let changed = status.applied != applied;
            status.applied = applied;
            changed
        })
    }

    /// A commit is being compiled and applied.
    pub fn applying(&self) {
        self.sender.send_modify(|status| status.phase = SyncPhase::Applying);
    }

    /// The stores are equal to the branch.
    pub fn in_sync(&self) {
        self.metrics.commit_rejected.set(0);
        self.metrics.plan_held.set(0);
        self.sender.send_if_modified(|status| {
            // Nothing waits, and nothing that comes would be applied.
            let phase = if status.pause.is_some() { SyncPhase::Paused } else { SyncPhase::InSync };
            let changed = status.phase != phase || status.blocked.is_some();
            status.phase = phase;
            status.blocked = None;
            changed
        });
    }

    /// The tip cannot be applied: it is rejected or held, or something failed and is tried again.
    pub fn blocked(&self, phase: SyncPhase, blocked: Blocked) {
        match phase {
            SyncPhase::Rejected => {
                self.metrics.commit_rejected.set(1);
                self.metrics.plan_held.set(0);
            }
            SyncPhase::Held => {
                self.metrics.commit_rejected.set(0);
                self.metrics.plan_held.set(1);
            }
            _ => {}
        }
        self.sender.send_modify(|status| {
            status.phase = phase;
            status.blocked = Some(blocked);
        });
    }

    /// Something failed on the way; it is tried again by itself.
    pub fn retrying(&self, reason: String) {
        let (commit, since) = {
            let status = self.sender.borrow();
            let since = match (&status.phase, &status.blocked) {
                (SyncPhase::Retrying, Some(blocked)) => blocked.since,
                _ => Instant::from(Timestamp::now()),
            };
            (status.wanted.clone().unwrap_or_default(), since)
        };
        let next_step = "nothing has to be done: it is tried again by itself".to_owned();
        let (findings, holds, plan_hash, until) = (Vec::new(), Vec::new(), None, None);
        let blocked = Blocked { commit, reason, findings, holds, plan_hash, since, until, next_step };
        self.blocked(SyncPhase::Retrying, blocked);
    }

    /// The branch's tip as last fetched.
    pub fn wanted(&self) -> Option<String> {
        self.sender.borrow().wanted.clone()
    }
}
