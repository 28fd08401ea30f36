//! A contract comes with its signed document. Where an object store is configured, the document has to be there.

use std::collections::BTreeSet;

use bindery_schema::catalog::Catalog;
use bindery_schema::value::DocumentUri;

use super::Error;
use crate::shared::Shared;
use crate::store::documents;

/// Refuses contracts whose document is not there. What the tip names already is not asked for again.
pub(super) async fn check(shared: &Shared, before: &Catalog, after: &Catalog) -> Result<(), Error> {
    let Some(store) = &shared.config.documents else { return Ok(()) };
    let known = named_by(before);
    let mut missing = Vec::new();
    for uri in named_by(after).difference(&known) {
        if !documents::exists(store, uri).await? {
            missing.push(uri.clone());
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::NoDocument(missing)) }
}

/// The documents that a catalog's contracts name.
fn named_by(catalog: &Catalog) -> BTreeSet<DocumentUri> {
    let contracts = catalog.mnos.values().flat_map(|mno| &mno.contracts.contracts);
    contracts.map(|contract| contract.document.clone()).collect()
}
