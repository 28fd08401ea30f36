//! One difference between what git says and what the stores hold.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::catalog;
use crate::contract::{Contract, Reservation};
use crate::routes::Rule;
use crate::value::{Instant, MnoId, OperatorId};

/// What happens to an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It comes into being.
    Create,
    /// It is there and changes.
    Update,
    /// It becomes a tombstone.
    Delete,
    /// A tombstone comes back under its id.
    Restore,
    /// It goes on under another id; it may change as well.
    #[serde(rename_all = "camelCase")]
    Rename {
        /// The id until now.
        old_id: OperatorId,
    },
}

impl Action {
    /// The word for people and for hashes.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::Rename { .. } => "rename",
        }
    }
}

/// One field that differs. `null` stands for absent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// Dotted YAML path below `spec`, such as `smpp.host`; `mno` for the carrier.
    pub path: String,
    /// The value in the stores.
    pub before: Value,
    /// The value in git.
    pub after: Value,
}

/// A change of a carrier.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MnoChange {
    /// The carrier.
    pub id: MnoId,
    /// What happens to it.
    pub action: Action,
    /// Which fields differ.
    pub fields: Vec<FieldChange>,
    /// Contracts that differ.
    pub contracts: ListChange<Contract>,
    /// Reservations that differ.
    pub reservations: ListChange<Reservation>,
    /// What the carrier is afterwards; absent when it is deleted.
    #[serde(skip)]
    pub desired: Option<catalog::Mno>,
}

/// A change of an operator with its rules and its password.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorChange {
    /// The operator, by its id afterwards.
    pub id: OperatorId,
    /// The carrier, afterwards.
    pub mno: MnoId,
    /// What happens to it.
    pub action: Action,
    /// Which fields differ.
    pub fields: Vec<FieldChange>,
    /// Rules that differ.
    pub routes: ListChange<Rule>,
    /// What happens to the password in Vault.
    pub credentials: CredentialsChange,
    /// The id it gets later, where a rename waits for its time: until then the stores keep the one it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub becomes: Option<Becomes>,
    /// What the operator is afterwards; absent when it is deleted.
    #[serde(skip)]
    pub desired: Option<Arc<catalog::Operator>>,
}

/// A rename that waits for its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Becomes {
    /// The id that comes.
    pub id: OperatorId,
    /// When it takes over.
    pub effective_at: Instant,
}

/// What happens to a password in Vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CredentialsChange {
    /// Nothing.
    Keep,
    /// The sealed one is opened and written.
    Write,
    /// Nothing, and none is known: the credentials endpoint answers `CREDENTIALS_NOT_SET` until one is set.
    Missing,
    /// It is deleted, last of all.
    Delete,
}

/// Members of a list that come, change or go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}ListChange")]
pub struct ListChange<T> {
    /// Members that come.
    pub added: Vec<T>,
    /// Members that change.
    pub updated: Vec<Updated<T>>,
    /// Members that go.
    pub removed: Vec<T>,
}

/// A member before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Updated{T}")]
pub struct Updated<T> {
    /// As the stores have it.
    pub before: T,
    /// As git has it.
    pub after: T,
}

impl<T> ListChange<T> {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.updated.is_empty() && self.removed.is_empty()
    }

    /// How many members differ.
    pub fn len(&self) -> usize {
        self.added.len() + self.updated.len() + self.removed.len()
    }
}

impl<T> Default for ListChange<T> {
    fn default() -> Self {
        Self { added: Vec::new(), updated: Vec::new(), removed: Vec::new() }
    }
}

impl OperatorChange {
    /// What an event calls the changed fields: dotted YAML paths, `routes`, `credentials`; never a value.
    pub fn changed_fields(&self) -> Vec<String> {
        // Where git holds no password, what it says of one that was changed elsewhere is when.
        let is_credentials = |path: &str| path == "credentials" || path.starts_with("credentials.");
        let (credentials, others): (Vec<_>, Vec<_>) =
            self.fields.iter().map(|field| field.path.clone()).partition(|path| is_credentials(path));
        let mut fields = others;
        if !self.routes.is_empty() {
            fields.push("routes".to_owned());
        }
        let changes = matches!(self.credentials, CredentialsChange::Write | CredentialsChange::Delete);
        if changes || !credentials.is_empty() {
            fields.push("credentials".to_owned());
        }
        fields
    }

    /// Whether host, port or systemId of an existing operator change.
    pub fn moves_endpoint(&self) -> bool {
        matches!(self.action, Action::Update | Action::Rename { .. })
            && self.fields.iter().any(|f| matches!(f.path.as_str(), "smpp.host" | "smpp.port" | "smpp.systemId"))
    }
}
