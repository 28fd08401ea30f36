//! What became of a commit whose push broke off: the server may have taken it before it was lost.

use std::time::Duration;

use git2::{Oid, Repository};

use super::error::Error;
use super::secret::Ahead;
use crate::backoff::Delays;
use crate::config;
use crate::shared::Shared;
use crate::sync::fetch;

/// Where the branch lies while it is looked at for the commit.
const REACHED: &str = "refs/bindery/change-reached";
/// Shortest and longest wait between two looks at a server that is away.
const LOOK: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Whether a commit is on the branch.
pub(super) fn is_there(repository: &Repository, remote: &config::Repository, commit: Oid) -> Result<bool, Error> {
    let tip = fetch::fetch(repository.path(), remote, REACHED)?;
    Ok(tip == commit || repository.graph_descendant_of(tip, commit)?)
}

/// Waits until the server is back and takes the passwords of a commit back that is not there. An agent that ends before
/// leaves it to the sync, which does so once the hold runs out.
pub(super) async fn settle(shared: Shared, ahead: Ahead, commit: Oid) {
    let mut delays = Delays::new(LOOK.0, LOOK.1);
    loop {
        tokio::time::sleep(delays.longer()).await;
        let (clone, remote) = (fetch::path_in(&shared.config.data_dir), shared.config.repository.clone());
        let look = move || is_there(&Repository::open_bare(clone)?, &remote, commit);
        match tokio::task::spawn_blocking(look).await {
            // It is there; or the runtime ends.
            Ok(Ok(true)) | Err(_) => return,
            Ok(Ok(false)) => return ahead.take_back(&shared.stores).await,
            Ok(Err(error)) => tracing::debug!(error = &error as &dyn std::error::Error, "the repository is still away"),
        }
    }
}
