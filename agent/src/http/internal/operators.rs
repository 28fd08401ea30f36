//! `GET /v1/internal/operators[/{id}]`: operators without passwords.

use axum::Json;
use axum::extract::{Path, State};
use bindery_schema::value::{MnoId, OperatorId};
use bindery_schema::wire::api::{OperatorView, Page};
use serde::Deserialize;

use super::Internal;
use crate::http::error::Problem;
use crate::http::page::{PageQuery, cursor};
use crate::http::params::Params;
use crate::store::postgres::read::{self, OperatorRow, Selection};

#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    mno: Option<MnoId>,
}

/// A page of operators by id, of one carrier where `?mno=` says so.
pub(super) async fn list(
    State(internal): State<Internal>,
    Params(page): Params<PageQuery>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<OperatorView>>, Problem> {
    let limit = page.limit()?;
    // One more than asked for tells whether there is a next page.
    let selection = Selection {
        after: page.after()?,
        mno: filter.mno.map(Into::into),
        limit: i64::from(limit) + 1,
        ..Selection::default()
    };
    let mut connection = internal.shared.stores.postgres.acquire().await?;
    let rows = read::operators(&mut connection, &selection).await?;
    let next = (rows.len() > usize::from(limit)).then(|| rows.get(usize::from(limit) - 1)).flatten();
    let next_cursor = next.map(|row| cursor(row.id.as_str()));
    let items = rows.into_iter().take(usize::from(limit)).map(view).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// One operator.
pub(super) async fn read(
    State(internal): State<Internal>,
    Path(id): Path<String>,
) -> Result<Json<OperatorView>, Problem> {
    let operator: OperatorId = id.parse().map_err(|_| Problem::no_operator(&id))?;
    let mut connection = internal.shared.stores.postgres.acquire().await?;
    let row = read::operator(&mut connection, &operator).await?.filter(|row| row.deleted_at.is_none());
    row.map(|row| Json(view(row))).ok_or_else(|| Problem::no_operator(&id))
}

fn view(row: OperatorRow) -> OperatorView {
    OperatorView {
        operator_id: row.id,
        mno_id: row.mno,
        display_name: row.spec.display_name.to_string(),
        status: row.spec.status,
        smpp: row.spec.smpp,
        tps: row.spec.tps,
        commit: row.commit,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
