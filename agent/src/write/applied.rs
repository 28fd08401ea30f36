//! Waits until a commit is part of what is applied, by this agent or another.

use std::time::Duration;

use git2::{Oid, Repository};
use tokio::time::Instant;

use super::error::Error;
use crate::http::error::chain;
use crate::shared::Shared;
use crate::store::postgres::sync_state;
use crate::sync::fetch;

/// Time between two looks at what is applied, where another agent leads.
const LOOK: Duration = Duration::from_millis(25);

/// The step that holds a commit; `None` where it is not applied in time. The commit is on the branch, so that a store that
/// fails meanwhile only delays it.
#[tracing::instrument(name = "write.wait", skip_all)]
pub(super) async fn wait(shared: &Shared, commit: Oid, deadline: Instant) -> Option<i64> {
    let mut status = shared.status.clone();
    let mut looked = None;
    while Instant::now() < deadline {
        match tokio::time::timeout_at(deadline, look(shared, commit, &mut looked)).await {
            Ok(Ok(Some(generation))) => return Some(generation),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::debug!(error = chain(&error), "what is applied cannot be read"),
            Err(_) => return None,
        }
        tokio::select! {
            _ = status.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    None
}

async fn look(shared: &Shared, commit: Oid, looked: &mut Option<String>) -> Result<Option<i64>, Error> {
    let state = sync_state::read(&mut *shared.stores.postgres.acquire().await?).await?;
    if state.commit == *looked {
        return Ok(None);
    }
    if holds(shared, state.commit.clone(), commit).await? {
        return Ok(Some(state.generation));
    }
    *looked = state.commit;
    Ok(None)
}

/// Whether the applied commit is this one or descends from it.
async fn holds(shared: &Shared, applied: Option<String>, commit: Oid) -> Result<bool, Error> {
    let Some(applied) = applied.and_then(|applied| Oid::from_str(&applied).ok()) else { return Ok(false) };
    if applied == commit {
        return Ok(true);
    }
    let clone = fetch::path_in(&shared.config.data_dir);
    let descends = move || {
        let repository = Repository::open_bare(clone)?;
        // What another agent has applied may not be here yet.
        let known = repository.find_commit(applied).is_ok();
        Ok::<_, git2::Error>(known && repository.graph_descendant_of(applied, commit)?)
    };
    Ok(tokio::task::spawn_blocking(descends).await??)
}
