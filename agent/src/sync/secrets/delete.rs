//! Deletions: noted in the step's transaction and carried out after it.

use bindery_schema::change::{Action, CredentialsChange};
use bindery_schema::plan::Plan;
use bindery_schema::value::OperatorId;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{Error, PARALLEL, versions};
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::store::Stores;
use crate::store::postgres::{intents, retention};

/// Deletions between two words to Postgres, which takes a long silence in a transaction for the agent's end.
const ROUND: usize = 8 * PARALLEL;

/// Intents of the deletions a step brings. They are noted in its transaction and carried out after it.
pub fn deletions(plan: &Plan, orphans: &[OperatorId]) -> Vec<intents::Intent> {
    let gone = plan.operators.iter().filter_map(|change| match &change.action {
        Action::Delete => Some(&change.id),
        Action::Rename { old_id } => Some(old_id),
        _ => (change.credentials == CredentialsChange::Delete).then_some(&change.id),
    });
    gone.chain(orphans)
        .map(|id| intents::Intent { operator: id.clone(), action: intents::Action::Delete, version: None, held: false })
        .collect()
}

/// Carries out every deletion that is owed. The fence is held meanwhile, since a newer leader may be bringing the operator
/// back. It can be lost on the way, as when this process is stopped: so it is asked for again once it is known which
/// versions are there. They were there under it, and what was brought back since is a newer one.
#[tracing::instrument(name = "sync.vault.delete", skip_all, err(level = "debug"))]
pub async fn delete(stores: &Stores, fence: Fence) -> Result<(), Error> {
    let owed = |open: Vec<intents::Intent>| -> Vec<OperatorId> {
        let owed = open.into_iter().filter(|intent| intent.action == intents::Action::Delete);
        owed.map(|intent| intent.operator).collect()
    };
    if owed(intents::open(&mut *stores.postgres.acquire().await?).await?).is_empty() {
        return Ok(());
    }
    let mut transaction = stores.postgres.begin().await?;
    fence.hold(&mut transaction).await?;
    let owed = owed(intents::open(&mut transaction).await?);
    failpoint::reach(Point::DeletionFenced).await;
    for some in owed.chunks(ROUND) {
        let versions = versions(&stores.vault, some).await?;
        fence.hold(&mut transaction).await?;
        failpoint::reach(Point::DeletionRead).await;
        let delete = |(id, version): (OperatorId, Option<u64>)| {
            let vault = stores.vault.clone();
            async move {
                vault.delete_version(&id, version).await?;
                failpoint::reach(Point::PasswordDeleted).await;
                Ok::<_, Error>(())
            }
            .boxed()
        };
        let deletions: Vec<_> = versions.into_iter().map(delete).collect();
        stream::iter(deletions).buffer_unordered(PARALLEL).try_collect::<()>().await?;
        let ids: Vec<&str> = some.iter().map(OperatorId::as_str).collect();
        intents::clear(&mut transaction, intents::Action::Delete, &ids).await?;
        retention::note_deleted(&mut transaction, &ids).await?;
    }
    failpoint::reach(Point::DeletionCleared).await;
    Ok(transaction.commit().await?)
}
