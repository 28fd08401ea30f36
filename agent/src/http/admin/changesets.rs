//! `POST /v1/admin/changesets`: many changes as one commit, all of them or none.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bindery_schema::wire::admin::Changeset;

use super::body::Body;
use super::call::{Answer, Call, make_all};
use super::control::reason;
use crate::http::error::{Code, Problem};
use crate::shared::Shared;

/// Most changes at a time: what a person can still review.
const MOST: usize = 1_000;

/// Makes them.
pub(super) async fn create(
    State(shared): State<Shared>,
    call: Call,
    Body(changeset): Body<Changeset>,
) -> Result<Response, Problem> {
    let Changeset { message, operations } = changeset;
    let message = message.as_deref().map(reason).transpose()?.map(str::to_owned);
    if operations.is_empty() || operations.len() > MOST {
        return Err(Problem::new(Code::BadRequest).detail(format!("operations holds 1 to {MOST} changes")));
    }
    make_all(shared, call, operations, message, async |_, committed| Ok(Answer::of(StatusCode::CREATED, &committed)))
        .await
}
