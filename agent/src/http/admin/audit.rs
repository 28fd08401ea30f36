//! `GET /v1/admin/audit`: who changed what, newest first.

use axum::Json;
use axum::extract::State;
use bindery_schema::wire::api::Page;
use bindery_schema::wire::control::AuditEntry;
use serde::Deserialize;

use crate::http::error::Problem;
use crate::http::openapi::parameters::{OBJECT, SINCE, UNTIL};
use crate::http::page::{PageQuery, numbered};
use crate::http::params::{Params, Period};
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;
use crate::store::postgres::audit::{Selection, page};

pub(super) fn routes() -> Vec<Route<Shared>> {
    vec![
        Route::get("/v1/admin/audit", list)
            .named("audit", "listAudit", "Who changed what, newest first")
            .needs(Permission::ReadAudit)
            .takes(&[OBJECT, SINCE, UNTIL])
            .lists::<AuditEntry>(),
    ]
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    object: Option<String>,
}

/// A page of the audit trail; `?object=`, `?since=` and `?until=`.
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(query): Params<PageQuery>,
    Params(filter): Params<Filter>,
    Params(period): Params<Period>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let limit = query.limit()?;
    let (since, until) = period.bounds()?;
    let before = query.before()?;
    let selection = Selection { object: filter.object, since, until, before, limit: i64::from(limit) + 1 };
    let entries = page(&shared.stores.postgres, &selection).await?;
    Ok(Json(numbered(entries, limit, |entry| entry.id)))
}
