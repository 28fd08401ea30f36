//! What every call that changes configuration has in common: who, on what condition, whether only to look, and how the
//! change is made and answered.

use std::future::Future;

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, RequestPartsExt as _};
use bindery_schema::wire::admin::{Committed, Operation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::Instrument as _;

use super::idempotency::{self, Key};
use crate::http::bearer::Caller;
use crate::http::error::{Code, Problem, chain};
use crate::http::params::Params;
use crate::shared::Shared;
use crate::write::{self, Change, Error};

/// A call that changes configuration.
pub(super) struct Call {
    /// Who calls.
    pub(super) caller: Caller,
    /// Whether only the plan is wanted: `?dryRun=true`.
    dry_run: bool,
    /// The entity tag the caller saw: `If-Match`.
    expected: Option<String>,
    /// `Idempotency-Key`.
    key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wishes {
    #[serde(default)]
    dry_run: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Extension(caller) =
            parts.extract::<Extension<Caller>>().await.map_err(|_| Problem::new(Code::Unauthenticated))?;
        let Params(wishes) = parts
            .extract::<Params<Wishes>>()
            .await
            .map_err(|_| Problem::new(Code::BadRequest).detail("dryRun is true or false"))?;
        let expected = text(&parts.headers, IF_MATCH.as_str())?.filter(|tag| tag != "*");
        let key = text(&parts.headers, idempotency::HEADER)?;
        if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > idempotency::LONGEST) {
            let longest = idempotency::LONGEST;
            return Err(Problem::new(Code::BadRequest).detail(format!("Idempotency-Key has 1 to {longest} characters")));
        }
        Ok(Self { caller, dry_run: wishes.dry_run, expected, key })
    }
}

fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Problem> {
    let unreadable = |_| Problem::new(Code::BadRequest).detail(format!("{name} cannot be read"));
    headers.get(name).map(|value| value.to_str().map(str::to_owned).map_err(unreadable)).transpose()
}

/// How an applied change is answered.
pub(super) struct Answer {
    status: StatusCode,
    body: Option<Value>,
    tag: Option<String>,
    location: Option<String>,
}

impl Answer {
    /// An answer with a body.
    pub(super) fn of(status: StatusCode, body: &impl Serialize) -> Self {
        // Answers are plain data of the vocabulary: turning them into JSON does not fail.
        let body = Some(serde_json::to_value(body).unwrap_or_default());
        Self { status, body, tag: None, location: None }
    }

    /// An answer without one.
    pub(super) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, tag: None, location: None }
    }

    /// The same with the object's entity tag.
    #[must_use]
    pub(super) fn tagged(mut self, tag: String) -> Self {
        self.tag = Some(tag);
        self
    }

    /// The same with where the object is found.
    #[must_use]
    pub(super) fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let tag = self.tag.clone().map(|tag| ("etag", tag));
        tag.into_iter().chain(self.location.clone().map(|location| ("location", location))).collect()
    }

    pub(super) fn parts(&self) -> (StatusCode, Option<&Value>) {
        (self.status, self.body.as_ref())
    }

    pub(super) fn again(status: StatusCode, body: Option<Value>, headers: &[(String, String)]) -> Self {
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Self { status, body, tag: header("etag"), location: header("location") }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => (self.status, Json(body)).into_response(),
            None => self.status.into_response(),
        };
        let named = [(ETAG, self.tag), (LOCATION, self.location)];
        for (name, value) in named {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// Makes a change of one operation; see [`make_all`].
pub(super) async fn make<F>(
    shared: Shared,
    call: Call,
    operation: Operation,
    answer: impl FnOnce(Shared, Committed) -> F + Send + 'static,
) -> Result<Response, Problem>
where
    F: Future<Output = Result<Answer, Problem>> + Send,
{
    make_all(shared, call, vec![operation], None, answer).await
}

/// Makes a change and answers once it is applied; 202 where that takes too long.
pub(super) async fn make_all<F>(
    shared: Shared,
    call: Call,
    operations: Vec<Operation>,
    message: Option<String>,
    answer: impl FnOnce(Shared, Committed) -> F + Send + 'static,
) -> Result<Response, Problem>
where
    F: Future<Output = Result<Answer, Problem>> + Send,
{
    let Call { caller, dry_run, expected, key } = call;
    let mut change = Change { author: caller.subject.clone(), message, trailers: None, operations, expected };
    if dry_run {
        return Ok(Json(write::preview(&shared, change).await?).into_response());
    }
    let key = key.map(|key| Key::of(&caller.subject, &key, &change.operations));
    change.trailers = key.as_ref().map(Key::trailer);
    let carry_out = async move {
        let first = match &key {
            Some(key) => idempotency::begin(&shared, key).await?,
            None => idempotency::Begun::First,
        };
        let committed = match first {
            idempotency::Begun::Answered(answer) => return Ok(answer),
            idempotency::Begun::Committed(found) => Ok(write::found(&shared, found, &change).await),
            idempotency::Begun::First => write::change(&shared, change).await,
        };
        // Where a commit is there or may come, the key leads to it.
        let unknown = matches!(committed, Err(Error::Unknown { .. }));
        let answer = match committed {
            Ok(committed) => answered(&shared, committed, answer).await,
            Err(error) => Err(error.into()),
        };
        let under_way = unknown || answer.as_ref().is_ok_and(|answer| answer.status == StatusCode::ACCEPTED);
        if let Some(key) = key.as_ref().filter(|_| !under_way) {
            idempotency::end(&shared, key, answer.as_ref().ok()).await;
        }
        answer
    };
    // A task of its own: once pushed, it has to come to its end even if the caller has left.
    let done = tokio::spawn(carry_out.in_current_span()).await.map_err(|_| Problem::new(Code::Internal))?;
    done.map(IntoResponse::into_response)
}

/// The answer to a change that was made; 202 where it is not applied yet, or what it made cannot be shown now.
async fn answered<F>(
    shared: &Shared,
    committed: Committed,
    answer: impl FnOnce(Shared, Committed) -> F + Send,
) -> Result<Answer, Problem>
where
    F: Future<Output = Result<Answer, Problem>> + Send,
{
    let is_new = committed.commit.is_some();
    if is_new && committed.generation.is_none() {
        return Ok(Answer::of(StatusCode::ACCEPTED, &committed));
    }
    match answer(shared.clone(), committed.clone()).await {
        Err(problem) if is_new => {
            tracing::debug!(?problem, "what a change has made cannot be shown");
            Ok(Answer::of(StatusCode::ACCEPTED, &committed))
        }
        answered => answered,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NotFound(what) if what.starts_with("operator ") => Code::OperatorNotFound,
            Error::NotFound(_) => Code::ObjectNotFound,
            Error::Exists(what) if what.starts_with("operator ") => Code::DuplicateOperator,
            Error::Exists(_) => Code::AlreadyExists,
            Error::Retired(_) => Code::OperatorIdRetired,
            Error::InUse { .. } => Code::CarrierInUse,
            Error::BadRequest(_) => Code::BadRequest,
            Error::Changed => Code::PreconditionFailed,
            Error::Invalid(findings) => invalid(findings),
            Error::Broken(_) => Code::BranchBroken,
            Error::NoDocument(_) => Code::DocumentNotFound,
            Error::Held { .. } => Code::PlanHeld,
            Error::Paused { .. } => Code::SyncPaused,
            Error::Layout { .. } => Code::LayoutNotEditable,
            Error::Vault(_) => Code::VaultUnavailable,
            Error::Fetch(_)
            | Error::Branch(_)
            | Error::Source(_)
            | Error::Moving
            | Error::Busy
            | Error::Unknown { .. } => Code::RepositoryUnavailable,
            Error::Seal(_) | Error::Cut(_) => Code::Internal,
            Error::Postgres(_) | Error::Documents(_) => Code::StoreUnavailable,
        };
        let outside = matches!(code, Code::VaultUnavailable | Code::RepositoryUnavailable | Code::StoreUnavailable);
        if outside || code == Code::Internal {
            tracing::warn!(error = chain(&error), "a change could not be made");
        }
        match error {
            Error::Vault(error) => error.into(),
            Error::Postgres(error) => error.into(),
            Error::Invalid(findings) | Error::Broken(findings) => {
                let first = findings.first().and_then(|finding| finding["message"].as_str());
                let problem = Self::new(code).detail(first.unwrap_or_default());
                problem.findings(findings)
            }
            Error::Cut(_) => Self::new(code),
            error => Self::new(code).detail(error.to_string()),
        }
    }
}

/// The conflict that findings are, where each of them is of one kind.
fn invalid(findings: &[Value]) -> Code {
    let code = |finding: &Value| match finding["name"].as_str().unwrap_or_default() {
        "duplicate-endpoint" => Code::DuplicateOperator,
        "prefix-conflict-same-operator" | "prefix-nested-same-operator" | "prefix-conflict-across-operators" => {
            Code::PrefixConflict
        }
        "contract-overlap" => Code::ContractOverlap,
        "reserved-over-contract" => Code::ReservationExceedsContract,
        "tps-over-contract" => Code::TpsExceedsContract,
        _ => Code::ValidationFailed,
    };
    let mut codes = findings.iter().map(code);
    let first = codes.next().unwrap_or(Code::ValidationFailed);
    if codes.all(|other| other == first) { first } else { Code::ValidationFailed }
}
