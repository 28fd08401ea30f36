//! Takes back what was written for a transaction that did not come.

use std::collections::BTreeSet;

use bindery_schema::value::OperatorId;

use super::Error;
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::store::Stores;
use crate::store::postgres::{intents, retention};
use crate::store::vault::{self, Stored, Vault};

/// Takes back every write whose transaction was not committed, except those `again` writes anew. The fence is held
/// meanwhile: what a newer leader has just written is not to be taken back.
#[tracing::instrument(name = "sync.vault.undo", skip_all, err(level = "debug"))]
pub async fn undo(stores: &Stores, again: &BTreeSet<&str>, fence: Fence) -> Result<(), Error> {
    let stale = |open: Vec<intents::Intent>| -> Vec<intents::Intent> {
        let stale = |intent: &intents::Intent| {
            intent.action == intents::Action::Write && !intent.held && !again.contains(intent.operator.as_str())
        };
        open.into_iter().filter(stale).collect()
    };
    if stale(intents::open(&mut *stores.postgres.acquire().await?).await?).is_empty() {
        return Ok(());
    }
    let mut transaction = stores.postgres.begin().await?;
    fence.hold(&mut transaction).await?;
    let stale = stale(intents::open(&mut transaction).await?);
    failpoint::reach(Point::UndoFenced).await;
    for intent in &stale {
        let before = Before::of(intent, &stores.vault).await?;
        // What is there now was there under the fence: what a newer leader writes is left alone.
        fence.hold(&mut transaction).await?;
        let deleted = before.put_back(&stores.vault).await?;
        failpoint::reach(Point::Undone).await;
        let id = [intent.operator.as_str()];
        intents::clear(&mut transaction, intents::Action::Write, &id).await?;
        if deleted {
            retention::note_deleted(&mut transaction, &id).await?;
        }
        tracing::warn!(operator = %intent.operator, "took back a password whose commit was not applied");
    }
    failpoint::reach(Point::UndoCleared).await;
    Ok(transaction.commit().await?)
}

/// What there was of an operator's password before an intent, read so that it can be put back.
pub(crate) struct Before<'a> {
    operator: &'a OperatorId,
    /// What there is now, and what there was; absent where nothing was written.
    change: Option<(u64, Option<Stored>)>,
}

impl<'a> Before<'a> {
    /// Reads it. Whoever may be too late looks whether that is so after this and before [`Before::put_back`].
    pub(crate) async fn of(intent: &'a intents::Intent, vault: &Vault) -> Result<Self, vault::Error> {
        let operator = &intent.operator;
        let change = match (intent.version, vault.version(operator).await?) {
            (Some(before), Some(now)) if now != before => Some((now, vault.read_version(operator, before).await?)),
            _ => None,
        };
        Ok(Self { operator, change })
    }

    /// Puts it back, as a new version; whether that was nothing, so that what is there was deleted. What was written since
    /// the reading stays.
    pub(crate) async fn put_back(self, vault: &Vault) -> Result<bool, vault::Error> {
        let Some((now, kept)) = self.change else { return Ok(false) };
        let Some(kept) = kept else {
            vault.delete_version(self.operator, Some(now)).await?;
            return Ok(true);
        };
        // An undoing that was cut off after this write has left it: again it would only push an older version out.
        let newest = vault.read_credentials(self.operator).await?;
        if !newest.is_some_and(|newest| newest.is(&kept.system_id, &kept.password)) {
            vault.write_credentials(self.operator, &kept.system_id, &kept.password, Some(now)).await?;
        }
        Ok(false)
    }
}
