//! The object store with the signed contracts.

use serde::Deserialize;

use super::SecretSource;

/// The object store with the signed contracts: S3, or what speaks its API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// Base URL of a store that is not Amazon's.
    pub endpoint: Option<String>,
    /// Region of the buckets.
    #[serde(default = "region")]
    pub region: String,
    /// Id of an access key that may read the buckets.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: SecretSource,
}

fn region() -> String {
    "us-east-1".to_owned()
}
