//! Health of operators, for services and for people: `…/operators/{id}/health` for whoever misses the key in Redis, its
//! history, and the stream of changes. Both listeners have them.

mod history;
mod stream;

use axum::Json;
use axum::extract::{Path, State};
use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::{HealthChange, HealthView};

use super::error::{Code, Problem};
use super::openapi::endpoint::{Access, Answer};
use super::openapi::parameters::{LAST_EVENT_ID, OPERATOR, SINCE, UNTIL, events};
use super::route::Route;
use crate::health::project;
use crate::shared::Shared;
use crate::store::postgres::{health, read};

/// The paths a listener has them at: one operator's state, its history, the stream.
pub(super) type Paths = [&'static str; 3];

/// The routes, for whoever has access.
pub(super) fn routes<S>(tag: &'static str, [state, changes, live]: Paths, access: Access) -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Shared: axum::extract::FromRef<S>,
{
    vec![
        Route::get(state, read)
            .named(tag, "getHealth", "State of an operator")
            .open_to(access)
            .takes(&[OPERATOR])
            .answers::<HealthView>(200, "The state.")
            .fails(&[Code::OperatorNotFound]),
        Route::get(changes, history::history)
            .named(tag, "listHealthChanges", "Changes of an operator's state, newest first; of a deleted one too")
            .open_to(access)
            .takes(&[OPERATOR, SINCE, UNTIL])
            .lists::<HealthChange>()
            .fails(&[Code::OperatorNotFound]),
        Route::get(live, stream::stream)
            .named(tag, "streamHealthChanges", "Changes of state of all operators, as they happen")
            .open_to(access)
            .takes(&[LAST_EVENT_ID])
            .answers_with(Answer {
                status: 200,
                description: "`ready` with the id everything follows, a `change` for each, and `reconnect` at the end.",
                content: Some(("text/event-stream", vec![events])),
                headers: Vec::new(),
            })
            .fails(&[Code::ChangesGone]),
    ]
}

/// The operator's state: the newest from Redis, else the last change from Postgres. Either store alone suffices.
#[tracing::instrument(name = "health.read", skip_all, fields(bindery.operator.id))]
async fn read(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<HealthView>, Problem> {
    let operator: OperatorId = id.parse().map_err(|_| Problem::no_operator(&id))?;
    tracing::Span::current().record("bindery.operator.id", operator.as_str());
    let stores = &shared.stores;
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
