//! `GET /v1/internal/operators/{id}/health`: for clients that miss the key in Redis. Its history, and the stream of changes.

mod history;
mod stream;

use axum::Json;
use axum::extract::{Path, State};
use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::HealthView;

use super::Internal;
use crate::health::project;
use crate::http::error::Problem;
use crate::store::postgres::{health, read};

pub(super) use history::history;
pub(super) use stream::{Places, stream};

/// The operator's state: the newest from Redis, else the last change from Postgres. Either store alone suffices.
pub(super) async fn read(
    State(internal): State<Internal>,
    Path(id): Path<String>,
) -> Result<Json<HealthView>, Problem> {
    let operator: OperatorId = id.parse().map_err(|_| Problem::no_operator(&id))?;
    let stores = &internal.shared.stores;
    let (exists, cached) =
        tokio::join!(read::exists(&stores.postgres, &operator), project::read(&stores.redis, &operator));
    match (exists, cached) {
        (Ok(false), _) => Err(Problem::no_operator(&id)),
        (_, Some(view)) => Ok(Json(view)),
        (Err(error), None) => Err(error.into()),
        (Ok(true), None) => {
            let kept = health::view(&stores.postgres, &operator).await?;
            Ok(Json(kept.unwrap_or_else(HealthView::unheard)))
        }
    }
}
