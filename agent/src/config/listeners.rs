//! The three listeners.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::HeaderValue;
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
    /// Claim that names the tenant a caller of the role `tenant` stands for.
    #[serde(default = "tenant_claim")]
    pub tenant_claim: String,
    /// How far the clocks of issuer and agent may be apart, in seconds.
    #[serde(default = "clock_skew")]
    pub clock_skew_seconds: u64,
    /// Origins of web pages that may use the API, such as `https://console.example`. Without any, none may.
    #[serde(default, deserialize_with = "names")]
    pub cors_origins: Vec<String>,
}

impl Admin {
    /// The origins as browsers send them.
    pub fn origins(&self) -> Vec<HeaderValue> {
        self.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect()
    }

    /// Whether each origin is one: scheme and authority, and nothing behind them.
    pub(super) fn origins_are_origins(&self) -> bool {
        let is_origin = |origin: &String| {
            let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c);
            authority.is_some_and(|authority| !authority.is_empty() && authority.chars().all(plain))
        };
        self.cors_origins.iter().all(is_origin)
    }
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

fn tenant_claim() -> String {
    "tenant".to_owned()
}

/// A minute: what most issuers and libraries allow.
pub(crate) fn clock_skew() -> u64 {
    60
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
