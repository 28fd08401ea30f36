//! Passwords: opened from git, written to Vault before the transaction, deleted after it.
//!
//! A durable intent goes before every write, so whoever comes after a crash knows which passwords may be ahead of
//! Postgres. Where the next plan writes the same operator's password again, that finishes it; where it does not, the
//! version from before is put back. With a version 1 engine there is no version to put back: documented as weaker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bindery_compiler::seal::{self, Identities};
use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::change::{Action, CredentialsChange};
use bindery_schema::plan::Plan;
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::store::Stores;
use crate::store::postgres::{self, intents, retention};
use crate::store::vault::{self, Stored, Vault};

/// Requests to Vault at a time: enough to hide the round trip, few enough to leave a small server room.
pub(crate) const PARALLEL: usize = 16;

/// Deletions between two words to Postgres, which takes a long silence in a transaction for the agent's end.
const ROUND: usize = 8 * PARALLEL;

/// Where git notes that a password was changed outside of it.
const ROTATED_AT: &str = "credentials.rotatedAt";

/// Why passwords could not be brought where they belong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`vault::Error`].
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// See [`postgres::Error`].
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error.into())
    }
}

/// A sealed password that cannot be used: the commit is rejected.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

/// One write into Vault.
#[derive(Debug)]
struct Write {
    operator: OperatorId,
    system_id: String,
    content: Content,
}

/// Where the password comes from.
#[derive(Debug)]
enum Content {
    /// From git.
    Sealed(Secret),
    /// From Vault: an operator that is renamed, or whose `systemId` changes, keeps its password.
    Kept { from: OperatorId },
    /// From Vault's deleted ones.
    Deleted,
}

impl Write {
    /// What an undoing has to know: the version to go back to.
    fn intent(&self, versions: &BTreeMap<OperatorId, Option<u64>>) -> intents::Intent {
        let version = versions.get(&self.operator).copied().flatten();
        let version = match self.content {
            // The newest version was deleted: before, there was none that could be read.
            Content::Deleted => version.map(|_| 0),
            Content::Sealed(_) | Content::Kept { .. } => version,
        };
        intents::Intent { operator: self.operator.clone(), action: intents::Action::Write, version, held: false }
    }
}

/// What a plan does in Vault, with every sealed password opened.
#[derive(Debug, Default)]
pub struct Writes(Vec<Write>);

/// Opens every password a plan writes. Blocks for about a tenth of a millisecond each.
pub fn open(plan: &Plan, catalog: &Catalog, identities: Option<&Identities>) -> Result<Writes, Unusable> {
    let mut writes = Vec::new();
    for change in &plan.operators {
        let Some(desired) = &change.desired else { continue };
        let content = match (change.credentials, &change.action) {
            (CredentialsChange::Write, _) => match desired.spec.sealed() {
                Some(_) => Content::Sealed(unseal(&change.id, desired, catalog, identities)?),
                None => continue,
            },
            (_, Action::Restore) => Content::Deleted,
            (_, Action::Rename { old_id }) => Content::Kept { from: old_id.clone() },
            (_, Action::Update) if change.fields.iter().any(|field| field.path == "smpp.systemId") => {
                Content::Kept { from: change.id.clone() }
            }
            _ => continue,
        };
        let system_id = desired.spec.smpp.system_id.to_string();
        writes.push(Write { operator: change.id.clone(), system_id, content });
    }
    Ok(Writes(writes))
}

/// Opens the sealed password of an operator the stores know as `id`.
pub fn unseal(
    id: &OperatorId,
    operator: &Operator,
    catalog: &Catalog,
    identities: Option<&Identities>,
) -> Result<Secret, Unusable> {
    let Some(identities) = identities else {
        return Err(Unusable(format!(
            "the password of `{id}` is sealed, and this agent has no identity to open it: set secrets.identity_file"
        )));
    };
    // Until a rename is due the stores have the former id, while the value may be sealed for either.
    let former = operator.renamed_from.as_ref().map(|renamed| &renamed.id);
    let in_tree = if former == Some(id) { id_in_tree(catalog, id) } else { None };
    let sealed = operator.spec.sealed().unwrap_or_default();
    seal::open(sealed, in_tree.unwrap_or(id), former, identities).map_err(|error| Unusable(error.to_string()))
}

fn id_in_tree<'a>(catalog: &'a Catalog, former: &OperatorId) -> Option<&'a OperatorId> {
    let renamed = catalog
        .operators
        .iter()
        .find(|(_, operator)| operator.renamed_from.as_ref().is_some_and(|renamed| renamed.id == *former));
    renamed.map(|(id, _)| id)
}

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

/// The newest version of each operator's secret, see [`Vault::version`].
async fn versions(vault: &Vault, operators: &[OperatorId]) -> Result<BTreeMap<OperatorId, Option<u64>>, vault::Error> {
    let version = |id: &OperatorId| {
        let (vault, id) = (vault.clone(), id.clone());
        async move { vault.version(&id).await.map(|version| (id, version)) }.boxed()
    };
    let versions: Vec<_> = operators.iter().map(version).collect();
    stream::iter(versions).buffer_unordered(PARALLEL).try_collect().await
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
