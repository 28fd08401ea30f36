//! `/v1/admin/mnos[/{id}]`: carriers as in YAML.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bindery_schema::value::{Country, MnoId};
use bindery_schema::wire::admin::{AdminMno, MnoPatch, NewMno, Operation};
use bindery_schema::wire::api::Page;
use serde::Deserialize;
use serde_json::json;

use super::body::Body;
use super::call::{Answer, Call, make};
use crate::http::error::{Code, Problem};
use crate::http::openapi::parameters::{COUNTRY, MNO, search};
use crate::http::page::{PageQuery, named};
use crate::http::params::Params;
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;
use crate::store::postgres::{carriers, read, sync_state};
use crate::write::tag;

const TAG: &str = "mnos";

pub(super) fn routes() -> Vec<Route<Shared>> {
    let (list_path, path) = ("/v1/admin/mnos", "/v1/admin/mnos/{id}");
    let new = json!({
        "id": "ke-acme",
        "spec": {
            "name": "Acme Kenya", "country": "KE",
            "contacts": {
                "t1": [{ "name": "Acme NOC", "phone": "+254700000001" }],
                "t2": [{ "name": "Acme messaging", "email": "messaging@ke-acme.example" }],
                "t3": [{ "name": "Acme carrier relations", "email": "carriers@ke-acme.example" }],
            },
        },
    });
    vec![
        Route::get(list_path, list)
            .named(TAG, "listMnos", "Carriers by id")
            .needs(Permission::ReadOperators)
            .takes(&[COUNTRY, search("A text in id or name.")])
            .lists::<AdminMno>(),
        Route::post(list_path, create)
            .named(TAG, "createMno", "Add a carrier")
            .needs(Permission::WriteCarriers)
            .body::<NewMno>(new)
            .creates::<AdminMno>()
            .fails(&[Code::AlreadyExists]),
        Route::get(path, read)
            .named(TAG, "getMno", "One carrier")
            .needs(Permission::ReadOperators)
            .takes(&[MNO])
            .answers::<AdminMno>(200, "The carrier.")
            .tagged()
            .fails(&[Code::ObjectNotFound]),
        Route::patch(path, update)
            .named(TAG, "updateMno", "Change a carrier")
            .needs(Permission::WriteCarriers)
            .takes(&[MNO])
            .body::<MnoPatch>(json!({ "spec": { "notes": "Maintenance is announced by e-mail." } }))
            .updates::<AdminMno>()
            .fails(&[Code::ObjectNotFound]),
        Route::delete(path, delete)
            .named(TAG, "deleteMno", "Take a carrier without operators out, and its contracts")
            .needs(Permission::WriteCarriers)
            .takes(&[MNO])
            .deletes()
            .fails(&[Code::ObjectNotFound, Code::CarrierInUse]),
    ]
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    country: Option<Country>,
    q: Option<String>,
}

/// A page of carriers by id; `?country=`, and `?q=` for a text in id or name.
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(page): Params<PageQuery>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<AdminMno>>, Problem> {
    let (limit, after) = (page.limit()?, page.after()?);
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let generation = sync_state::read(&mut snapshot).await?.generation;
    let country = filter.country.map(String::from);
    let mut ids = carriers::matching(&mut snapshot, country.as_deref(), filter.q.as_deref()).await?;
    ids.sort();
    // One more than asked for tells whether there is a next page.
    let ids: Vec<MnoId> = ids.into_iter().filter(|id| id.as_str() > &*after).take(usize::from(limit) + 1).collect();
    let details = carriers::details(&mut snapshot, &ids).await?;
    snapshot.commit().await?;
    let items = details.into_iter().map(|(id, detail)| AdminMno { id, spec: (*detail.spec).clone(), generation });
    Ok(Json(named(items.collect(), limit, |mno| mno.id.as_str())))
}

/// One carrier; a deleted one is not found.
pub(super) async fn read(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(one(&shared, &known(&id)?, StatusCode::OK).await?.into_response())
}

/// Adds a carrier.
pub(super) async fn create(
    State(shared): State<Shared>,
    call: Call,
    Body(new): Body<NewMno>,
) -> Result<Response, Problem> {
    make(shared, call, Operation::CreateMno(new), async |shared, committed| {
        let id = known(committed.objects.first().map_or("", String::as_str))?;
        Ok(one(&shared, &id, StatusCode::CREATED).await?.at(format!("/v1/admin/mnos/{id}")))
    })
    .await
}

/// Changes a carrier.
pub(super) async fn update(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    Body(patch): Body<MnoPatch>,
) -> Result<Response, Problem> {
    let id = known(&id)?;
    let operation = Operation::UpdateMno { id: id.clone(), spec: patch.spec };
    make(shared, call, operation, async move |shared, _| one(&shared, &id, StatusCode::OK).await).await
}

/// Takes a carrier and its contracts out.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    make(shared, call, Operation::DeleteMno { id: known(&id)? }, async |_, _| Ok(Answer::no_content())).await
}

/// The id, if it is one.
pub(super) fn known(id: &str) -> Result<MnoId, Problem> {
    id.parse().map_err(|_| Problem::new(Code::ObjectNotFound).detail("there is no such carrier"))
}

async fn one(shared: &Shared, id: &MnoId, status: StatusCode) -> Result<Answer, Problem> {
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let generation = sync_state::read(&mut snapshot).await?.generation;
    let exists = carriers::exists(&mut snapshot, id).await?;
    let detail = carriers::details(&mut snapshot, std::slice::from_ref(id)).await?.remove(id);
    snapshot.commit().await?;
    let missing = || Problem::new(Code::ObjectNotFound).detail(format!("there is no carrier {id}"));
    let detail = detail.filter(|_| exists).ok_or_else(missing)?;
    let view = AdminMno { id: id.clone(), spec: (*detail.spec).clone(), generation };
    Ok(Answer::of(status, &view).tagged(tag::of(&view.spec)))
}
