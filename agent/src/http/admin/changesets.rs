//! `POST /v1/admin/changesets`: many changes as one commit, all of them or none.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bindery_schema::report::PlanReport;
use bindery_schema::wire::admin::{Changeset, Committed};
use serde_json::json;

use super::body::Body;
use super::call::{Answer, Call, make_all};
use super::control::reason;
use crate::http::error::{Code, Problem};
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;

pub(super) fn routes() -> Vec<Route<Shared>> {
    let example = json!({
        "message": "Second site of Acme Kenya",
        "operations": [
            {
                "op": "createOperator", "id": "ke-acme-2", "mno": "ke-acme",
                "spec": {
                    "displayName": "Acme Kenya, site B",
                    "smpp": { "host": "smpp2.ke-acme.example", "port": 2775, "systemId": "keacme2" },
                    "tps": { "outbound": 40, "inbound": 0 },
                },
            },
            { "op": "createRule", "operator": "ke-acme-2", "rule": { "prefix": "+25471" } },
        ],
    });
    vec![
        Route::post("/v1/admin/changesets", create)
            .named("changesets", "createChangeset", "Make several changes as one commit, all of them or none")
            .needs(Permission::WriteCarriers)
            .body::<Changeset>(example)
            .answers::<Committed>(201, "They are applied.")
            .answers::<PlanReport>(200, "The plan, for `dryRun=true`.")
            .changes()
            .fails(&[
                Code::OperatorNotFound,
                Code::ObjectNotFound,
                Code::AlreadyExists,
                Code::OperatorIdRetired,
                Code::CarrierInUse,
            ]),
    ]
}

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
