//! `GET /v1/admin/operators[/{id}]`: operators as in YAML. Never a password.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderValue;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::{AdminOperator, Page};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::http::error::Problem;
use crate::http::page::{PageQuery, cursor};
use crate::shared::Shared;
use crate::store::postgres::read::{self, OperatorRow, Selection};
use crate::store::postgres::sync_state;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    mno: Option<String>,
    #[serde(default)]
    include_deleted: bool,
}

/// A page of operators by id; `?mno=` and `?includeDeleted=true`.
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<AdminOperator>>, Problem> {
    let limit = page.limit()?;
    let selection = Selection {
        after: page.after()?,
        mno: filter.mno,
        deleted: filter.include_deleted,
        // One more than asked for tells whether there is a next page.
        limit: i64::from(limit) + 1,
    };
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let step = sync_state::read(&mut snapshot).await?;
    let rows = read::operators(&mut snapshot, &selection).await?;
    snapshot.commit().await?;
    let next = (rows.len() > usize::from(limit)).then(|| rows.get(usize::from(limit) - 1)).flatten();
    let next_cursor = next.map(|row| cursor(row.id.as_str()));
    let items = rows.into_iter().take(usize::from(limit)).map(|row| view(row, step.generation)).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// One operator; a deleted one is not found.
pub(super) async fn read(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let operator: OperatorId = id.parse().map_err(|_| Problem::no_operator(&id))?;
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let step = sync_state::read(&mut snapshot).await?;
    let row = read::operator(&mut snapshot, &operator).await?.filter(|row| row.deleted_at.is_none());
    snapshot.commit().await?;
    let row = row.ok_or_else(|| Problem::no_operator(&id))?;
    let tag = HeaderValue::from_str(&entity_tag(&row));
    let mut response = Json(view(row, step.generation)).into_response();
    response.headers_mut().extend(tag.map(|tag| (ETAG, tag)));
    Ok(response)
}

/// Hash of what a writer would change, not of the step: others' changes do not invalidate it.
fn entity_tag(row: &OperatorRow) -> String {
    let mut hash = Sha256::new();
    for part in [row.id.as_str(), row.mno.as_str(), &row.spec_hash] {
        hash.update(part);
        hash.update([0]);
    }
    format!("\"{}\"", &hex::encode(hash.finalize())[..32])
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
