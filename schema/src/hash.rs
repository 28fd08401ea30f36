//! Content hashes: how a difference is found without reading what is equal.

use std::fmt;

use serde::Serialize;
use serde_with::{DeserializeFromStr, SerializeDisplay};
use sha2::{Digest as _, Sha256};

use crate::contract::TpsContractSpec;
use crate::mno::MnoSpec;
use crate::operator::OperatorSpec;
use crate::routes::Rule;
use crate::value::MnoId;

/// A SHA-256 digest, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a value's JSON. Struct fields keep their order and maps are sorted, so equal values hash equally.
    fn of_json(value: &impl Serialize) -> Self {
        // Serialising a plain value into memory fails for no value of these types.
        Self::of(serde_json::to_vec(value).unwrap_or_default())
    }

    /// The digest as it is.
    pub fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// The first twelve digits, enough for a person to tell two apart.
    pub fn short(self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl schemars::JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "A SHA-256 digest."})
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::str::FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| format!("`{text}` is not a SHA-256 digest"))?;
        Ok(Self(bytes))
    }
}

/// Hash of an operator's carrier and spec as the stores keep it: without the sealed password.
pub fn operator_spec(mno: &MnoId, spec: &OperatorSpec) -> Digest {
    Digest::of_json(&(mno, spec.without_sealed()))
}

/// Hash of an operator's rules, which are in prefix order.
pub fn routes(rules: &[Rule]) -> Digest {
    let mut hasher = Sha256::new();
    for rule in rules {
        hasher.update(rule.prefix.word().to_be_bytes());
        hasher.update(rule.priority.to_be_bytes());
        hasher.update(rule.weight.to_be_bytes());
        hasher.update([u8::from(rule.active)]);
        hasher.update(rule.narrows.map_or(0, crate::value::E164Prefix::word).to_be_bytes());
        if let Some(cost) = rule.cost {
            hasher.update(cost.amount.decimal().serialize());
            hasher.update(cost.currency.as_str());
        }
        hasher.update([0xff]);
        hasher.update(rule.split.as_ref().map_or("", |split| split.as_str()));
        hasher.update([0xff]);
    }
    Digest(hasher.finalize().into())
}

/// Hash of a carrier's spec.
pub fn mno(spec: &MnoSpec) -> Digest {
    Digest::of_json(spec)
}

/// Hash of a carrier's contracts and resolved reservations.
pub fn contracts(spec: &TpsContractSpec) -> Digest {
    Digest::of_json(spec)
}

/// Hash of a sealed password: tells that another one was sealed, and nothing about either.
pub fn sealed(sealed: &str) -> Digest {
    Digest::of(sealed)
}
