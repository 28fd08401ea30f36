//! What the sync is doing, for people and for metrics.

use std::sync::Arc;

use bindery_schema::value::Instant;
use bindery_schema::wire::api::{AppliedCommit, Blocked, SyncPhase, SyncStatus};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// The one writer of the status.
#[derive(Debug)]
pub struct Publisher {
    sender: watch::Sender<SyncStatus>,
    metrics: Arc<Metrics>,
}

impl Publisher {
    /// A status of an agent that has just started.
    pub fn new(metrics: Arc<Metrics>) -> (Self, watch::Receiver<SyncStatus>) {
        let start =
            SyncStatus { phase: SyncPhase::Starting, applied: None, wanted: None, blocked: None, last_fetch_at: None };
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

    /// The stores are found equal to this step.
    pub fn applied(&self, applied: Option<AppliedCommit>) {
        if let Some(applied) = &applied {
            self.metrics.generation.set(applied.generation);
        }
        self.sender.send_if_modified(|status| {
            let changed = status.applied != applied;
            status.applied = applied;
            changed
        });
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
            let changed = status.phase != SyncPhase::InSync || status.blocked.is_some();
            status.phase = SyncPhase::InSync;
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
        let (findings, holds, plan_hash) = (Vec::new(), Vec::new(), None);
        self.blocked(SyncPhase::Retrying, Blocked { commit, reason, findings, holds, plan_hash, since, next_step });
    }

    /// The branch's tip as last fetched.
    pub fn wanted(&self) -> Option<String> {
        self.sender.borrow().wanted.clone()
    }
}
