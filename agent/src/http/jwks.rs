//! The public keys that tokens are signed with, read from a file or a URL and kept fresh.
//!
//! Which algorithm a key serves is the key's own property: a token cannot choose. Symmetric keys are refused, since
//! whoever can read such a set could sign.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio_util::sync::CancellationToken;

use super::error::chain;
use crate::config::Admin;

/// How often a file is read: it is small and local.
const FILE_REFRESH: Duration = Duration::from_secs(5);
/// How often a URL is fetched: issuers announce a new key long before they sign with it.
const URL_REFRESH: Duration = Duration::from_secs(60);
/// Longest wait for an issuer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest key set: hundreds of keys.
const LARGEST: usize = 1 << 20;
/// Most keys kept: bounds the work a token without `kid` can cause.
const MOST_KEYS: usize = 32;

/// Why a key set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the key set {0} cannot be read")]
    File(String, #[source] std::io::Error),
    /// The URL cannot be fetched.
    #[error("the key set cannot be fetched")]
    Fetch(#[source] reqwest::Error),
    /// No JSON Web Key Set.
    #[error("the key set is not one")]
    Malformed(#[source] serde_json::Error),
    /// Not a single key that can be used.
    #[error("the key set holds no key a token could be checked with")]
    Empty,
    /// More than a megabyte.
    #[error("the key set is too large")]
    TooLarge,
}

/// A key, and the algorithms it serves.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name in the set.
    pub(super) id: Option<String>,
    /// What it may be used with.
    pub(super) algorithms: Vec<Algorithm>,
    /// What a signature is checked with.
    pub(super) decoding: DecodingKey,
}

enum Source {
    File(String),
    Url(String, reqwest::Client),
}

/// The keys in force.
pub(super) struct KeySet {
    source: Source,
    keys: ArcSwapOption<Vec<Key>>,
}

impl KeySet {
    /// Reads the configured set. A file has to be usable; an issuer that is down is asked again later.
    pub(super) async fn open(config: &Admin) -> Result<Self, Error> {
        let source = if config.jwks.starts_with("http://") || config.jwks.starts_with("https://") {
            let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(Error::Fetch)?;
            Source::Url(config.jwks.clone(), client)
        } else {
            Source::File(config.jwks.clone())
        };
        let set = Self { source, keys: ArcSwapOption::empty() };
        match (set.refresh().await, &set.source) {
            (Err(error), Source::File(_)) => return Err(error),
            (Err(error), Source::Url(..)) => tracing::error!(error = chain(&error), "tokens cannot be checked yet"),
            (Ok(()), _) => {}
        }
        Ok(set)
    }

    /// The keys, or nothing while they were never read.
    pub(super) fn keys(&self) -> Option<Arc<Vec<Key>>> {
        self.keys.load_full()
    }

    async fn refresh(&self) -> Result<(), Error> {
        let text = match &self.source {
            Source::File(path) => tokio::fs::read(path).await.map_err(|error| Error::File(path.clone(), error))?,
            Source::Url(url, client) => fetch(client, url).await?,
        };
        self.keys.store(Some(Arc::new(parse(&text)?)));
        Ok(())
    }
}

async fn fetch(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, Error> {
    let mut answer =
        client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(Error::Fetch)?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(Error::Fetch)? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err(Error::TooLarge);
        }
    }
    Ok(body)
}

/// Reads the set again and again until cancelled. A set that cannot be read leaves the last good one in force.
pub(super) async fn refresh(set: Arc<KeySet>, cancel: CancellationToken) {
    // An issuer that was down when the agent started is asked soon.
    let mut failing = set.keys().is_none();
    loop {
        let wait = match set.source {
            Source::File(_) => FILE_REFRESH,
            Source::Url(..) if failing => FILE_REFRESH,
            Source::Url(..) => URL_REFRESH,
        };
        if cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
        let result = set.refresh().await;
        if let Err(error) = &result
            && !failing
        {
            tracing::error!(error = chain(error), "the key set cannot be read; the last good one stays");
        }
        failing = result.is_err();
    }
}

/// The usable keys of a set. Others are skipped, as RFC 7517, 5 wants.
fn parse(text: &[u8]) -> Result<Vec<Key>, Error> {
    #[derive(serde::Deserialize)]
    struct Raw {
        keys: Vec<serde_json::Value>,
    }
    let raw: Raw = serde_json::from_slice(text).map_err(Error::Malformed)?;
    let set = JwkSet { keys: raw.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect() };
    let keys: Vec<Key> = set.keys.iter().filter_map(usable).take(MOST_KEYS).collect();
    if keys.is_empty() { Err(Error::Empty) } else { Ok(keys) }
}

fn usable(jwk: &Jwk) -> Option<Key> {
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let able: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[Algorithm::ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &[Algorithm::ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        AlgorithmParameters::RSA(_) => &[
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        _ => return None,
    };
    let declared = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
    let serves = |able: &Algorithm| declared.as_ref().is_none_or(|declared| *declared == format!("{able:?}"));
    let algorithms: Vec<_> = able.iter().copied().filter(serves).collect();
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    (!algorithms.is_empty()).then(|| Key { id: jwk.common.key_id.clone(), algorithms, decoding })
}

#[cfg(test)]
impl KeySet {
    /// A set with the given keys that is never refreshed.
    pub(super) fn fixed(text: &str) -> Self {
        let keys = ArcSwapOption::from_pointee(parse(text.as_bytes()).unwrap());
        Self { source: Source::File(String::new()), keys }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;

    fn algorithms(key: &str) -> Vec<Algorithm> {
        let set = parse(format!(r#"{{"keys":[{key}]}}"#).as_bytes());
        set.map(|keys| keys.into_iter().flat_map(|key| key.algorithms).collect()).unwrap_or_default()
    }

    #[test]
    fn the_key_decides_the_algorithm() {
        assert_eq!(algorithms(&format!("{P256}}}")), [Algorithm::ES256]);
        assert_eq!(algorithms(&format!(r#"{P256},"alg":"ES256","use":"sig"}}"#)), [Algorithm::ES256]);
        assert_eq!(algorithms(&format!(r#"{P256},"alg":"RS256"}}"#)), []);
        assert_eq!(algorithms(&format!(r#"{P256},"use":"enc"}}"#)), []);
        assert_eq!(algorithms(r#"{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}"#), []);
        assert_eq!(algorithms(&format!(r#"{{"kty":"unheard-of"}},{P256}}}"#)), [Algorithm::ES256]);
        assert!(parse(b"[]").is_err() && parse(b"no json").is_err());
    }
}
