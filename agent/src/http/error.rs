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

pub use super::code::Code;
use crate::store::{postgres, vault};

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
        let down = code.status() == StatusCode::SERVICE_UNAVAILABLE;
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

    /// The same error with how many seconds to wait before the request is sent again.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.header = Some((RETRY_AFTER, HeaderValue::from(seconds)));
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
        let mut response = self.code.status().into_response();
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
    let code = problem.code.as_str();
    let document = Document {
        kind: format!("urn:bindery:problem:{}", code.to_ascii_lowercase().replace('_', "-")),
        title: problem.code.title(),
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
