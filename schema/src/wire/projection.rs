//! What Redis holds. A cache: everything in it can be derived again.

use serde::{Deserialize, Serialize};

use crate::operator::{Smpp, Status, TpsLimits};
use crate::value::{ContractRef, Instant, MnoId, OperatorId, Tps};

/// `ops:operator:{operatorId}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorProjection {
    /// The operator.
    pub id: OperatorId,
    /// Its carrier.
    pub mno: MnoId,
    /// Whether it takes traffic.
    pub status: Status,
    /// How to bind.
    pub smpp: Smpp,
    /// How fast.
    pub tps: TpsLimits,
    /// The applied step that wrote it.
    pub generation: i64,
}

/// `ops:tps:{mno}:{direction}`: the contract in force now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TpsProjection {
    /// Messages a second the contract allows; 0 without a contract in force.
    pub contracted: Tps,
    /// Of those, reserved by tenants now.
    pub reserved: Tps,
    /// Of those, free for anyone now.
    pub on_demand_pool: Tps,
    /// The contract.
    pub contract_ref: Option<ContractRef>,
    /// When one of these numbers changes next without a commit.
    pub valid_until: Option<Instant>,
}

/// `ops:catalog`: which step the cache shows. Missing means that the cache is to be filled anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogProjection {
    /// The applied commit.
    pub commit: String,
    /// Its step.
    pub generation: i64,
    /// When it was applied.
    pub applied_at: Instant,
}
