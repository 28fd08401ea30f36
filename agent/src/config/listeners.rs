//! The three listeners.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// Admin listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// File or URL of the JSON Web Key Set that signs tokens.
    pub jwks: String,
    /// The `iss` a token must have.
    pub issuer: String,
    /// The `aud` a token must have.
    pub audience: String,
    /// Claim that lists the caller's roles.
    #[serde(default = "roles_claim")]
    pub roles_claim: String,
}

/// Internal listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Internal {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Server certificate chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Certificates that sign client certificates, PEM.
    pub client_ca: PathBuf,
    /// Revocation lists, PEM.
    #[serde(default)]
    pub client_crl: Option<PathBuf>,
    /// DNS or URI names (SAN) of clients that may read credentials.
    #[serde(deserialize_with = "names")]
    pub allow_credentials: Vec<String>,
    /// Names of further clients that may read everything but credentials.
    #[serde(default, deserialize_with = "names")]
    pub allow_read: Vec<String>,
}

/// Ops listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ops {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
}

fn roles_claim() -> String {
    "roles".to_owned()
}

/// A list, or the JSON text of one, which is how it stands in the environment.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        List(Vec<String>),
        Json(String),
    }
    match Names::deserialize(deserializer)? {
        Names::List(names) => Ok(names),
        Names::Json(text) => serde_json::from_str(&text)
            .map_err(|_| serde::de::Error::custom(r#"a list of names is wanted, such as ["routing-engine.example"]"#)),
    }
}
