//! Why something cannot be had.

use std::path::PathBuf;

use bindery_schema::value::OperatorId;

/// Why a client cannot be started. Servers that are away are no reason: it starts, and waits for them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No agent to ask.
    #[error("no agent is configured: name the internal listener of one at least, such as https://bindery.example:8443")]
    NoAgent,
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The certificates or the key cannot be used.
    #[error(
        "the certificates cannot be used: `ca`, `certificate` and `key` have to be PEM, the key that of the certificate"
    )]
    Tls(#[source] reqwest::Error),
    /// The address or credentials of NATS cannot be used.
    #[error("the address or credentials of NATS cannot be used")]
    Nats,
    /// The address of Redis cannot be used.
    #[error("the address of Redis cannot be used")]
    Redis(#[source] redis::RedisError),
}

/// Why there are no credentials of an operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The operator does not exist or was deleted. What was remembered of it is wiped.
    #[error("there is no operator {0}")]
    NoOperator(OperatorId),
    /// Nobody has set a password yet.
    #[error("operator {0} has no password yet: seal one, or set it over the admin API")]
    NotSet(OperatorId),
    /// This client may not read them. What was remembered is wiped.
    #[error(
        "this client's certificate may not read credentials: add its name to `internal.allow_credentials` of the agent"
    )]
    Forbidden,
    /// Neither agent nor Vault answers, and nothing is remembered.
    #[error("credentials of {operator} were never read, and cannot be now: {outage}; ask again later")]
    Unavailable {
        /// The operator.
        operator: OperatorId,
        /// What is down.
        outage: Outage,
    },
}

/// What does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Outage {
    /// No agent can be reached, or none answers as one should.
    #[error("no agent answers")]
    Agent,
    /// Vault is down or sealed, as an agent says.
    #[error("Vault is not available")]
    Vault,
    /// Postgres is down, as an agent says.
    #[error("the agent's database is not available")]
    Store,
}
