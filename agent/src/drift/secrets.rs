//! Passwords in Vault beside those sealed in git: compared by a keyed hash, told as "differs" and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use bindery_compiler::seal::Identities;
use bindery_schema::hash::Digest;
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::drift::{Difference, DriftDirection, Store};
use serde_json::Value;

use super::compare;
use super::wanted::Wanted;
use crate::store::vault::Stored;
use crate::sync::secrets::{self, Unusable};

/// Key of the hashes of one look. It never leaves the process, so that no hash of a password can be tried out.
pub struct Key([u8; 32]);

impl Key {
    /// A key of this look alone.
    pub fn new() -> Result<Self, rustls::crypto::GetRandomFailed> {
        let mut key = [0; 32];
        rustls::crypto::ring::default_provider().secure_random.fill(&mut key)?;
        Ok(Self(key))
    }

    fn hash(&self, password: &Secret) -> Digest {
        let mut bytes = zeroize::Zeroizing::new(self.0.to_vec());
        bytes.extend_from_slice(password.expose().as_bytes());
        Digest::of(&bytes[..])
    }
}

/// One operator's secret, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    system_id: String,
    password: Digest,
}

impl Held {
    /// What a secret is compared by.
    pub fn of(stored: &Stored, key: &Key) -> Self {
        Self { system_id: stored.system_id.clone(), password: key.hash(&stored.password) }
    }
}

/// What git wants to be in Vault for an operator.
#[derive(Debug)]
pub enum Wish {
    /// This password.
    Sealed(Held),
    /// Some password: it was set outside git.
    Set,
    /// Git says nothing: there may be one that was set outside.
    Silent,
}

/// What git wants, with every sealed password opened. Blocks for about a tenth of a millisecond each.
pub fn wishes(
    wanted: &Wanted,
    identities: Option<&Identities>,
    key: &Key,
) -> Result<BTreeMap<OperatorId, Wish>, Unusable> {
    let wish = |(id, operator): (&OperatorId, &std::sync::Arc<bindery_schema::catalog::Operator>)| {
        let wish = match (operator.spec.sealed(), &operator.spec.credentials) {
            (Some(_), _) => {
                let password = secrets::unseal(id, operator, &wanted.catalog, identities)?;
                let system_id = operator.spec.smpp.system_id.to_string();
                Wish::Sealed(Held { system_id, password: key.hash(&password) })
            }
            (None, Some(credentials)) if credentials.rotated_at.is_some() => Wish::Set,
            _ => Wish::Silent,
        };
        Ok((id.clone(), wish))
    };
    wanted.operators.iter().map(wish).collect()
}

/// What differs. `intended` are operators whose secret is being written or deleted just now.
pub fn compare(
    stored: &BTreeMap<String, Held>,
    wishes: &BTreeMap<OperatorId, Wish>,
    intended: &BTreeSet<String>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    let object = |id: &str| format!("operator/{id}");
    for (id, wish) in wishes.iter().filter(|(id, _)| !intended.contains(id.as_str())) {
        match (wish, stored.get(id.as_str())) {
            (Wish::Sealed(_) | Wish::Set, None) => {
                let direction = DriftDirection::Missing;
                differences.push(compare::whole(Store::Vault, &object(id.as_str()), direction, Value::Null));
            }
            (Wish::Sealed(wanted), Some(held)) => {
                if wanted.system_id != held.system_id {
                    differences.push(Difference {
                        stored: held.system_id.clone().into(),
                        wanted: wanted.system_id.clone().into(),
                        ..differs(&object(id.as_str()), "systemId")
                    });
                }
                if wanted.password != held.password {
                    differences.push(differs(&object(id.as_str()), "password"));
                }
            }
            _ => {}
        }
    }
    let known = |id: &str| id.parse::<OperatorId>().is_ok_and(|id| wishes.contains_key(&id));
    let strangers = stored.keys().filter(|id| !known(id) && !intended.contains(*id));
    let unknown = |id: &String| compare::whole(Store::Vault, &object(id), DriftDirection::Unknown, Value::Null);
    differences.extend(strangers.map(unknown));
    differences
}

fn differs(object: &str, field: &str) -> Difference {
    let field = Some(field.to_owned());
    let nothing = Value::Null;
    let (object, store, direction) = (object.to_owned(), Store::Vault, DriftDirection::Differs);
    Difference { store, object, field, direction, stored: nothing.clone(), wanted: nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_differs_and_is_not_told() {
        let key = Key::new().unwrap();
        let held = |system: &str, password: &str| {
            Held::of(&Stored { system_id: system.into(), password: Secret::new(password), version: None }, &key)
        };
        let wishes = BTreeMap::from([
            ("af-one-1".parse().unwrap(), Wish::Sealed(held("one", "s3cret01"))),
            ("af-set-1".parse().unwrap(), Wish::Set),
            ("af-two-1".parse().unwrap(), Wish::Silent),
            ("af-new-1".parse().unwrap(), Wish::Sealed(held("new", "s3cret03"))),
        ]);
        let stored = BTreeMap::from([
            ("af-one-1".to_owned(), held("uno", "s3cret02")),
            ("af-two-1".to_owned(), held("two", "anything")),
            ("af-old-1".to_owned(), held("old", "anything")),
        ]);
        let found = compare(&stored, &wishes, &BTreeSet::from(["af-new-1".to_owned()]));
        let found: Vec<_> = found.iter().map(|d| (d.object.as_str(), d.field.as_deref(), d.direction)).collect();
        let expected = [
            ("operator/af-one-1", Some("systemId"), DriftDirection::Differs),
            ("operator/af-one-1", Some("password"), DriftDirection::Differs),
            ("operator/af-set-1", None, DriftDirection::Missing),
            ("operator/af-old-1", None, DriftDirection::Unknown),
        ];
        assert_eq!(found, expected);
    }
}
