//! Writes before the transaction, each under an intent that is durable first.

use std::collections::BTreeSet;
use std::sync::Arc;

use bindery_schema::plan::Plan;
use bindery_schema::value::OperatorId;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::open::{Content, Write, Writes};
use super::{Error, PARALLEL, versions};
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::store::Stores;
use crate::store::postgres::intents;
use crate::store::vault::{self, Vault};

/// Where git notes that a password was changed outside of it.
const ROTATED_AT: &str = "credentials.rotatedAt";

/// Notes the intents and writes. When this fails, the intents stay.
#[tracing::instrument(name = "sync.vault.write", skip_all, err(level = "debug"), fields(bindery.operators = writes.0.len()))]
pub async fn write(stores: &Stores, writes: &Writes, commit: &str, fence: Fence) -> Result<(), Error> {
    if writes.0.is_empty() {
        return Ok(());
    }
    let operators: Vec<OperatorId> = writes.0.iter().map(|write| write.operator.clone()).collect();
    let versions = versions(&stores.vault, &operators).await?;
    failpoint::reach(Point::VersionsRead).await;
    let noted: Vec<intents::Intent> = writes.0.iter().map(|write| write.intent(&versions)).collect();
    let mut transaction = stores.postgres.begin().await?;
    fence.hold(&mut transaction).await?;
    intents::record(&mut transaction, commit, &noted).await?;
    failpoint::reach(Point::IntentsNoted).await;
    transaction.commit().await?;
    failpoint::reach(Point::IntentsCommitted).await;

    let versions = Arc::new(versions);
    let carry_out = |write| {
        let (vault, versions) = (stores.vault.clone(), versions.clone());
        async move { write_one(&vault, write, versions.get(&write.operator).copied().flatten()).await }.boxed()
    };
    stream::iter(writes.0.iter().map(carry_out).collect::<Vec<_>>())
        .buffer_unordered(PARALLEL)
        .try_collect::<()>()
        .await?;
    Ok(())
}

async fn write_one(vault: &Vault, write: &Write, version: Option<u64>) -> Result<(), vault::Error> {
    let Write { operator, system_id, content } = write;
    let kept;
    let password = match content {
        Content::Sealed(password) => password,
        Content::Kept { from } => match vault.read_credentials(from).await? {
            Some(stored) => {
                kept = stored.password;
                &kept
            }
            None => return Ok(()),
        },
        Content::Deleted => return vault.undelete(operator, version).await.map(drop),
    };
    // An attempt that was cut off after this write has left it: again it would only push an older version out.
    let newest = if version == Some(0) { None } else { vault.read_credentials(operator).await? };
    if newest.is_some_and(|newest| newest.is(system_id, password)) {
        return Ok(());
    }
    failpoint::reach(Point::BeforeWrite).await;
    vault.write_credentials(operator, system_id, password, version).await?;
    failpoint::reach(Point::PasswordWritten).await;
    Ok(())
}

/// The operators whose intents a step's transaction clears, because it makes their writes good: its own, and those of
/// the API where git only says that a password was changed.
pub fn written<'a>(writes: &'a Writes, plan: &'a Plan) -> BTreeSet<&'a str> {
    let noted = plan.operators.iter().filter(|change| change.fields.iter().any(|field| field.path == ROTATED_AT));
    let own = writes.0.iter().map(|write| write.operator.as_str());
    own.chain(noted.map(|change| change.id.as_str())).collect()
}
