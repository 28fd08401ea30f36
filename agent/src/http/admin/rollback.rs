//! `POST /v1/admin/sync/rollback` and `DELETE /v1/admin/sync/refused/{revision}`: takes a commit back and refuses it
//! from then on, until someone allows it again.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bindery_compiler::Options;
use bindery_schema::wire::control::{RollbackRequest, RolledBack};
use jiff::Timestamp;
use serde_json::json;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::body::Body;
use super::control::reason;
use crate::http::bearer::Caller;
use crate::http::error::{Code, Problem, chain};
use crate::http::openapi::parameters::REVISION;
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;
use crate::store::postgres::audit::{self, Cause, Entry};
use crate::store::postgres::{control, read};
use crate::sync::rollback::{Error, Reverted, Rollback, revert};
use crate::sync::{branch, fetch};

const TAG: &str = "sync";

pub(super) fn routes() -> Vec<Route<Shared>> {
    vec![
        Route::post("/v1/admin/sync/rollback", roll_back)
            .named(TAG, "rollBack", "Take a commit back by a revert on the branch, and refuse it from then on")
            .needs(Permission::RollBack)
            .body::<RollbackRequest>(json!({ "revision": "231f281856", "reason": "INC-4711: wrong host" }))
            .answers::<RolledBack>(200, "It is taken back and refused.")
            .fails(&[
                Code::RevisionNotFound,
                Code::RevertConflict,
                Code::ValidationFailed,
                Code::PushRefused,
                Code::RepositoryUnavailable,
            ]),
        Route::delete("/v1/admin/sync/refused/{revision}", allow)
            .named(TAG, "allowRevision", "Allow a revision again that was rolled back")
            .needs(Permission::RollBack)
            .takes(&[REVISION])
            .answers_nothing(204, "It is allowed again.")
            .fails(&[Code::RevisionNotFound]),
    ]
}

/// Reverts a commit on the branch, pushes, and refuses the trees that hold it.
pub(super) async fn roll_back(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<RollbackRequest>,
) -> Result<Json<RolledBack>, Problem> {
    let RollbackRequest { revision, reason: why } = request;
    let why = why.as_deref().map(reason).transpose()?.map(str::to_owned);
    // A revert without its refusal would be half of it; better none while Postgres is away.
    read::ping(&shared.stores.postgres).await?;
    // A task of its own: once pushed, it has to come to its end even if the caller has left.
    let done = tokio::spawn(carry_out(shared, caller, revision, why).in_current_span()).await;
    done.map_err(|_| Problem::new(Code::Internal))?.map(Json)
}

#[tracing::instrument(name = "sync.rollback", skip_all, fields(bindery.revision = Empty, bindery.commit = Empty))]
async fn carry_out(
    shared: Shared,
    caller: Caller,
    revision: String,
    reason: Option<String>,
) -> Result<RolledBack, Problem> {
    let rollback = Rollback {
        clone: fetch::path_in(&shared.config.data_dir),
        repository: shared.config.repository.clone(),
        options: Options { now: Timestamp::now(), environment: Some(shared.config.environment.clone()) },
        revision,
        by: caller.subject.clone(),
        reason: reason.clone(),
    };
    let reverted = tokio::task::spawn_blocking(move || revert(&rollback)).await;
    let Reverted { revision, commit, trees } = reverted.map_err(|_| Problem::new(Code::Internal))??;
    Span::current().record("bindery.revision", &revision).record("bindery.commit", commit.as_deref());
    let mut transaction = shared.stores.postgres.begin().await?;
    control::refuse(&mut transaction, &revision, &trees, reason.as_deref(), &caller.subject).await?;
    let entry = Entry {
        action: "sync.rollback".to_owned(),
        object: format!("revision/{revision}"),
        detail: json!({ "reason": reason, "revert": commit, "trees": trees }),
    };
    let cause = Cause { commit: commit.as_deref(), ..Cause::api(&caller.subject) };
    audit::append(&mut transaction, cause, &[entry]).await?;
    transaction.commit().await?;
    tracing::info!(subject = ?caller.subject, revision, commit, "a commit was rolled back");
    shared.trigger.notify_one();
    Ok(RolledBack { revision, commit })
}

/// Allows a revision again that was rolled back.
#[tracing::instrument(name = "sync.allow", skip_all)]
pub(super) async fn allow(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(revision): Path<String>,
) -> Result<StatusCode, Problem> {
    let mut transaction = shared.stores.postgres.begin().await?;
    let refused = control::read(&mut transaction).await?.revisions();
    let named = |name: &str| revision.len() >= 7 && name.starts_with(&revision);
    let refused = refused.into_iter().find(|refused| named(&refused.revision));
    let refused = refused.ok_or_else(|| Problem::new(Code::RevisionNotFound).detail("that revision is not refused"))?;
    control::allow(&mut transaction, &refused.revision).await?;
    let entry = Entry {
        action: "sync.allow".to_owned(),
        object: format!("revision/{}", refused.revision),
        detail: json!({ "refused": refused }),
    };
    audit::append(&mut transaction, Cause::api(&caller.subject), &[entry]).await?;
    transaction.commit().await?;
    tracing::info!(subject = ?caller.subject, revision = refused.revision, "a revision is allowed again");
    shared.trigger.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Unknown(_) => Code::RevisionNotFound,
            Error::Conflict(_) => Code::RevertConflict,
            Error::First(_) | Error::DoesNotCompile(_) => Code::ValidationFailed,
            Error::Branch(branch::Error::Refused(_)) => Code::PushRefused,
            Error::Fetch(_) | Error::Branch(_) | Error::Git(_) | Error::Source(_) | Error::Moving => {
                tracing::warn!(error = chain(&error), "a rollback failed");
                Code::RepositoryUnavailable
            }
        };
        let detail = match &error {
            Error::Conflict(_) => format!("{error}; revert it by hand, or roll those back first"),
            Error::DoesNotCompile(findings) => {
                let first = findings.first().map(|finding| {
                    let part = |key: &str| finding[key].as_str().unwrap_or_default();
                    format!("; {} {}:{}: {}", part("code"), part("file"), finding["line"], part("message"))
                });
                format!("{error}{}", first.unwrap_or_default())
            }
            _ => error.to_string(),
        };
        Self::new(code).detail(detail)
    }
}
