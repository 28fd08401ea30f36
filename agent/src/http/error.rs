//! Errors as clients see them: RFC 9457 problem details with a stable `code`.
//!
//! A handler returns a [`Problem`]; the frame of the listener renders it. What went wrong inside is logged and never
//! part of an answer.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::store::{postgres, vault};

/// What kind of error it is. Clients decide by it; names never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A parameter or body cannot be understood.
    BadRequest,
    /// No valid bearer token.
    Unauthenticated,
    /// A webhook without a signature that its secret could have made.
    BadSignature,
    /// Who asks is known and may not.
    Forbidden,
    /// No such path.
    NotFound,
    /// The operator does not exist or was deleted.
    OperatorNotFound,
    /// Another object that the path or body names does not exist.
    ObjectNotFound,
    /// There is an operator with that id, or one that binds to the same endpoint.
    DuplicateOperator,
    /// There is an object with that id.
    AlreadyExists,
    /// The id was an operator's that was deleted.
    OperatorIdRetired,
    /// A rule collides with another.
    PrefixConflict,
    /// A contract overlaps another of its direction.
    ContractOverlap,
    /// The signed document of a contract is not in the object store.
    DocumentNotFound,
    /// A reservation is more than what is left.
    ReservationExceedsContract,
    /// The binds of a carrier may send more than its contract allows.
    TpsExceedsContract,
    /// Operators still belong to the carrier.
    CarrierInUse,
    /// The object is not what the caller saw.
    PreconditionFailed,
    /// An `Idempotency-Key` came with another request before.
    IdempotencyKeyReused,
    /// The first call with that `Idempotency-Key` is still under way.
    RequestInProgress,
    /// The branch does not compile as it is.
    BranchBroken,
    /// A guardrail would hold the change.
    PlanHeld,
    /// The sync is paused.
    SyncPaused,
    /// A file is laid out in a way that cannot be edited.
    LayoutNotEditable,
    /// The operator has no password yet.
    CredentialsNotSet,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The body is larger than any request needs.
    PayloadTooLarge,
    /// A body of another type than JSON.
    UnsupportedMediaType,
    /// No plan is held.
    NothingHeld,
    /// Another plan is held than the one that was named.
    PlanHashMismatch,
    /// No such commit on the branch, or not a refused one.
    RevisionNotFound,
    /// Later commits changed what is to be taken back.
    RevertConflict,
    /// What was asked for cannot be done to this configuration.
    ValidationFailed,
    /// The configuration repository does not take the commit, as a protected branch.
    PushRefused,
    /// The configuration repository cannot be fetched or pushed to.
    RepositoryUnavailable,
    /// A fault of the agent.
    Internal,
    /// Vault is down, sealed or refuses.
    VaultUnavailable,
    /// Postgres is down.
    StoreUnavailable,
    /// Another agent leads, and only that one can do it.
    NotLeading,
    /// The token issuer's keys were never read.
    KeysUnavailable,
    /// The answer took too long.
    Timeout,
}

impl Code {
    /// The name clients see.
    pub fn as_str(self) -> &'static str {
        self.describe().0
    }

    /// Name, status and title.
    fn describe(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest => ("BAD_REQUEST", S::BAD_REQUEST, "The request cannot be understood"),
            Self::Unauthenticated => ("UNAUTHENTICATED", S::UNAUTHORIZED, "A valid bearer token is needed"),
            Self::BadSignature => ("BAD_SIGNATURE", S::UNAUTHORIZED, "The webhook's signature is missing or wrong"),
            Self::Forbidden => ("FORBIDDEN", S::FORBIDDEN, "Not allowed"),
            Self::NotFound => ("NOT_FOUND", S::NOT_FOUND, "No such resource"),
            Self::OperatorNotFound => ("OPERATOR_NOT_FOUND", S::NOT_FOUND, "No such operator"),
            Self::ObjectNotFound => ("OBJECT_NOT_FOUND", S::NOT_FOUND, "No such object"),
            Self::DuplicateOperator => ("DUPLICATE_OPERATOR", S::CONFLICT, "There is such an operator already"),
            Self::AlreadyExists => ("ALREADY_EXISTS", S::CONFLICT, "There is such an object already"),
            Self::OperatorIdRetired => ("OPERATOR_ID_RETIRED", S::CONFLICT, "A deleted operator had that id"),
            Self::PrefixConflict => ("PREFIX_CONFLICT", S::CONFLICT, "The rule collides with another"),
            Self::ContractOverlap => ("CONTRACT_OVERLAP", S::CONFLICT, "The contract overlaps another"),
            Self::DocumentNotFound => {
                ("DOCUMENT_NOT_FOUND", S::UNPROCESSABLE_ENTITY, "The signed document is not in the object store")
            }
            Self::ReservationExceedsContract => {
                ("RESERVATION_EXCEEDS_CONTRACT", S::CONFLICT, "More is reserved than the contract allows")
            }
            Self::TpsExceedsContract => {
                ("TPS_EXCEEDS_CONTRACT", S::CONFLICT, "The binds may send more than the contract allows")
            }
            Self::CarrierInUse => ("CARRIER_IN_USE", S::CONFLICT, "Operators still belong to the carrier"),
            Self::PreconditionFailed => {
                ("PRECONDITION_FAILED", S::PRECONDITION_FAILED, "The object has changed since it was read")
            }
            Self::IdempotencyKeyReused => {
                ("IDEMPOTENCY_KEY_REUSED", S::UNPROCESSABLE_ENTITY, "The key came with another request before")
            }
            Self::RequestInProgress => ("REQUEST_IN_PROGRESS", S::CONFLICT, "The first call is still under way"),
            Self::BranchBroken => ("BRANCH_BROKEN", S::CONFLICT, "The branch does not compile as it is"),
            Self::PlanHeld => ("PLAN_HELD", S::CONFLICT, "A guardrail would hold the change"),
            Self::SyncPaused => ("SYNC_PAUSED", S::SERVICE_UNAVAILABLE, "The sync is paused"),
            Self::LayoutNotEditable => {
                ("LAYOUT_NOT_EDITABLE", S::CONFLICT, "The file cannot be edited as it is written")
            }
            Self::CredentialsNotSet => ("CREDENTIALS_NOT_SET", S::NOT_FOUND, "The operator has no password yet"),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", S::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", S::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::UnsupportedMediaType => {
                ("UNSUPPORTED_MEDIA_TYPE", S::UNSUPPORTED_MEDIA_TYPE, "The body has to be JSON")
            }
            Self::NothingHeld => ("NOTHING_HELD", S::NOT_FOUND, "No plan is held"),
            Self::PlanHashMismatch => ("PLAN_HASH_MISMATCH", S::CONFLICT, "Another plan is held"),
            Self::RevisionNotFound => ("REVISION_NOT_FOUND", S::NOT_FOUND, "No such revision"),
            Self::RevertConflict => ("REVERT_CONFLICT", S::CONFLICT, "Later commits stand in the way"),
            Self::ValidationFailed => ("VALIDATION_FAILED", S::UNPROCESSABLE_ENTITY, "It would not be valid"),
            Self::PushRefused => ("PUSH_REFUSED", S::CONFLICT, "The repository refuses the commit"),
            Self::RepositoryUnavailable => {
                ("REPOSITORY_UNAVAILABLE", S::SERVICE_UNAVAILABLE, "The configuration repository is not available")
            }
            Self::Internal => ("INTERNAL", S::INTERNAL_SERVER_ERROR, "The agent failed"),
            Self::VaultUnavailable => ("VAULT_UNAVAILABLE", S::SERVICE_UNAVAILABLE, "Vault is not available"),
            Self::StoreUnavailable => ("STORE_UNAVAILABLE", S::SERVICE_UNAVAILABLE, "The store is not available"),
            Self::NotLeading => ("NOT_LEADING", S::SERVICE_UNAVAILABLE, "Another agent leads: ask that one"),
            Self::KeysUnavailable => ("KEYS_UNAVAILABLE", S::SERVICE_UNAVAILABLE, "Tokens cannot be checked now"),
            Self::Timeout => ("TIMEOUT", S::SERVICE_UNAVAILABLE, "The answer took too long"),
        }
    }

    /// The code of an answer that was made outside a handler, by its status.
    fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

/// An error to answer with.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    header: Option<(HeaderName, HeaderValue)>,
    findings: Arc<[Value]>,
}

impl Problem {
    /// An error with nothing to add to its title.
    pub fn new(code: Code) -> Self {
        let down = code.describe().1 == StatusCode::SERVICE_UNAVAILABLE;
        // Outages are waited for by clients; a second keeps many of them from hammering.
        let header = down.then(|| (RETRY_AFTER, HeaderValue::from_static("1")));
        Self { code, detail: None, header, findings: Arc::default() }
    }

    /// The same error with a line about this case. Nothing internal and no secret belongs in it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same error with what the compiler found.
    #[must_use]
    pub fn findings(mut self, findings: Vec<Value>) -> Self {
        self.findings = findings.into();
        self
    }

    /// The same error with a challenge (RFC 6750).
    #[must_use]
    pub fn challenge(mut self, challenge: &str) -> Self {
        self.header = HeaderValue::from_str(challenge).ok().map(|value| (WWW_AUTHENTICATE, value));
        self
    }

    /// No operator of that name.
    pub fn no_operator(id: &str) -> Self {
        // What is no id is not repeated: it may be anything, of any length.
        let known = id.parse::<bindery_schema::value::OperatorId>();
        let problem = Self::new(Code::OperatorNotFound);
        known.map_or(problem.clone(), |id| problem.detail(format!("there is no operator {id}")))
    }

    /// What kind of error it is.
    pub fn code(&self) -> Code {
        self.code
    }
}

/// Postgres did not answer, or not as expected: logged here, hidden from the client.
impl From<postgres::Error> for Problem {
    fn from(error: postgres::Error) -> Self {
        tracing::error!(error = chain(&error), "Postgres did not answer a request");
        let broken = match &error {
            postgres::Error::Corrupt { .. } => true,
            postgres::Error::Failed(error) => {
                matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound)
            }
            postgres::Error::Fenced => false,
        };
        Self::new(if broken { Code::Internal } else { Code::StoreUnavailable })
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        postgres::Error::from(error).into()
    }
}

/// Whatever Vault's fault is, a client can only wait and use what it remembers.
impl From<vault::Error> for Problem {
    fn from(error: vault::Error) -> Self {
        tracing::error!(error = chain(&error), "Vault did not answer a request");
        Self::new(Code::VaultUnavailable)
    }
}

/// An error with all its causes on one line, for logs.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl IntoResponse for Problem {
    /// An answer without a body yet: [`render`] knows the path and adds it.
    fn into_response(self) -> Response {
        let mut response = self.code.describe().1.into_response();
        if let Some((name, value)) = self.header.clone() {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    code: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    findings: &'a [Value],
}

/// Gives an error answer its body, wherever it was made; other answers pass unchanged.
pub(super) fn render(mut response: Response, path: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let ready = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/"));
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        // An error status with a document of its own: readiness.
        None if ready => return response,
        None => Problem::new(Code::of(status)),
    };
    let (code, _, title) = problem.code.describe();
    let document = Document {
        kind: format!("urn:bindery:problem:{}", code.to_ascii_lowercase().replace('_', "-")),
        title,
        status: status.as_u16(),
        detail: problem.detail.as_deref(),
        code,
        instance: path,
        findings: &problem.findings,
    };
    let body = serde_json::to_vec(&document).unwrap_or_default();
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    *response.body_mut() = Body::from(body);
    response
}
