//! What the stores hold, as far as a plan needs to know.
//!
//! Observation comes in two steps. The first reads one row of hashes an object. Only where a hash differs from the
//! catalog's does the second read the content, so the cost of a sync follows the size of the change.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{Catalog, Mno, Operator};
use crate::contract::TpsContractSpec;
use crate::hash::Digest;
use crate::mno::MnoSpec;
use crate::operator::OperatorSpec;
use crate::rules::RuleList;
use crate::value::{MnoId, OperatorId};

/// The stores' state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// Carriers by id, deleted ones included.
    pub mnos: BTreeMap<MnoId, LiveMno>,
    /// Operators by id, deleted ones included.
    pub operators: BTreeMap<OperatorId, LiveOperator>,
}

/// A carrier's row.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveMno {
    /// Hash of the spec that was applied.
    pub spec_hash: Digest,
    /// Hash of the contracts that were applied.
    pub contracts_hash: Digest,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The content, where it was read.
    pub detail: Option<MnoDetail>,
}

/// A carrier's content.
#[derive(Debug, Clone, PartialEq)]
pub struct MnoDetail {
    /// The carrier.
    pub spec: Arc<MnoSpec>,
    /// Contracts and reservations.
    pub contracts: Arc<TpsContractSpec>,
}

/// An operator's row.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveOperator {
    /// The carrier it belongs to.
    pub mno: MnoId,
    /// Hash of the spec that was applied.
    pub spec_hash: Digest,
    /// Hash of the rules that were applied.
    pub routes_hash: Digest,
    /// Hash of the sealed password that was written to Vault.
    pub credentials_hash: Option<Digest>,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The content, where it was read: of most it is not, and ten thousand rows are carried about.
    pub detail: Option<Box<OperatorDetail>>,
}

/// An operator's content.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorDetail {
    /// The spec without the sealed password.
    pub spec: OperatorSpec,
    /// The rules in prefix order.
    pub rules: RuleList,
}

impl LiveMno {
    /// A carrier as it is stored once it is applied.
    pub fn of(mno: &Mno) -> Self {
        let detail = MnoDetail { spec: mno.spec.clone(), contracts: mno.contracts.clone() };
        let (spec_hash, contracts_hash) = (mno.spec_hash, mno.contracts_hash);
        Self { spec_hash, contracts_hash, deleted: false, detail: Some(detail) }
    }
}

impl LiveOperator {
    /// An operator as it is stored once it is applied.
    pub fn of(operator: &Operator) -> Self {
        let detail = OperatorDetail { spec: operator.spec.without_sealed(), rules: operator.rules.clone() };
        Self { detail: Some(Box::new(detail)), ..Self::outline(operator) }
    }

    /// The same without its content, which a plan that leaves it alone does not need.
    pub fn outline(operator: &Operator) -> Self {
        Self {
            mno: operator.mno.clone(),
            spec_hash: operator.spec_hash,
            routes_hash: operator.routes_hash,
            credentials_hash: operator.credentials_hash,
            deleted: false,
            detail: None,
        }
    }
}

impl Live {
    /// The state the stores have once a catalog is applied in full, with all content at hand.
    pub fn of(catalog: &Catalog) -> Self {
        let mnos = catalog.mnos.iter().map(|(id, mno)| (id.clone(), LiveMno::of(mno)));
        let operators = catalog.operators.iter().map(|(id, operator)| (id.clone(), LiveOperator::of(operator)));
        Self { mnos: mnos.collect(), operators: operators.collect() }
    }

    /// How many operators exist, tombstones left out.
    pub fn operator_count(&self) -> usize {
        self.operators.values().filter(|operator| !operator.deleted).count()
    }
}
