//! `/v1/admin/sync/drift`: what the last full look at the stores found, and a request for another.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bindery_schema::wire::drift::{DriftRequest, DriftStatus};
use serde_json::json;

use super::body::Optional;
use crate::http::bearer::Caller;
use crate::http::error::{Code, Problem};
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;

const TAG: &str = "sync";

pub(super) fn routes() -> Vec<Route<Shared>> {
    let path = "/v1/admin/sync/drift";
    vec![
        Route::get(path, status)
            .named(TAG, "getDrift", "What the last full look at the stores found")
            .needs(Permission::ReadSync)
            .answers::<DriftStatus>(200, "What is known of drift."),
        Route::post(path, ask)
            .named(TAG, "findDrift", "Have the stores compared with git now")
            .needs(Permission::TriggerSync)
            .optional_body::<DriftRequest>(json!({ "dryRun": true }))
            .answers::<DriftStatus>(202, "They are looked at; the look is over once `answered` has reached `asked`.")
            .fails(&[Code::NotLeading]),
    ]
}

/// What is known of drift.
pub(super) async fn status(State(shared): State<Shared>) -> Json<DriftStatus> {
    Json(shared.drift.status().borrow().clone())
}

/// Has the stores looked at now. The answer names the look as `asked`; once `answered` has reached it, it is over.
pub(super) async fn ask(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Optional(request): Optional<DriftRequest>,
) -> Result<(StatusCode, Json<DriftStatus>), Problem> {
    if shared.leading.borrow().is_none() {
        return Err(Problem::new(Code::NotLeading));
    }
    // A healing that is carried out against the guardrails is a release.
    if request.allow.is_some() && !Permission::ReleasePlan.is_granted_to(&caller.roles) {
        return Err(Problem::new(Code::Forbidden).detail("this needs a role that may release a held plan"));
    }
    tracing::info!(subject = ?caller.subject, ?request, "a full look at the stores was asked for");
    let asked = shared.drift.ask(&request, caller.subject);
    let status = DriftStatus { asked, ..shared.drift.status().borrow().clone() };
    Ok((StatusCode::ACCEPTED, Json(status)))
}
