//! What people ask the admin API to change. Parts of documents are as in YAML; the compiler says what is wrong with them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::patch::Patch;
use crate::contract::{Contract, Direction, Reservation};
use crate::mno::MnoSpec;
use crate::operator::OperatorSpec;
use crate::routes::Rule;
use crate::secret::Secret;
use crate::value::{ContractRef, Day, E164Prefix, MnoId, OperatorId, TenantId, Tps};

/// One change of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Operation {
    /// A new operator.
    CreateOperator(NewOperator),
    /// Other settings or another password of an operator.
    UpdateOperator {
        /// The operator.
        id: OperatorId,
        /// What changes.
        #[serde(flatten)]
        patch: OperatorPatch,
    },
    /// Takes an operator and its rules out.
    DeleteOperator {
        /// The operator.
        id: OperatorId,
    },
    /// A new rule.
    CreateRule {
        /// The operator.
        operator: OperatorId,
        /// As in YAML.
        #[schemars(with = "Rule")]
        rule: Value,
    },
    /// Changes a rule.
    UpdateRule {
        /// The operator.
        operator: OperatorId,
        /// The rule's prefix.
        prefix: E164Prefix,
        /// A merge patch (RFC 7396).
        #[schemars(with = "Patch<Rule>")]
        rule: Value,
    },
    /// Takes a rule out.
    DeleteRule {
        /// The operator.
        operator: OperatorId,
        /// The rule's prefix.
        prefix: E164Prefix,
    },
    /// A new carrier.
    CreateMno(NewMno),
    /// Changes a carrier.
    UpdateMno {
        /// The carrier.
        id: MnoId,
        /// A merge patch (RFC 7396).
        #[schemars(with = "Patch<MnoSpec>")]
        spec: Value,
    },
    /// Takes a carrier and its contracts out.
    DeleteMno {
        /// The carrier.
        id: MnoId,
    },
    /// A new contract.
    CreateContract {
        /// The carrier.
        mno: MnoId,
        /// As in YAML.
        #[schemars(with = "Contract")]
        contract: Value,
    },
    /// Changes a contract.
    UpdateContract {
        /// The contract.
        #[serde(flatten)]
        key: ContractKey,
        /// A merge patch (RFC 7396).
        #[schemars(with = "Patch<Contract>")]
        contract: Value,
    },
    /// Takes a contract out.
    DeleteContract {
        /// The contract.
        #[serde(flatten)]
        key: ContractKey,
    },
    /// A new reservation.
    CreateReservation {
        /// The carrier.
        mno: MnoId,
        /// As in YAML.
        #[schemars(with = "Reservation")]
        reservation: Value,
    },
    /// Changes a reservation.
    UpdateReservation {
        /// The reservation.
        #[serde(flatten)]
        key: ReservationKey,
        /// A merge patch (RFC 7396).
        #[schemars(with = "Patch<Reservation>")]
        reservation: Value,
    },
    /// Takes a reservation out.
    DeleteReservation {
        /// The reservation.
        #[serde(flatten)]
        key: ReservationKey,
    },
}

/// A new operator: the body of `POST /v1/admin/operators`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOperator {
    /// Its id; derived from carrier and name where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<OperatorId>,
    /// Its carrier.
    pub mno: MnoId,
    /// As in YAML.
    #[schemars(with = "OperatorSpec")]
    pub spec: Value,
    /// The SMPP password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

/// What changes of an operator: the body of `PATCH /v1/admin/operators/{id}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorPatch {
    /// Another carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mno: Option<MnoId>,
    /// A merge patch (RFC 7396) of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Patch<OperatorSpec>>")]
    pub spec: Option<Value>,
    /// Another SMPP password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

/// A new carrier: the body of `POST /v1/admin/mnos`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewMno {
    /// Its id; derived from country and name where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MnoId>,
    /// As in YAML.
    #[schemars(with = "MnoSpec")]
    pub spec: Value,
}

/// What changes of a carrier: the body of `PATCH /v1/admin/mnos/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MnoPatch {
    /// A merge patch (RFC 7396).
    #[schemars(with = "Patch<MnoSpec>")]
    pub spec: Value,
}

/// A new contract: the body of `POST /v1/admin/tps-contracts`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewContract {
    /// Its carrier.
    pub mno: MnoId,
    /// As in YAML.
    #[serde(flatten)]
    #[schemars(with = "Contract")]
    pub contract: Value,
}

/// A new reservation: the body of `POST /v1/admin/tenants/{id}/reservations`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewReservation {
    /// Its carrier.
    pub mno: MnoId,
    /// As in YAML; the tenant is the path's.
    #[serde(flatten)]
    #[schemars(with = "WithoutTenant")]
    pub reservation: Value,
}

/// What a reservation says beside its tenant: the form of [`NewReservation`].
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "read for its form alone")]
struct WithoutTenant {
    /// Which way.
    direction: Direction,
    /// Messages a second.
    #[schemars(range(min = 1))]
    reserved_tps: Tps,
    /// First day; the direction's first contract's when absent.
    effective_from: Option<Day>,
    /// First day no longer reserved; as long as contracts last when absent.
    effective_to: Option<Day>,
}

/// Which contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContractKey {
    /// The carrier.
    pub mno: MnoId,
    /// Which way.
    pub direction: Direction,
    /// The contract's reference.
    #[serde(rename = "ref")]
    pub reference: ContractRef,
}

/// Which reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The carrier.
    pub mno: MnoId,
    /// Which way.
    pub direction: Direction,
    /// Its first day.
    pub effective_from: Day,
}

impl ContractKey {
    /// The contract as a path names it: `<mno>:<direction>:<ref>`.
    pub fn id(&self) -> String {
        format!("{}:{}:{}", self.mno, self.direction, self.reference)
    }

    /// The contract an id names.
    pub fn of_id(id: &str) -> Option<Self> {
        let (mno, direction, reference) = parts(id)?;
        Some(Self { mno, direction, reference: reference.parse().ok()? })
    }

    /// Whether one of the carrier's contracts is the one.
    pub fn names(&self, contract: &Contract) -> bool {
        contract.direction == self.direction && contract.reference == self.reference
    }
}

impl ReservationKey {
    /// The reservation as a path below its tenant names it: `<mno>:<direction>:<first day>`.
    pub fn id(&self) -> String {
        format!("{}:{}:{}", self.mno, self.direction, self.effective_from)
    }

    /// The tenant's reservation an id names.
    pub fn of_id(tenant: TenantId, id: &str) -> Option<Self> {
        let (mno, direction, from) = parts(id)?;
        Some(Self { tenant, mno, direction, effective_from: from.parse().ok()? })
    }

    /// Whether one of the carrier's reservations, its first day resolved, is the one.
    pub fn names(&self, reservation: &Reservation) -> bool {
        reservation.tenant == self.tenant
            && reservation.direction == self.direction
            && reservation.effective_from == Some(self.effective_from)
    }
}

/// Carrier, direction and the rest of an id.
fn parts(id: &str) -> Option<(MnoId, Direction, &str)> {
    let (mno, rest) = id.split_once(':')?;
    let (direction, rest) = rest.split_once(':')?;
    let direction = Direction::ALL.into_iter().find(|known| known.as_str() == direction)?;
    Some((mno.parse().ok()?, direction, rest))
}

/// Changes that become one commit: the body of `POST /v1/admin/changesets`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Changeset {
    /// Why: the commit's first line. Made up from the operations where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// In this order.
    pub operations: Vec<Operation>,
}

/// A commit that an API call became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Committed {
    /// The commit; absent where nothing was to change.
    pub commit: Option<String>,
    /// The applied step that holds it; absent while it is still on its way.
    pub generation: Option<i64>,
    /// Ids of the objects, in the order of the operations.
    pub objects: Vec<String>,
}

/// A password on its way in. It is written out for the agent alone, by its own client.
#[derive(Clone)]
pub struct Password(pub Secret);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Password {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

impl JsonSchema for Password {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": "password", "writeOnly": true, "minLength": 1, "maxLength": 64,
            "description": "An SMPP password; most carriers allow 8 octets (SMPP 3.4, 5.2.2). No answer ever holds it."
        })
    }
}

/// A rule as administrators see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminRule {
    /// Its id within the operator: the digits of its prefix.
    pub id: String,
    /// The operator.
    pub operator: OperatorId,
    /// As in YAML.
    #[serde(flatten)]
    pub rule: Rule,
    /// Number of the applied step.
    pub generation: i64,
}

/// A carrier as administrators see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminMno {
    /// The carrier.
    pub id: MnoId,
    /// As in YAML.
    pub spec: MnoSpec,
    /// Number of the applied step.
    pub generation: i64,
}

/// A contract as administrators see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminContract {
    /// `<mno>:<direction>:<ref>`.
    pub id: String,
    /// The carrier.
    pub mno: MnoId,
    /// As in YAML.
    #[serde(flatten)]
    pub contract: Contract,
    /// What is reserved and free of the direction today; absent where the contract is not in force.
    pub pool: Option<Pool>,
    /// The carrier's operators that carry the direction, each with its share.
    pub binds: Vec<BindShare>,
    /// Number of the applied step.
    pub generation: i64,
}

/// The throughput of a carrier in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pool {
    /// What the contract allows.
    pub contracted: Tps,
    /// What tenants reserved.
    pub reserved: Tps,
    /// What is left for everybody.
    pub on_demand_pool: Tps,
}

/// What an operator may send of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindShare {
    /// The operator.
    pub operator: OperatorId,
    /// Messages a second.
    pub tps: Tps,
}

/// A reservation as administrators and its tenant see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminReservation {
    /// `<mno>:<direction>:<first day>`.
    pub id: String,
    /// The carrier.
    pub mno: MnoId,
    /// As in YAML, its first day resolved.
    #[serde(flatten)]
    pub reservation: Reservation,
    /// Number of the applied step.
    pub generation: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_key() {
        let contract = ContractKey::of_id("af-roshan:OUTBOUND:REF:2026/1").unwrap();
        assert_eq!((contract.reference.as_str(), &*contract.id()), ("REF:2026/1", "af-roshan:OUTBOUND:REF:2026/1"));
        let tenant: TenantId = "bank".parse().unwrap();
        let reservation = ReservationKey::of_id(tenant.clone(), "af-roshan:INBOUND:2026-01-01").unwrap();
        assert_eq!((reservation.direction, &*reservation.id()), (Direction::Inbound, "af-roshan:INBOUND:2026-01-01"));
        for bad in ["", "af-roshan", "af-roshan:OUTBOUND", "af-roshan:outbound:A", "AF:OUTBOUND:A", ":OUTBOUND:A"] {
            assert_eq!(ContractKey::of_id(bad), None, "{bad}");
        }
        assert_eq!(ReservationKey::of_id(tenant, "af-roshan:INBOUND:soon"), None);
    }
}
