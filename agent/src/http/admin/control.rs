//! `/v1/admin/sync/pause` and `/v1/admin/sync/held/{hash}/release`: what people tell the sync. Each is one transaction
//! with its audit row; any agent takes it, the leading one acts on it at its next look.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bindery_schema::wire::control::{HeldPlan, Pause, PauseRequest};
use serde_json::json;

use super::body::Body;
use crate::http::bearer::Caller;
use crate::http::error::{Code, Problem};
use crate::http::openapi::parameters::PLAN;
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;
use crate::store::postgres::audit::{self, Cause, Entry};
use crate::store::postgres::control;

const TAG: &str = "sync";

pub(super) fn routes() -> Vec<Route<Shared>> {
    vec![
        Route::post("/v1/admin/sync/held/{hash}/release", release)
            .named(TAG, "releasePlan", "Release the held plan by its hash")
            .needs(Permission::ReleasePlan)
            .takes(&[PLAN])
            .answers::<HeldPlan>(202, "It is about to be applied.")
            .fails(&[Code::NothingHeld, Code::PlanHashMismatch]),
        Route::post("/v1/admin/sync/pause", pause)
            .named(TAG, "pauseSync", "Apply no commit for a while; the branch is still looked at")
            .needs(Permission::PauseSync)
            .body::<PauseRequest>(json!({ "reason": "INC-4711: carrier maintenance", "seconds": 3600 }))
            .answers::<Pause>(200, "The pause."),
        Route::delete("/v1/admin/sync/pause", resume)
            .named(TAG, "resumeSync", "End a pause")
            .needs(Permission::PauseSync)
            .answers_nothing(204, "There is no pause any more."),
    ]
}

/// Longest pause, in seconds: a week. Whoever wants more has to say so again.
const LONGEST: u32 = 7 * 24 * 3_600;
/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// A reason as people will read it, on a terminal too.
pub(super) fn reason(text: &str) -> Result<&str, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_REASON || text.contains(char::is_control) {
        let detail = format!("reason is one line of 1 to {LONGEST_REASON} characters, for whoever finds this");
        return Err(Problem::new(Code::BadRequest).detail(detail));
    }
    Ok(text)
}

/// Pauses: commits are looked at and not applied, until the pause ends by itself or is ended.
#[tracing::instrument(name = "sync.pause", skip_all, fields(bindery.seconds = request.seconds))]
pub(super) async fn pause(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<PauseRequest>,
) -> Result<Json<Pause>, Problem> {
    let reason = reason(&request.reason)?;
    if !(1..=LONGEST).contains(&request.seconds) {
        return Err(Problem::new(Code::BadRequest).detail(format!("seconds is a number from 1 to {LONGEST}, a week")));
    }
    let mut transaction = shared.stores.postgres.begin().await?;
    let pause = control::pause(&mut transaction, reason, &caller.subject, request.seconds).await?;
    let entry = Entry { action: "sync.pause".to_owned(), object: "sync/pause".to_owned(), detail: json!(pause) };
    audit::append(&mut transaction, Cause::api(&caller.subject), &[entry]).await?;
    transaction.commit().await?;
    tracing::info!(subject = ?caller.subject, reason, until = %pause.until, "the sync is paused");
    shared.trigger.notify_one();
    Ok(Json(pause))
}

/// Ends a pause. Without one nothing happens.
#[tracing::instrument(name = "sync.resume", skip_all)]
pub(super) async fn resume(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    let mut transaction = shared.stores.postgres.begin().await?;
    let pause = control::read(&mut transaction).await?.pause;
    if control::resume(&mut transaction, false).await? {
        let entry = Entry { action: "sync.resume".to_owned(), object: "sync/pause".to_owned(), detail: json!(pause) };
        audit::append(&mut transaction, Cause::api(&caller.subject), &[entry]).await?;
        tracing::info!(subject = ?caller.subject, "the pause is ended");
    }
    transaction.commit().await?;
    shared.trigger.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Releases the held plan by its hash, in full.
#[tracing::instrument(name = "sync.release", skip_all)]
pub(super) async fn release(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(hash): Path<String>,
) -> Result<(StatusCode, Json<HeldPlan>), Problem> {
    let mut transaction = shared.stores.postgres.begin().await?;
    match control::release(&mut transaction, &hash, &caller.subject).await? {
        Ok(()) => {}
        Err(None) => return Err(Problem::new(Code::NothingHeld)),
        Err(Some(held)) => {
            let detail = format!("the plan that is held has the hash {held}; look at it before you release it");
            return Err(Problem::new(Code::PlanHashMismatch).detail(detail));
        }
    }
    let held = control::held(&mut transaction).await?.ok_or_else(|| Problem::new(Code::NothingHeld))?;
    let entry = Entry {
        action: "sync.release".to_owned(),
        object: format!("plan/{hash}"),
        detail: json!({ "holds": held.holds, "counts": held.counts }),
    };
    let cause = Cause { commit: Some(&held.commit), plan_hash: Some(&hash), ..Cause::api(&caller.subject) };
    audit::append(&mut transaction, cause, &[entry]).await?;
    transaction.commit().await?;
    tracing::info!(subject = ?caller.subject, hash, commit = held.commit, "a held plan is released");
    shared.trigger.notify_one();
    Ok((StatusCode::ACCEPTED, Json(held)))
}
