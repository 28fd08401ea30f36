//! The repository the agents follow, as people use it: files are changed on top of the very tip they were read from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use git2::build::TreeUpdateBuilder;
use git2::{Commit, ErrorCode, FileMode, ObjectType, Oid, Repository, Signature, Sort, TreeWalkMode, TreeWalkResult};

/// Texts of files by path.
pub type Files = BTreeMap<String, String>;
/// What a commit makes of files: a text, or none where one goes.
pub type Changes = Vec<(String, Option<String>)>;

const BRANCH: &str = "refs/heads/main";
/// Attempts on a branch that the agents push to at the same time.
const ATTEMPTS: usize = 50;

/// The bare repository, and where it is while nobody is to find it.
#[derive(Debug)]
pub struct Forge {
    path: PathBuf,
    away: PathBuf,
    /// Commits by people, with the operation that made each.
    pub commits: Vec<(usize, Oid)>,
    /// Files of operators that were deleted, by id.
    pub graves: BTreeMap<String, Files>,
}

impl Forge {
    /// The repository at a path.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), away: path.with_extension("away"), commits: Vec::new(), graves: BTreeMap::new() }
    }

    /// Opens it; none while it is away.
    pub fn open(&self) -> Option<Repository> {
        Repository::open_bare(&self.path).ok()
    }

    /// Takes it away.
    pub fn hide(&self) -> Result<bool> {
        Self::rename(&self.path, &self.away)
    }

    /// Brings it back.
    pub fn show(&self) -> Result<bool> {
        Self::rename(&self.away, &self.path)
    }

    fn rename(from: &Path, to: &Path) -> Result<bool> {
        match std::fs::rename(from, to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("cannot rename {}", from.display())),
        }
    }

    /// The tip's files; none while the repository is away.
    pub fn files(&self) -> Result<Option<Files>> {
        let Some(git) = self.open() else { return Ok(None) };
        let tip = tip(&git)?;
        Ok(Some(read(&git, &tip)?))
    }

    /// The tip.
    pub fn tip(&self) -> Result<Oid> {
        let git = self.open().context("the repository is away")?;
        Ok(tip(&git)?.id())
    }

    /// Commits what `change` makes of the tip's files; nothing where it makes nothing of them, or while the repository is
    /// away.
    pub fn commit(
        &mut self,
        operation: usize,
        message: &str,
        change: impl Fn(&Files) -> Result<Option<Changes>>,
    ) -> Result<Option<Oid>> {
        let Some(git) = self.open() else { return Ok(None) };
        for _ in 0..ATTEMPTS {
            let tip = tip(&git)?;
            let Some(changes) = change(&read(&git, &tip)?)? else { return Ok(None) };
            let base = tip.tree()?;
            let mut update = TreeUpdateBuilder::new();
            for (path, text) in &changes {
                match text {
                    Some(text) => update.upsert(path.as_str(), git.blob(text.as_bytes())?, FileMode::Blob),
                    None => update.remove(path.as_str()),
                };
            }
            let tree = git.find_tree(update.create_updated(&git, &base)?)?;
            let author = Signature::now("Ada Carrier", "ada@example.org")?;
            let commit = git.commit(None, &author, &author, message, &tree, &[&tip])?;
            match git.reference_matching(BRANCH, commit, true, tip.id(), "a commit") {
                Ok(_) => {
                    self.commits.push((operation, commit));
                    return Ok(Some(commit));
                }
                // An agent was faster, or is at it.
                Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::Locked) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bail!("the branch moved at each of {ATTEMPTS} attempts to commit")
    }

    /// Every commit of the branch, oldest first.
    pub fn history(&self) -> Result<Vec<Recorded>> {
        let git = self.open().context("the repository is away")?;
        let mut walk = git.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push_ref(BRANCH)?;
        let mut history = Vec::new();
        for oid in walk {
            let commit = git.find_commit(oid?)?;
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            history.push(Recorded { id: commit.id(), parents: commit.parent_count(), message });
        }
        Ok(history)
    }
}

/// A commit of the branch.
#[derive(Debug)]
pub struct Recorded {
    /// Its id.
    pub id: Oid,
    /// How many parents it has.
    pub parents: usize,
    /// All it says.
    pub message: String,
}

fn tip(git: &Repository) -> Result<Commit<'_>> {
    Ok(git.find_reference(BRANCH)?.peel_to_commit()?)
}

/// The configuration among a commit's files.
fn read(git: &Repository, commit: &Commit<'_>) -> Result<Files> {
    let mut found = Vec::new();
    commit.tree()?.walk(TreeWalkMode::PreOrder, |folder, entry| {
        if entry.kind() == Some(ObjectType::Blob) {
            found.push((format!("{folder}{}", entry.name().unwrap_or_default()), entry.id()));
        }
        TreeWalkResult::Ok
    })?;
    let is_ours = |path: &str| ["operators/", "contracts/", "policy.yaml"].iter().any(|begin| path.starts_with(begin));
    let ours = found.into_iter().filter(|(path, _)| is_ours(path));
    let text = |(path, id)| Ok((path, String::from_utf8(git.find_blob(id)?.content().to_vec())?));
    ours.map(text).collect()
}
