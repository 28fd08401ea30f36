//! `/v1/admin/tenants/{id}/reservations[/{reservationId}]`: what a tenant reserved. A tenant sees its own only.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bindery_schema::contract::Reservation;
use bindery_schema::value::{MnoId, TenantId};
use bindery_schema::wire::admin::{AdminReservation, NewReservation, Operation, ReservationKey};
use bindery_schema::wire::api::Page;
use bindery_schema::wire::patch::Patch;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body::Body;
use super::call::{Answer, Call, make};
use crate::http::bearer::Caller;
use crate::http::error::{Code, Problem};
use crate::http::openapi::parameters::{OF_MNO, RESERVATION, TENANT};
use crate::http::page::{PageQuery, named};
use crate::http::params::Params;
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;
use crate::store::postgres::{carriers, read, sync_state};
use crate::write::tag;

const TAG: &str = "reservations";

pub(super) fn routes() -> Vec<Route<Shared>> {
    let list_path = "/v1/admin/tenants/{id}/reservations";
    let path = "/v1/admin/tenants/{id}/reservations/{reservation}";
    let new = json!({
        "mno": "ke-acme", "direction": "OUTBOUND", "reservedTps": 20, "effectiveFrom": "2026-01-01",
    });
    vec![
        Route::get(list_path, list)
            .named(TAG, "listReservations", "Reservations of a tenant by id; a tenant sees its own")
            .needs(Permission::ReadReservations)
            .takes(&[TENANT, OF_MNO])
            .lists::<AdminReservation>()
            .fails(&[Code::ObjectNotFound]),
        Route::post(list_path, create)
            .named(TAG, "createReservation", "Reserve throughput for a tenant")
            .needs(Permission::WriteContracts)
            .takes(&[TENANT])
            .body::<NewReservation>(new)
            .creates::<AdminReservation>()
            .fails(&[Code::ObjectNotFound]),
        Route::get(path, read)
            .named(TAG, "getReservation", "One reservation")
            .needs(Permission::ReadReservations)
            .takes(&[TENANT, RESERVATION])
            .answers::<AdminReservation>(200, "The reservation.")
            .tagged()
            .fails(&[Code::ObjectNotFound]),
        Route::patch(path, update)
            .named(TAG, "updateReservation", "Change a reservation")
            .needs(Permission::WriteContracts)
            .takes(&[TENANT, RESERVATION])
            .body::<Patch<Reservation>>(json!({ "reservedTps": 30 }))
            .updates::<AdminReservation>()
            .fails(&[Code::ObjectNotFound]),
        Route::delete(path, delete)
            .named(TAG, "deleteReservation", "Give a reservation up")
            .needs(Permission::WriteContracts)
            .takes(&[TENANT, RESERVATION])
            .deletes()
            .fails(&[Code::ObjectNotFound]),
    ]
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    mno: Option<MnoId>,
}

/// A page of a tenant's reservations by id; `?mno=`.
pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(tenant): Path<String>,
    Params(page): Params<PageQuery>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<AdminReservation>>, Problem> {
    let (limit, after) = (page.limit()?, page.after()?);
    let tenant = own(&caller, &tenant)?;
    let mut items = of(&shared, &tenant).await?;
    items.sort_by(|a, b| a.id.cmp(&b.id));
    let wanted = |item: &AdminReservation| filter.mno.as_ref().is_none_or(|mno| item.mno == *mno);
    let items = items.into_iter().filter(|item| *item.id > *after && wanted(item)).collect();
    Ok(Json(named(items, limit, |item| &item.id)))
}

/// One reservation.
pub(super) async fn read(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(one(&shared, &own(&caller, &tenant)?, &id, StatusCode::OK).await?.into_response())
}

/// Reserves.
pub(super) async fn create(
    State(shared): State<Shared>,
    Path(tenant): Path<String>,
    call: Call,
    Body(new): Body<NewReservation>,
) -> Result<Response, Problem> {
    let tenant = known(&tenant)?;
    let NewReservation { mno, mut reservation } = new;
    reservation["tenant"] = json!(tenant);
    let direction = reservation["direction"].as_str().unwrap_or_default().to_owned();
    let from = reservation["effectiveFrom"].as_str().map(str::to_owned);
    let prefix = format!("{mno}:{direction}:");
    make(shared, call, Operation::CreateReservation { mno, reservation }, async move |shared, _| {
        // Without a first day it begins with the carrier's first contract.
        let is_it = |item: &&AdminReservation| {
            item.id.starts_with(&prefix) && from.as_ref().is_none_or(|from| item.id.ends_with(from))
        };
        let items = of(&shared, &tenant).await?;
        let item = items.iter().find(is_it).ok_or_else(missing)?;
        let location = format!("/v1/admin/tenants/{tenant}/reservations/{}", item.id);
        Ok(Answer::of(StatusCode::CREATED, item).tagged(tag::of(&item.reservation)).at(location))
    })
    .await
}

/// Changes a reservation.
pub(super) async fn update(
    State(shared): State<Shared>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
    Body(reservation): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let key = key(&tenant, &id)?;
    let tenant = key.tenant.clone();
    let reservation = reservation.into();
    make(shared, call, Operation::UpdateReservation { key, reservation }, async move |shared, _| {
        one(&shared, &tenant, &id, StatusCode::OK).await
    })
    .await
}

/// Gives a reservation up.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let key = key(&tenant, &id)?;
    make(shared, call, Operation::DeleteReservation { key }, async |_, _| Ok(Answer::no_content())).await
}

/// The tenant, where the caller may see it: one that is only a tenant sees itself.
fn own(caller: &Caller, tenant: &str) -> Result<TenantId, Problem> {
    if caller.is_only_tenant() && caller.tenant.as_deref() != Some(tenant) {
        return Err(Problem::new(Code::Forbidden).detail("a tenant sees its own reservations only"));
    }
    known(tenant)
}

fn known(tenant: &str) -> Result<TenantId, Problem> {
    tenant.parse().map_err(|_| Problem::new(Code::ObjectNotFound).detail("there is no such tenant"))
}

fn key(tenant: &str, id: &str) -> Result<ReservationKey, Problem> {
    let wrong = || Problem::new(Code::ObjectNotFound).detail("a reservation's id is <mno>:<direction>:<first day>");
    ReservationKey::of_id(known(tenant)?, id).ok_or_else(wrong)
}

fn missing() -> Problem {
    Problem::new(Code::ObjectNotFound).detail("there is no such reservation")
}

async fn one(shared: &Shared, tenant: &TenantId, id: &str, status: StatusCode) -> Result<Answer, Problem> {
    let found = of(shared, tenant).await?.into_iter().find(|item| item.id == id).ok_or_else(missing)?;
    Ok(Answer::of(status, &found).tagged(tag::of(&found.reservation)))
}

async fn of(shared: &Shared, tenant: &TenantId) -> Result<Vec<AdminReservation>, Problem> {
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let generation = sync_state::read(&mut snapshot).await?.generation;
    let contracts = carriers::contracts_of(&mut snapshot, None).await?;
    snapshot.commit().await?;
    let own = contracts.into_iter().flat_map(|(mno, of)| {
        let own = of.reservations.into_iter().filter(|reservation| reservation.tenant == *tenant);
        own.map(move |reservation| (mno.clone(), reservation)).collect::<Vec<_>>()
    });
    let view = |(mno, reservation): (MnoId, Reservation)| {
        let effective_from = reservation.effective_from?;
        let (tenant, direction) = (tenant.clone(), reservation.direction);
        let key = ReservationKey { tenant, mno, direction, effective_from };
        Some(AdminReservation { id: key.id(), mno: key.mno, reservation, generation })
    };
    Ok(own.filter_map(view).collect())
}
