//! Entity tags: a hash of what a writer would change, so that others' changes do not invalidate it.

use bindery_schema::catalog::Catalog;
use bindery_schema::value::{MnoId, OperatorId};
use bindery_schema::wire::admin::Operation;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Characters of a tag: 128 bits.
const LENGTH: usize = 32;

/// The tag of an operator, from its carrier and the hash of its spec.
pub fn operator(id: &OperatorId, mno: &MnoId, spec_hash: &str) -> String {
    of(&(id, mno, spec_hash))
}

/// The tag of anything that stands for itself.
pub fn of(resource: &impl Serialize) -> String {
    // Serialising a plain value into memory fails for no value of these types.
    let json = serde_json::to_vec(resource).unwrap_or_default();
    format!("\"{}\"", &hex::encode(Sha256::digest(json))[..LENGTH])
}

/// The tag of what an operation changes, as a catalog has it; none for what is new or not there.
pub(super) fn current(operation: &Operation, catalog: &Catalog) -> Option<String> {
    match operation {
        Operation::UpdateOperator { id, .. } | Operation::DeleteOperator { id } => {
            let known = catalog.operators.get(id)?;
            Some(operator(id, &known.mno, &known.spec_hash.to_string()))
        }
        Operation::UpdateRule { operator, prefix, .. } | Operation::DeleteRule { operator, prefix } => {
            let rules = &catalog.operators.get(operator)?.rules;
            rules.iter().find(|rule| rule.prefix == *prefix).map(of)
        }
        Operation::UpdateMno { id, .. } | Operation::DeleteMno { id } => catalog.mnos.get(id).map(|mno| of(&*mno.spec)),
        Operation::UpdateContract { key, .. } | Operation::DeleteContract { key } => {
            let contracts = &catalog.mnos.get(&key.mno)?.contracts.contracts;
            contracts.iter().find(|contract| key.names(contract)).map(of)
        }
        Operation::UpdateReservation { key, .. } | Operation::DeleteReservation { key } => {
            let reservations = &catalog.mnos.get(&key.mno)?.contracts.reservations;
            reservations.iter().find(|reservation| key.names(reservation)).map(of)
        }
        _ => None,
    }
}
