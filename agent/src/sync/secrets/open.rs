//! What a plan does in Vault: every password that it writes, opened.

use std::collections::BTreeMap;

use bindery_compiler::seal::{self, Identities};
use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::change::{Action, CredentialsChange};
use bindery_schema::plan::Plan;
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;

use super::Unusable;
use crate::store::postgres::intents;

/// One write into Vault.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) operator: OperatorId,
    pub(super) system_id: String,
    pub(super) content: Content,
}

/// Where the password comes from.
#[derive(Debug)]
pub(super) enum Content {
    /// From git.
    Sealed(Secret),
    /// From Vault: an operator that is renamed, or whose `systemId` changes, keeps its password.
    Kept { from: OperatorId },
    /// From Vault's deleted ones.
    Deleted,
}

impl Write {
    /// What an undoing has to know: the version to go back to.
    pub(super) fn intent(&self, versions: &BTreeMap<OperatorId, Option<u64>>) -> intents::Intent {
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
pub struct Writes(pub(super) Vec<Write>);

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
