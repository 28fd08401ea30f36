//! Where a secret comes from: the configuration itself, a file, or a variable of the environment.

use std::fmt;
use std::path::PathBuf;

use bindery_schema::secret::Secret;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Why a secret or a certificate is not at hand. Never says what was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The variable is not set, or holds something that is no text.
    #[error("the secret in the environment variable {0} is not set")]
    Variable(String),
}

/// A secret, or the place it is read from: `"text"`, `{ file = "/path" }` or `{ env = "NAME" }`.
///
/// A file is read each time the secret is needed, so replacing the file rotates the secret.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// The secret itself.
    Value(Secret),
    /// A file that holds it; white space at its end does not count.
    File(PathBuf),
    /// An environment variable that holds it.
    Variable(String),
}

impl SecretSource {
    /// The secret as it is now.
    pub fn read(&self) -> Result<Secret, ReadError> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::File(path) => match std::fs::read_to_string(path).map(Secret::new) {
                Ok(text) => Ok(Secret::new(text.expose().trim_end())),
                Err(source) => Err(ReadError::File { path: path.clone(), source }),
            },
            Self::Variable(name) => std::env::var(name).map(Secret::new).map_err(|_| ReadError::Variable(name.clone())),
        }
    }
}

impl From<Secret> for SecretSource {
    fn from(secret: Secret) -> Self {
        Self::Value(secret)
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Source)
    }
}

struct Source;

impl<'de> Visitor<'de> for Source {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes, `{ file = \"/path\" }` or `{ env = \"NAME\" }`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SecretSource, E> {
        Ok(SecretSource::Value(Secret::new(text)))
    }

    // The usual messages would repeat the number, which is the secret.
    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<SecretSource, E> {
        Err(E::custom("a secret that is a number has to stand in quotes"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<SecretSource, E> {
        self.visit_i64(0)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<SecretSource, E> {
        self.visit_i64(0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        let Some((key, value)) = map.next_entry::<String, String>()? else {
            return Err(A::Error::custom("name a `file` or an `env`"));
        };
        let source = match key.as_str() {
            "file" => SecretSource::File(value.into()),
            "env" => SecretSource::Variable(value),
            _ => return Err(A::Error::unknown_field(&key, &["file", "env"])),
        };
        match map.next_key::<String>()? {
            None => Ok(source),
            Some(_) => Err(A::Error::custom("a secret comes from one place: `file` or `env`")),
        }
    }
}

/// A text that is a secret, such as an address with a password in it.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// The same for a key that may be left out.
pub(super) fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}
