//! By which id the stores know an operator, and by which they shall: until `renamedFrom.effectiveAt` the former one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::live::Live;
use bindery_schema::value::OperatorId;
use jiff::Timestamp;

/// The id an operator has in the stores, and the one it shall have.
pub(super) struct Identity<'a> {
    pub(super) before: &'a OperatorId,
    pub(super) after: &'a OperatorId,
}

impl<'a> Identity<'a> {
    /// What the stores have and what they shall have, where `catalog` is the tree and `live` says which ids are taken.
    pub(super) fn of(
        tree_id: &'a OperatorId,
        operator: &'a Operator,
        catalog: &Catalog,
        live: &Live,
        now: Timestamp,
    ) -> Self {
        let settled = Self { before: tree_id, after: tree_id };
        let Some(renamed) = &operator.renamed_from else { return settled };
        if catalog.operators.contains_key(&renamed.id) {
            return settled;
        }
        let exists = |id: &OperatorId| live.operators.get(id).is_some_and(|operator| !operator.deleted);
        if renamed.effective_at.timestamp() > now {
            // A rename that has happened is not taken back because its time was moved.
            let happened = exists(tree_id) && !exists(&renamed.id);
            return if happened { settled } else { Self { before: &renamed.id, after: &renamed.id } };
        }
        // A tombstone of the new id keeps it taken: that operator comes back and the former one goes.
        if exists(&renamed.id) && !live.operators.contains_key(tree_id) {
            return Self { before: &renamed.id, after: tree_id };
        }
        settled
    }
}

/// The operators of a catalog by the id the stores shall know them by: until a rename is due, the former one.
pub fn in_stores(catalog: &Catalog, live: &Live, now: Timestamp) -> BTreeMap<OperatorId, Arc<Operator>> {
    let settled = |id, operator| Identity::of(id, operator, catalog, live, now).after.clone();
    catalog.operators.iter().map(|(id, operator)| (settled(id, operator), operator.clone())).collect()
}
