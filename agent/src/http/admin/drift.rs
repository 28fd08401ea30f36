//! `/v1/admin/sync/drift`: what the last full look at the stores found, and a request for another.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bindery_schema::wire::drift::{DriftRequest, DriftStatus};

use crate::http::bearer::Caller;
use crate::http::error::{Code, Problem};
use crate::http::permissions::Permission;
use crate::shared::Shared;

/// What is known of drift.
pub(super) async fn status(State(shared): State<Shared>) -> Json<DriftStatus> {
    Json(shared.drift.status().borrow().clone())
}

/// Has the stores looked at now. The answer names the look as `asked`; once `answered` has reached it, it is over.
pub(super) async fn ask(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<(StatusCode, Json<DriftStatus>), Problem> {
    if shared.leading.borrow().is_none() {
        return Err(Problem::new(Code::NotLeading));
    }
    // A body may be left out.
    let request = if body.is_empty() { Ok(DriftRequest::default()) } else { serde_json::from_slice(&body) };
    let request =
        request.map_err(|error| Problem::new(Code::BadRequest).detail(format!("the body is no request: {error}")))?;
    // A healing that is carried out against the guardrails is a release.
    if request.allow.is_some() && !Permission::ReleasePlan.is_granted_to(&caller.roles) {
        return Err(Problem::new(Code::Forbidden).detail("this needs a role that may release a held plan"));
    }
    tracing::info!(subject = ?caller.subject, ?request, "a full look at the stores was asked for");
    let asked = shared.drift.ask(&request, caller.subject);
    let status = DriftStatus { asked, ..shared.drift.status().borrow().clone() };
    Ok((StatusCode::ACCEPTED, Json(status)))
}
