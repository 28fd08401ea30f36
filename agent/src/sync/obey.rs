//! What people have said, before a step goes on: a pause that is over, a tip that was rolled back, a plan that is no
//! longer held.

use git2::Oid;
use jiff::Timestamp;
use serde_json::json;

use super::block::{self, Reason};
use super::reconcile::Reconciler;
use super::step::{Candidate, Error, Outcome};
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::store::postgres::audit::{self, Cause, Entry, Via};
use crate::store::postgres::{control, sync_state};

impl Reconciler {
    /// Reads the applied step and what people have said, and ends a pause whose time is over.
    pub(super) async fn read_control(&mut self, fence: Fence) -> Result<sync_state::SyncState, Error> {
        let mut connection = self.shared.stores.postgres.acquire().await?;
        let before = sync_state::read(&mut connection).await?;
        let mut control = control::read(&mut connection).await?;
        drop(connection);
        if let Some(pause) = control.ended.take() {
            let mut transaction = self.shared.stores.postgres.begin().await?;
            fence.hold(&mut transaction).await?;
            if control::resume(&mut transaction, true).await? {
                let object = "sync/pause".to_owned();
                let entry = Entry { action: "sync.pause.end".to_owned(), object, detail: json!(pause) };
                audit::append(&mut transaction, Cause::agent(), &[entry]).await?;
            }
            failpoint::reach(Point::PauseEnded).await;
            transaction.commit().await?;
        }
        self.status.controlled(&control);
        self.control = control;
        Ok(before)
    }

    /// Rejects a tip whose tree was rolled back, unless a trailer allows that revision again.
    pub(super) async fn refuse(
        &mut self,
        tip: Oid,
        before: &sync_state::SyncState,
        now: Timestamp,
        fence: Fence,
    ) -> Result<Option<Outcome>, Error> {
        if self.control.refused.is_empty() || before.commit.as_deref() == Some(tip.to_string().as_str()) {
            return Ok(None);
        }
        let tree = self.clone.tree(tip).await?;
        let refused = self.control.refused.iter().find(|(refused, _)| *refused == tree);
        let Some(refused) = refused.map(|(_, refused)| refused.clone()) else { return Ok(None) };
        let history = self.clone.history(before.commit.clone(), tip).await?;
        let Some(trailer) = history.allows(&refused.revision) else {
            let candidate = Candidate { commit: tip, history, before: before.clone(), now };
            return self.block(&candidate, &Reason::Rejected(block::refused(&refused)), None, fence).await.map(Some);
        };
        let mut transaction = self.shared.stores.postgres.begin().await?;
        fence.hold(&mut transaction).await?;
        if control::allow(&mut transaction, &refused.revision).await? {
            let cause =
                Cause { actor: &trailer.author, via: Via::Commit, commit: Some(&trailer.commit), ..Cause::agent() };
            let object = format!("revision/{}", refused.revision);
            let entry = Entry { action: "sync.allow".to_owned(), object, detail: json!({ "refused": refused }) };
            audit::append(&mut transaction, cause, &[entry]).await?;
        }
        failpoint::reach(Point::Allowed).await;
        transaction.commit().await?;
        self.control.refused.retain(|(_, other)| other.revision != refused.revision);
        self.status.controlled(&self.control);
        Ok(None)
    }

    /// The branch says nothing any more that has to be held.
    pub(super) async fn forget_held(&self, fence: Fence) -> Result<(), Error> {
        if !self.control.holds {
            return Ok(());
        }
        let mut transaction = self.shared.stores.postgres.begin().await?;
        fence.hold(&mut transaction).await?;
        control::forget_held(&mut transaction).await?;
        failpoint::reach(Point::HeldForgotten).await;
        Ok(transaction.commit().await?)
    }
}
