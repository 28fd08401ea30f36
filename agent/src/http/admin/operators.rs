//! `/v1/admin/operators[/{id}]`: operators as in YAML. A password comes in and never goes out.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bindery_schema::operator::Status;
use bindery_schema::value::{Country, MnoId, OperatorId};
use bindery_schema::wire::admin::{NewOperator, Operation, OperatorPatch};
use bindery_schema::wire::api::{AdminOperator, Page};
use serde::Deserialize;
use serde_json::json;

use super::body::Body;
use super::call::{Answer, Call, make};
use crate::http::error::{Code, Problem};
use crate::http::openapi::parameters::{COUNTRY, INCLUDE_DELETED, OF_MNO, OPERATOR, STATUS, search};
use crate::http::page::{PageQuery, named};
use crate::http::params::Params;
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;
use crate::store::postgres::read::{self, OperatorRow, Selection};
use crate::store::postgres::sync_state;
use crate::write::tag;

const TAG: &str = "operators";

pub(super) fn routes() -> Vec<Route<Shared>> {
    let (list_path, path) = ("/v1/admin/operators", "/v1/admin/operators/{id}");
    let new = json!({
        "id": "ke-acme-1", "mno": "ke-acme", "password": "s3cret42",
        "spec": {
            "displayName": "Acme Kenya, site A",
            "smpp": { "host": "smpp1.ke-acme.example", "port": 2775, "systemId": "keacme1" },
            "tps": { "outbound": 50, "inbound": 0 },
        },
    });
    vec![
        Route::get(list_path, list)
            .named(TAG, "listOperators", "Operators by id")
            .needs(Permission::ReadOperators)
            .takes(&[OF_MNO, COUNTRY, STATUS, search("A text in id, name, host or systemId."), INCLUDE_DELETED])
            .lists::<AdminOperator>(),
        Route::post(list_path, create)
            .named(TAG, "createOperator", "Add an operator")
            .needs(Permission::WriteOperators)
            .body::<NewOperator>(new)
            .creates::<AdminOperator>()
            .fails(&[Code::ObjectNotFound, Code::OperatorIdRetired]),
        Route::get(path, read)
            .named(TAG, "getOperator", "One operator, without its password")
            .needs(Permission::ReadOperators)
            .takes(&[OPERATOR])
            .answers::<AdminOperator>(200, "The operator.")
            .tagged()
            .fails(&[Code::OperatorNotFound]),
        Route::patch(path, update)
            .named(TAG, "updateOperator", "Change an operator, its password, or both")
            .needs(Permission::WriteOperators)
            .takes(&[OPERATOR])
            .body::<OperatorPatch>(json!({ "spec": { "tps": { "outbound": 40 } } }))
            .updates::<AdminOperator>()
            .fails(&[Code::OperatorNotFound, Code::ObjectNotFound]),
        Route::delete(path, delete)
            .named(TAG, "deleteOperator", "Take an operator and its rules out; its id is never given to another")
            .needs(Permission::WriteOperators)
            .takes(&[OPERATOR])
            .deletes()
            .fails(&[Code::OperatorNotFound]),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    mno: Option<MnoId>,
    country: Option<Country>,
    status: Option<Status>,
    q: Option<String>,
    #[serde(default)]
    include_deleted: bool,
}

/// A page of operators by id; `?mno=`, `?country=`, `?status=`, `?q=` for a text in id, name, host or systemId, and
/// `?includeDeleted=true`.
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(page): Params<PageQuery>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<AdminOperator>>, Problem> {
    let limit = page.limit()?;
    let selection = Selection {
        after: page.after()?,
        mno: filter.mno.map(Into::into),
        country: filter.country.map(Into::into),
        status: filter.status,
        text: filter.q,
        deleted: filter.include_deleted,
        // One more than asked for tells whether there is a next page.
        limit: i64::from(limit) + 1,
    };
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let step = sync_state::read(&mut snapshot).await?;
    let rows = read::operators(&mut snapshot, &selection).await?;
    snapshot.commit().await?;
    let items = rows.into_iter().map(|row| view(row, step.generation)).collect();
    Ok(Json(named(items, limit, |operator: &AdminOperator| operator.id.as_str())))
}

/// One operator; a deleted one is not found.
pub(super) async fn read(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(one(&shared, &known(&id)?, StatusCode::OK).await?.into_response())
}

/// Adds an operator.
pub(super) async fn create(
    State(shared): State<Shared>,
    call: Call,
    Body(new): Body<NewOperator>,
) -> Result<Response, Problem> {
    make(shared, call, Operation::CreateOperator(new), async |shared, committed| {
        let id = known(committed.objects.first().map_or("", String::as_str))?;
        Ok(one(&shared, &id, StatusCode::CREATED).await?.at(format!("/v1/admin/operators/{id}")))
    })
    .await
}

/// Changes an operator, its password, or both.
pub(super) async fn update(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    Body(patch): Body<OperatorPatch>,
) -> Result<Response, Problem> {
    let id = known(&id)?;
    let operation = Operation::UpdateOperator { id: id.clone(), patch };
    make(shared, call, operation, async move |shared, _| one(&shared, &id, StatusCode::OK).await).await
}

/// Takes an operator out. Its row stays as history.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    make(shared, call, Operation::DeleteOperator { id: known(&id)? }, async |_, _| Ok(Answer::no_content())).await
}

/// The id, if it is one.
pub(super) fn known(id: &str) -> Result<OperatorId, Problem> {
    id.parse().map_err(|_| Problem::no_operator(id))
}

async fn one(shared: &Shared, id: &OperatorId, status: StatusCode) -> Result<Answer, Problem> {
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let step = sync_state::read(&mut snapshot).await?;
    let row = read::operator(&mut snapshot, id).await?.filter(|row| row.deleted_at.is_none());
    snapshot.commit().await?;
    let row = row.ok_or_else(|| Problem::no_operator(id.as_str()))?;
    let tag = tag::operator(&row.id, &row.mno, &row.spec_hash);
    Ok(Answer::of(status, &view(row, step.generation)).tagged(tag))
}

fn view(row: OperatorRow, generation: i64) -> AdminOperator {
    AdminOperator {
        id: row.id,
        mno: row.mno,
        spec: row.spec,
        commit: row.commit,
        generation,
        created_at: row.created_at,
        updated_at: row.updated_at,
        deleted_at: row.deleted_at,
    }
}
