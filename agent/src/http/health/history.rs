//! What an operator's state was, newest change first.

use axum::Json;
use axum::extract::{Path, State};
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::Page;
use bindery_schema::wire::health::HealthChange;

use crate::http::error::Problem;
use crate::http::page::{PageQuery, numbered};
use crate::http::params::{Params, Period};
use crate::shared::Shared;
use crate::store::postgres::health_log::{Selection, page};

/// A page of changes; `?since=` and `?until=`. A deleted operator has a history too.
#[tracing::instrument(name = "health.history", skip_all, fields(bindery.operator.id))]
pub(super) async fn history(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
    Params(period): Params<Period>,
) -> Result<Json<Page<HealthChange>>, Problem> {
    let operator: OperatorId = id.parse().map_err(|_| Problem::no_operator(&id))?;
    tracing::Span::current().record("bindery.operator.id", operator.as_str());
    let limit = query.limit()?;
    let (since, until) = period.bounds()?;
    let selection = Selection { operator, since, until, before: query.before()?, limit: i64::from(limit) + 1 };
    let changes = page(&shared.stores.postgres, &selection).await?;
    let changes = changes.ok_or_else(|| Problem::no_operator(&id))?;
    Ok(Json(numbered(changes, limit, |change| change.id)))
}
