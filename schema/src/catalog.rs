//! A compiled repository: validated, resolved against one environment, ordered.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::contract::TpsContractSpec;
use crate::hash::Digest;
use crate::mno::MnoSpec;
use crate::operator::{OperatorSpec, RenamedFrom};
use crate::policy::PolicySpec;
use crate::rules::RuleList;
use crate::value::{MnoId, OperatorId};

/// What a revision of the repository says, in one environment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    /// Carriers by id.
    pub mnos: BTreeMap<MnoId, Mno>,
    /// Operators by the id they have in the tree.
    pub operators: BTreeMap<OperatorId, Arc<Operator>>,
    /// The policy, defaults where the tree has none.
    pub policy: PolicySpec,
}

/// A carrier with its contracts.
#[derive(Debug, Clone, PartialEq)]
pub struct Mno {
    /// The carrier.
    pub spec: Arc<MnoSpec>,
    /// Hash of `spec`.
    pub spec_hash: Digest,
    /// Its contracts and its reservations, whose bounds are resolved; empty where it has none.
    pub contracts: Arc<TpsContractSpec>,
    /// Hash of `contracts`.
    pub contracts_hash: Digest,
    /// The file that defines the carrier.
    pub source: Arc<str>,
    /// The file that defines its contracts; none where it has none.
    pub contracts_source: Option<Arc<str>>,
}

/// An operator with its rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// The carrier it binds to.
    pub mno: MnoId,
    /// Its former id.
    pub renamed_from: Option<RenamedFrom>,
    /// The spec in the compiled environment, `environments` laid over and gone.
    pub spec: Arc<OperatorSpec>,
    /// Hash of carrier and spec without the sealed password.
    pub spec_hash: Digest,
    /// The rules in prefix order.
    pub rules: RuleList,
    /// Hash of `rules`.
    pub routes_hash: Digest,
    /// Hash of the sealed password.
    pub credentials_hash: Option<Digest>,
    /// The file that defines the operator.
    pub source: Arc<str>,
    /// The file that defines its rules; none where it has none.
    pub routes_source: Option<Arc<str>>,
}

impl Catalog {
    /// How many rules there are in all.
    pub fn rule_count(&self) -> usize {
        self.operators.values().map(|operator| operator.rules.len()).sum()
    }
}
