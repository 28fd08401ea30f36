//! The object store with the signed contracts: S3, or what speaks its API. It is asked whether a document is there, and
//! nothing else.

use std::time::Duration;

use bindery_schema::secret::Secret;
use bindery_schema::value::DocumentUri;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt as _, RetryConfig};

use crate::config;

/// Longest wait for an answer, and for all answers to one question.
const ANSWER: Duration = Duration::from_secs(2);
const ALL: Duration = Duration::from_secs(5);
const RETRIES: usize = 2;

/// Why it is not known whether a document is there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The access key cannot be read.
    #[error(transparent)]
    Key(#[from] config::ReadError),
    /// The store is down or refuses.
    #[error("the object store does not say whether {uri} is there")]
    Unavailable {
        /// The document.
        uri: String,
        /// Why.
        source: Box<object_store::Error>,
    },
    /// The store took too long.
    #[error("the object store did not say in time whether {0} is there")]
    Timeout(String),
}

/// Whether a document is there.
pub async fn exists(config: &config::Documents, uri: &DocumentUri) -> Result<bool, Error> {
    let unavailable = |source| Error::Unavailable { uri: uri.to_string(), source: Box::new(source) };
    // A URI without a bucket and a key is no value of the type.
    let (bucket, key) = uri.as_str().trim_start_matches("s3://").split_once('/').unwrap_or_default();
    let path = Path::parse(key).map_err(|error| unavailable(error.into()))?;
    let store = bucket_of(config, bucket, &config.secret_access_key.read()?).map_err(unavailable)?;
    match tokio::time::timeout(ALL, store.head(&path)).await {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(object_store::Error::NotFound { .. })) => Ok(false),
        Ok(Err(source)) => Err(unavailable(source)),
        Err(_) => Err(Error::Timeout(uri.to_string())),
    }
}

/// A bucket, with the access key as it is now: a file with it may be replaced.
fn bucket_of(config: &config::Documents, bucket: &str, key: &Secret) -> Result<AmazonS3, object_store::Error> {
    let plain = config.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let options = ClientOptions::new().with_timeout(ANSWER).with_connect_timeout(ANSWER).with_allow_http(plain);
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: ALL, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&config.region)
        .with_access_key_id(&config.access_key_id)
        .with_secret_access_key(key.expose())
        .with_client_options(options)
        .with_retry(retry);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder.build()
}
