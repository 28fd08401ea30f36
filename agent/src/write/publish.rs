//! Changed files as a commit on the branch.

use bindery_compiler::Changes;
use git2::build::TreeUpdateBuilder;
use git2::{Commit, FileMode, Oid, Repository};

use super::error::Error;
use super::settle;
use crate::config;
use crate::sync::branch::{self, signature};

/// The commit, until it is pushed.
const CHANGE: &str = "refs/bindery/change";

/// Commits the changes on top of the tip, as somebody, and pushes; `None` when the branch has moved meanwhile.
pub(super) fn publish(
    repository: &Repository,
    remote: &config::Repository,
    tip: &Commit<'_>,
    changes: &Changes,
    author: &str,
    message: &str,
) -> Result<Option<Oid>, Error> {
    let base = tip.tree()?;
    let mut update = TreeUpdateBuilder::new();
    for (path, text) in changes {
        match text {
            Some(text) => {
                // A script of somebody's stays one.
                let mode = base.get_path(std::path::Path::new(&**path)).map_or(0o100_644, |entry| entry.filemode());
                let mode = if mode == 0o100_755 { FileMode::BlobExecutable } else { FileMode::Blob };
                update.upsert(&**path, repository.blob(text.as_bytes())?, mode);
            }
            None => {
                update.remove(&**path);
            }
        }
    }
    let tree = repository.find_tree(update.create_updated(repository, &base)?)?;
    let (author, committer) = (signature(author)?, signature("bindery-agent")?);
    let message = git2::message_prettify(message, None)?;
    let commit = repository.commit(None, &author, &committer, &message, &tree, &[tip])?;
    repository.reference(CHANGE, commit, true, "change")?;
    match branch::push(repository, remote, CHANGE, tip.id()) {
        Ok(pushed) => Ok(pushed.then_some(commit)),
        Err(error @ branch::Error::Refused(_)) => Err(error.into()),
        Err(source) => match settle::is_there(repository, remote, commit) {
            Ok(true) => Ok(Some(commit)),
            Ok(false) => Err(source.into()),
            Err(_) => Err(Error::Unknown { commit, source }),
        },
    }
}
