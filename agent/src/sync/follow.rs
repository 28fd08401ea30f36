//! What an agent shows that does not lead: how far the branch is, and what the leader made of it.

use bindery_schema::wire::api::SyncPhase;
use jiff::Timestamp;
use serde_json::json;

use super::block;
use super::reconcile::Reconciler;
use super::step::Error;
use crate::leader::fence::Fence;
use crate::store::postgres::{control, runs, sync_state};

impl Reconciler {
    /// Looks at the branch, and publishes the step the leader has applied and why it has not applied the tip.
    pub async fn follow(&mut self, fetch: bool) -> Result<(), Error> {
        self.seen = None;
        self.status.leads(false);
        let mut connection = self.shared.stores.postgres.acquire().await?;
        let state = sync_state::read(&mut connection).await?;
        let last = runs::last(&mut connection, true).await?;
        self.status.controlled(&control::read(&mut connection).await?);
        drop(connection);
        let moved = self.status.applied(state.applied());
        let fetched = if fetch || moved { self.fetch().await.map(Some) } else { Ok(None) };
        if let Ok(Some(tip)) = &fetched {
            self.status.fetched(&tip.to_string());
        }
        self.show(last, state.commit.as_deref());
        Ok(fetched.map(drop)?)
    }

    /// Shows what the leader makes of the branch, from what it recorded last.
    fn show(&self, last: Option<runs::Last>, applied: Option<&str>) {
        let wanted = self.status.wanted();
        if wanted.is_some() && wanted.as_deref() == applied {
            self.status.in_sync();
            return;
        }
        match last {
            Some(last) if last.outcome == "rejected" => {
                self.status.blocked(SyncPhase::Rejected, block::rejected(last.commit, &last.detail, last.finished_at));
            }
            Some(last) if last.outcome == "held" => {
                self.status.blocked(SyncPhase::Held, block::held(last.commit, &last.detail, last.finished_at));
            }
            Some(last) if last.outcome == "failed" => {
                self.status.retrying(last.detail["reason"].as_str().unwrap_or_default().to_owned());
            }
            Some(_) if wanted.is_some() && !self.status.is_paused() => self.status.applying(),
            Some(_) => self.status.in_sync(),
            None => {}
        }
    }

    /// Records that a step failed, once for each reason, so that followers and the history can tell.
    pub async fn failed(&self, fence: Fence, begun: Timestamp, reason: &str) -> Result<(), Error> {
        let Some(commit) = self.status.wanted() else { return Ok(()) };
        let mut transaction = self.shared.stores.postgres.begin().await?;
        fence.hold(&mut transaction).await?;
        let last = runs::last(&mut transaction, true).await?;
        let known =
            |last: runs::Last| last.outcome == "failed" && last.commit == commit && last.detail["reason"] == reason;
        if last.is_some_and(known) {
            return Ok(());
        }
        let run = runs::Run {
            commit: &commit,
            previous: None,
            outcome: "failed",
            generation: None,
            started_at: begun.into(),
            detail: json!({ "reason": reason }),
            skipped: &[],
        };
        runs::record(&mut transaction, &run).await?;
        Ok(transaction.commit().await?)
    }
}
