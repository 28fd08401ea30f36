//! Commits of a corpus.

use std::path::Path;

use anyhow::{Context, Result};
use git2::{ErrorCode, IndexAddOption, Repository, RepositoryInitOptions, Signature, Time};
use jiff::civil::{Date, Time as CivilTime};
use jiff::tz::TimeZone;

use super::FIRST_VALID_DAY;

/// Commits everything below `dir` that belongs to a configuration, on top of what is there, and
/// returns the commit's id. A folder that is no repository becomes one, with the branch `main`.
/// Author and time are fixed: the same corpus has the same commit id everywhere.
pub fn commit(dir: &Path, message: &str) -> Result<String> {
    let repository = Repository::init_opts(dir, RepositoryInitOptions::new().mkdir(false).initial_head("main"))
        .with_context(|| format!("cannot open a repository in {}", dir.display()))?;
    let mut index = repository.index()?;
    let parts = ["policy.yaml", "operators", "contracts"];
    index.add_all(parts, IndexAddOption::DEFAULT, None)?;
    index.update_all(parts, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let parent = match repository.head() {
        Ok(head) => Some(head.peel_to_commit()?),
        Err(error) if error.code() == ErrorCode::UnbornBranch => None,
        Err(error) => return Err(error.into()),
    };
    // A minute after its parent, the first one on the first valid day.
    let seconds = match &parent {
        Some(parent) => parent.time().seconds() + 60,
        None => midnight(FIRST_VALID_DAY)?,
    };
    let author = Signature::new("corpus", "corpus@carrier.example", &Time::new(seconds, 0))?;
    let parents: Vec<_> = parent.iter().collect();
    let id = repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents)?;
    Ok(id.to_string())
}

/// Midnight UTC in seconds since 1970.
fn midnight(day: Date) -> Result<i64> {
    let midnight = TimeZone::UTC.to_timestamp(day.to_datetime(CivilTime::midnight()))?;
    Ok(midnight.as_second())
}
