//! `/v1/admin/tps-contracts[/{id}]`: what carriers' contracts allow, what is reserved of it and which binds share it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bindery_schema::contract::{Contract, Direction, TpsContractSpec};
use bindery_schema::operator::Status;
use bindery_schema::value::{Day, MnoId};
use bindery_schema::wire::admin::{AdminContract, BindShare, ContractKey, NewContract, Operation, Pool};
use bindery_schema::wire::api::Page;
use bindery_schema::wire::patch::Patch;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body::Body;
use super::call::{Answer, Call, make};
use crate::http::error::{Code, Problem};
use crate::http::openapi::parameters::{CONTRACT, DIRECTION, OF_MNO};
use crate::http::page::{PageQuery, named};
use crate::http::params::Params;
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;
use crate::store::postgres::{carriers, operators, read, sync_state};
use crate::sync::project;
use crate::write::tag;

const TAG: &str = "tps-contracts";

pub(super) fn routes() -> Vec<Route<Shared>> {
    let (list_path, path) = ("/v1/admin/tps-contracts", "/v1/admin/tps-contracts/{id}");
    let new = json!({
        "mno": "ke-acme", "ref": "CTR-2026", "direction": "OUTBOUND", "contractedTps": 100,
        "effectiveFrom": "2026-01-01", "document": "s3://contracts/ke-acme/2026.pdf",
    });
    vec![
        Route::get(list_path, list)
            .named(TAG, "listContracts", "Contracts by id, with what is reserved of them")
            .needs(Permission::ReadContracts)
            .takes(&[OF_MNO, DIRECTION])
            .lists::<AdminContract>(),
        Route::post(list_path, create)
            .named(TAG, "createContract", "Add a contract")
            .needs(Permission::WriteContracts)
            .body::<NewContract>(new)
            .creates::<AdminContract>()
            .fails(&[Code::ObjectNotFound]),
        Route::get(path, read)
            .named(TAG, "getContract", "One contract")
            .needs(Permission::ReadContracts)
            .takes(&[CONTRACT])
            .answers::<AdminContract>(200, "The contract.")
            .tagged()
            .fails(&[Code::ObjectNotFound]),
        Route::patch(path, update)
            .named(TAG, "updateContract", "Change a contract")
            .needs(Permission::WriteContracts)
            .takes(&[CONTRACT])
            .body::<Patch<Contract>>(json!({ "contractedTps": 120 }))
            .updates::<AdminContract>()
            .fails(&[Code::ObjectNotFound]),
        Route::delete(path, delete)
            .named(TAG, "deleteContract", "Take a contract out")
            .needs(Permission::WriteContracts)
            .takes(&[CONTRACT])
            .deletes()
            .fails(&[Code::ObjectNotFound]),
    ]
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    mno: Option<MnoId>,
    direction: Option<Direction>,
}

/// A page of contracts by id; `?mno=` and `?direction=`.
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(page): Params<PageQuery>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<AdminContract>>, Problem> {
    let (limit, after) = (page.limit()?, page.after()?);
    let mut items = of(&shared, filter.mno.as_ref().map(MnoId::as_str)).await?;
    items.sort_by(|a, b| a.id.cmp(&b.id));
    let wanted = |item: &AdminContract| filter.direction.is_none_or(|way| item.contract.direction == way);
    let items = items.into_iter().filter(|item| *item.id > *after && wanted(item)).collect();
    Ok(Json(named(items, limit, |item| &item.id)))
}

/// One contract.
pub(super) async fn read(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(one(&shared, &known(&id)?, StatusCode::OK).await?.into_response())
}

/// Adds a contract.
pub(super) async fn create(
    State(shared): State<Shared>,
    call: Call,
    Body(new): Body<NewContract>,
) -> Result<Response, Problem> {
    let NewContract { mno, contract } = new;
    make(shared, call, Operation::CreateContract { mno, contract }, async |shared, committed| {
        let id = committed.objects.first().cloned().unwrap_or_default();
        Ok(one(&shared, &known(&id)?, StatusCode::CREATED).await?.at(format!("/v1/admin/tps-contracts/{id}")))
    })
    .await
}

/// Changes a contract.
pub(super) async fn update(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    Body(contract): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let key = known(&id)?;
    let operation = Operation::UpdateContract { key: key.clone(), contract: contract.into() };
    make(shared, call, operation, async move |shared, _| one(&shared, &key, StatusCode::OK).await).await
}

/// Takes a contract out.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    make(shared, call, Operation::DeleteContract { key: known(&id)? }, async |_, _| Ok(Answer::no_content())).await
}

/// The contract an id names.
fn known(id: &str) -> Result<ContractKey, Problem> {
    ContractKey::of_id(id).ok_or_else(|| missing("a contract's id is <mno>:<direction>:<ref>"))
}

fn missing(detail: &str) -> Problem {
    Problem::new(Code::ObjectNotFound).detail(detail)
}

async fn one(shared: &Shared, key: &ContractKey, status: StatusCode) -> Result<Answer, Problem> {
    let id = key.id();
    let found = of(shared, Some(key.mno.as_str())).await?.into_iter().find(|contract| contract.id == id);
    let found = found.ok_or_else(|| missing("there is no such contract"))?;
    Ok(Answer::of(status, &found).tagged(tag::of(&found.contract)))
}

/// The contracts of a carrier, or of all.
async fn of(shared: &Shared, mno: Option<&str>) -> Result<Vec<AdminContract>, Problem> {
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let generation = sync_state::read(&mut snapshot).await?.generation;
    let mnos = mno.map(|mno| [mno]);
    let mnos = mnos.as_ref().map(|mnos| &mnos[..]);
    let contracts = carriers::contracts_of(&mut snapshot, mnos).await?;
    let binds = operators::specs(&mut snapshot, mnos).await?;
    snapshot.commit().await?;
    let today = Day::of(Timestamp::now());
    let mut views = Vec::new();
    for (mno, of) in &contracts {
        for contract in &of.contracts {
            let key =
                ContractKey { mno: mno.clone(), direction: contract.direction, reference: contract.reference.clone() };
            let carries = |spec: &bindery_schema::operator::OperatorSpec| {
                spec.status == Status::Active && spec.tps.of(contract.direction) > 0
            };
            let own = binds.iter().filter(|(_, carrier, spec)| carrier == mno && carries(spec));
            let share = |(id, _, spec): &(_, _, bindery_schema::operator::OperatorSpec)| BindShare {
                operator: bindery_schema::value::OperatorId::clone(id),
                tps: spec.tps.of(contract.direction),
            };
            views.push(AdminContract {
                id: key.id(),
                mno: mno.clone(),
                pool: pool(of, contract, today),
                binds: own.map(share).collect(),
                contract: contract.clone(),
                generation,
            });
        }
    }
    Ok(views)
}

/// What is reserved and free, where the contract is the one in force.
fn pool(of: &TpsContractSpec, contract: &Contract, today: Day) -> Option<Pool> {
    let tps = project::tps(of, contract.direction, today);
    let pool = Pool { contracted: tps.contracted, reserved: tps.reserved, on_demand_pool: tps.on_demand_pool };
    contract.period().contains(today).then_some(pool)
}
