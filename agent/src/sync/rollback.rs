//! Takes a commit back: a revert on top of the branch, pushed only if the branch has not moved meanwhile.
//!
//! libgit2 blocks, so [`revert`] belongs on the pool for blocking work. What is pushed compiles, or nothing is.
//! Deliberately absent: rewriting history. A revert can be seen, reviewed and reverted again.

use std::path::PathBuf;

use bindery_compiler::diagnostic::render::json;
use bindery_compiler::{Compiler, Options, source};
use git2::{Commit, Oid, Repository};
use serde_json::Value;

use super::branch::{self, ATTEMPTS, push, signature};
use super::fetch;
use crate::config;

/// Where the branch lies in the clone meanwhile: the sync has a reference of its own.
const BASE: &str = "refs/bindery/rollback";
/// The revert, until it is pushed.
const REVERT: &str = "refs/bindery/revert";
/// Most commits that are looked through for those on top of the one to take back.
const REACH: usize = 10_000;

/// Why a commit was not taken back. Nothing was pushed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`fetch::Error`].
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// The clone or the remote failed.
    #[error("git failed")]
    Git(#[from] git2::Error),
    /// The revert could not be compiled.
    #[error("the revert cannot be read")]
    Source(#[from] source::Error),
    /// No such commit on the branch.
    #[error("`{0}` is no commit of the branch")]
    Unknown(String),
    /// The first commit has nothing before it.
    #[error("{0} is the first commit of the branch: there is nothing to go back to")]
    First(String),
    /// Later commits changed the same places.
    #[error("later commits changed the same places: {}", .0.join(", "))]
    Conflict(Vec<String>),
    /// The tree without the commit does not compile.
    #[error("the branch does not compile without that commit: {} errors", .0.len())]
    DoesNotCompile(Vec<Value>),
    /// See [`branch::Error`].
    #[error(transparent)]
    Branch(#[from] branch::Error),
    /// Others pushed at the same time, again and again.
    #[error("the branch moves too fast")]
    Moving,
}

/// What is to be taken back, and in whose name.
#[derive(Debug, Clone)]
pub struct Rollback {
    /// The agent's clone, see [`fetch::path_in`].
    pub clone: PathBuf,
    /// Where the branch is.
    pub repository: config::Repository,
    /// How the result is compiled.
    pub options: Options,
    /// The commit's name or the beginning of it.
    pub revision: String,
    /// Who asks for it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
}

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reverted {
    /// The commit, in full.
    pub revision: String,
    /// The revert; absent where the branch has none of the commit's changes any more.
    pub commit: Option<String>,
    /// Trees that hold the commit's changes.
    pub trees: Vec<String>,
}

/// Reverts and pushes.
pub fn revert(rollback: &Rollback) -> Result<Reverted, Error> {
    for _ in 0..ATTEMPTS {
        let tip = fetch::fetch(&rollback.clone, &rollback.repository, BASE)?;
        let repository = Repository::open_bare(&rollback.clone)?;
        let tip = repository.find_commit(tip)?;
        let bad = find(&repository, &tip, &rollback.revision)?;
        let Some(commit) = prepare(&repository, &tip, &bad, rollback)? else {
            return Ok(Reverted {
                revision: bad.id().to_string(),
                commit: None,
                trees: trees(&repository, &tip, &bad)?,
            });
        };
        check(&repository, commit, &rollback.options)?;
        repository.reference(REVERT, commit, true, "rollback")?;
        if push(&repository, &rollback.repository, REVERT, tip.id())? {
            let trees = trees(&repository, &repository.find_commit(commit)?, &bad)?;
            return Ok(Reverted { revision: bad.id().to_string(), commit: Some(commit.to_string()), trees });
        }
    }
    Err(Error::Moving)
}

/// The commit of that name, if it is on the branch.
fn find<'r>(repository: &'r Repository, tip: &Commit<'_>, name: &str) -> Result<Commit<'r>, Error> {
    let unknown = || Error::Unknown(name.chars().filter(char::is_ascii_alphanumeric).take(40).collect());
    // Names of references would mean the clone's own, which nobody knows.
    if name.len() < 7 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let commit = repository.find_commit_by_prefix(name).map_err(|_| unknown())?;
    let contained = commit.id() == tip.id() || repository.graph_descendant_of(tip.id(), commit.id())?;
    if contained { Ok(commit) } else { Err(unknown()) }
}

/// The revert on top of the tip; `None` where it would change nothing.
fn prepare(
    repository: &Repository,
    tip: &Commit<'_>,
    bad: &Commit<'_>,
    rollback: &Rollback,
) -> Result<Option<Oid>, Error> {
    if bad.parent_count() == 0 {
        return Err(Error::First(bad.id().to_string()));
    }
    // Of a merge, what it brought into the branch goes: the first parent is the branch.
    let mainline = u32::from(bad.parent_count() > 1);
    let mut index = repository.revert_commit(bad, tip, mainline, None)?;
    if index.has_conflicts() {
        let paths = index.conflicts()?.filter_map(|conflict| {
            let conflict = conflict.ok()?;
            let entry = conflict.our.or(conflict.their).or(conflict.ancestor)?;
            Some(String::from_utf8_lossy(&entry.path).into_owned())
        });
        let mut paths: Vec<String> = paths.collect();
        paths.dedup();
        return Err(Error::Conflict(paths));
    }
    let tree = repository.find_tree(index.write_tree_to(repository)?)?;
    if tree.id() == tip.tree_id() {
        return Ok(None);
    }
    let (author, committer) = (signature(&rollback.by)?, signature("bindery-agent")?);
    let mut message = format!(
        "Revert \"{}\"\n\nThis reverts commit {}.\n",
        bad.summary().ok().flatten().unwrap_or_default(),
        bad.id()
    );
    if let Some(reason) = &rollback.reason {
        message.push_str(&format!("\n{}\n", reason.trim()));
    }
    let message = git2::message_prettify(message, None)?;
    Ok(Some(repository.commit(None, &author, &committer, &message, &tree, &[tip])?))
}

fn check(repository: &Repository, commit: Oid, options: &Options) -> Result<(), Error> {
    let compiled = Compiler::default().compile_revision(repository, commit, options)?;
    if compiled.catalog().is_some() {
        return Ok(());
    }
    Err(Error::DoesNotCompile(json::findings(&compiled.findings, &compiled.sources)))
}

/// The trees of the bad commit and of those on top of it, without that of `good` and what was before the bad one.
fn trees(repository: &Repository, good: &Commit<'_>, bad: &Commit<'_>) -> Result<Vec<String>, git2::Error> {
    let kept: Vec<Oid> = bad.parents().map(|parent| parent.tree_id()).chain([good.tree_id()]).collect();
    let mut walk = repository.revwalk()?;
    walk.push(good.id())?;
    for parent in bad.parents() {
        walk.hide(parent.id())?;
    }
    let mut trees = Vec::new();
    for oid in walk.take(REACH) {
        let oid = oid?;
        // Commits of branches that were merged later do not have it.
        if oid != bad.id() && !repository.graph_descendant_of(oid, bad.id())? {
            continue;
        }
        let tree = repository.find_commit(oid)?.tree_id();
        if !kept.contains(&tree) && !trees.contains(&tree.to_string()) {
            trees.push(tree.to_string());
        }
    }
    Ok(trees)
}
