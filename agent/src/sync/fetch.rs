//! The agent's bare clone and what it knows of commits.
//!
//! libgit2 blocks, so everything here runs on the pool for blocking work, and each call opens the clone anew: that
//! takes a fraction of a millisecond and leaves nothing shared with a call that hangs. The clone is a cache; one that
//! cannot be read is thrown away and made again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::{AutotagOption, Direction, ErrorCode, FetchOptions, Oid, Repository, Sort};
use tokio::task::JoinHandle;

use super::{locks, remote};
use crate::config;

/// Longest wait for a fetch before the agent says that it is waiting. The fetch goes on meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest time a transfer may take. A first clone of a million rules takes half a minute from a local disk.
const TRANSFER: Duration = Duration::from_secs(20 * 60);
/// Where the followed branch lies in the clone.
const TIP: &str = "refs/bindery/tip";
/// Fewest characters of a hash that a trailer may give: as many as are shown to people.
const SHORTEST: usize = 12;
/// Most commits between two steps that are listed one by one.
const LISTED: usize = 1_000;

/// Why the branch is not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository could not be reached or read.
    #[error("the configuration repository cannot be fetched")]
    Fetch(#[source] git2::Error),
    /// It took too long.
    #[error("the configuration repository did not answer in time")]
    Timeout,
    /// It is there, but the branch is not.
    #[error("the configuration repository has no branch `{0}`")]
    NoBranch(String),
    /// The clone could not be read or written.
    #[error("the agent's clone of the configuration repository cannot be used")]
    Clone(#[source] git2::Error),
    /// The work was cut off.
    #[error("the fetch was cut off")]
    Cut(#[source] tokio::task::JoinError),
}

/// What a step has to know of the commits it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// `Name <mail>` of the tip's author.
    pub author: String,
    /// `Name <mail>` of the tip's committer.
    pub committer: String,
    /// What `Bindery-Allow` trailers since the applied commit allow, each with the newest commit that has it.
    pub allowed: BTreeMap<String, Trailer>,
    /// Commits between the applied one and the tip, oldest first.
    pub skipped: Vec<String>,
    /// Whether the tip descends from the applied commit, as it does unless the branch was forced elsewhere.
    pub fast_forward: bool,
    /// Whether the clone still has the applied commit; a new clone after a forced push does not.
    pub known: bool,
}

/// Where a trailer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// The commit.
    pub commit: String,
    /// Its author.
    pub author: String,
}

/// The bare clone.
#[derive(Debug)]
pub struct Clone {
    path: PathBuf,
    remote: config::Repository,
    running: Option<JoinHandle<Result<Oid, Error>>>,
}

impl Clone {
    /// The clone below a data directory; made by the first fetch.
    pub fn new(data_dir: &Path, config: &config::Repository) -> Self {
        Self { path: path_in(data_dir), remote: config.clone(), running: None }
    }

    /// Where the clone lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fetches the branch and returns its tip. One that takes long is awaited again by the next call.
    pub async fn fetch(&mut self) -> Result<Oid, Error> {
        let running = self.running.get_or_insert_with(|| {
            let (path, remote) = (self.path.clone(), self.remote.clone());
            tokio::task::spawn_blocking(move || fetch(&path, &remote, TIP))
        });
        let Ok(result) = tokio::time::timeout(PATIENCE, running).await else { return Err(Error::Timeout) };
        self.running = None;
        result.map_err(Error::Cut)?
    }

    /// Reads the commits from the applied one to the tip.
    pub async fn history(&self, applied: Option<String>, tip: Oid) -> Result<History, Error> {
        let path = self.path.clone();
        let read = move || {
            let repository = Repository::open_bare(path).map_err(Error::Clone)?;
            history(&repository, applied.as_deref(), tip).map_err(Error::Clone)
        };
        tokio::task::spawn_blocking(read).await.map_err(Error::Cut)?
    }

    /// The tree of a commit.
    pub async fn tree(&self, commit: Oid) -> Result<String, Error> {
        let path = self.path.clone();
        let read = move || Ok(Repository::open_bare(path)?.find_commit(commit)?.tree_id().to_string());
        tokio::task::spawn_blocking(read).await.map_err(Error::Cut)?.map_err(Error::Clone)
    }

    /// Throws the clone away: the next fetch makes it again.
    pub fn discard(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, "the damaged clone could not be removed");
        }
    }
}

/// Where the clone lies below a data directory.
pub fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join("repository.git")
}

/// Fetches a branch into a reference of the clone and returns its tip.
pub(crate) fn fetch(path: &Path, config: &config::Repository, reference: &str) -> Result<Oid, Error> {
    let repository = Repository::open_bare(path).or_else(|_| Repository::init_bare(path)).map_err(Error::Clone)?;
    let mut remote = repository.remote_anonymous(&config.url).map_err(Error::Fetch)?;
    let name = format!("refs/heads/{}", config.branch);
    let refusal = remote::Refusal::default();
    let failed = |error| Error::Fetch(refusal.explain(error));
    let tip = {
        let callbacks = remote::callbacks(config, &refusal);
        let connection = remote.connect_auth(Direction::Fetch, Some(callbacks), None).map_err(failed)?;
        let heads = connection.list().map_err(failed)?;
        heads.iter().find(|head| head.name() == name).map(git2::RemoteHead::oid)
    };
    let tip = tip.ok_or_else(|| Error::NoBranch(config.branch.clone()))?;
    if repository.refname_to_id(reference) != Ok(tip) || repository.find_commit(tip).is_err() {
        let deadline = Instant::now() + TRANSFER;
        let mut transfer = || {
            let mut options = FetchOptions::new();
            let mut callbacks = remote::callbacks(config, &refusal);
            callbacks.transfer_progress(move |_| Instant::now() < deadline);
            options.remote_callbacks(callbacks).download_tags(AutotagOption::None);
            remote.fetch(&[format!("+{name}:{reference}")], Some(&mut options), None)
        };
        match transfer() {
            // libgit2 gives a lock that is taken no code of its own.
            Err(_) if locks::free(path) => transfer(),
            fetched => fetched,
        }
        .map_err(failed)?;
    }
    // The branch may have moved between the two requests: what was fetched counts.
    repository.refname_to_id(reference).map_err(Error::Clone)
}

fn history(repository: &Repository, applied: Option<&str>, tip: Oid) -> Result<History, git2::Error> {
    let commit = repository.find_commit(tip)?;
    let mut history = History {
        author: person(&commit.author()),
        committer: person(&commit.committer()),
        allowed: BTreeMap::new(),
        skipped: Vec::new(),
        fast_forward: true,
        known: applied.is_some(),
    };
    history.allow(&commit);
    let Some(applied) = applied else { return Ok(history) };
    let Some(applied) = Oid::from_str(applied).ok().filter(|oid| repository.find_commit(*oid).is_ok()) else {
        return Ok(History { fast_forward: false, known: false, ..history });
    };
    match skipped(repository, applied, tip, &mut history) {
        // A shallow repository ends somewhere, and libgit2 does not take that for an end.
        Err(error) if error.code() == ErrorCode::NotFound => {
            skipped_in_shallow(repository, applied, tip, &mut history)?;
        }
        result => result?,
    }
    history.skipped.reverse();
    Ok(history)
}

/// Whether the tip descends from the applied commit, and what lies between them, newest first.
fn skipped(repository: &Repository, applied: Oid, tip: Oid, history: &mut History) -> Result<(), git2::Error> {
    history.fast_forward = applied == tip || repository.graph_descendant_of(tip, applied)?;
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    walk.push(tip)?;
    walk.hide(applied)?;
    for oid in walk.take(LISTED) {
        let oid = oid?;
        if oid != tip {
            history.allow(&repository.find_commit(oid)?);
            history.skipped.push(oid.to_string());
        }
    }
    Ok(())
}

/// The same where the history ends before it began: commits that are not there have no part in it.
fn skipped_in_shallow(
    repository: &Repository,
    applied: Oid,
    tip: Oid,
    history: &mut History,
) -> Result<(), git2::Error> {
    let before = reach(repository, applied, &BTreeSet::new());
    let new = reach(repository, tip, &before.iter().copied().collect());
    let descends =
        |oid: &Oid| repository.find_commit(*oid).is_ok_and(|commit| commit.parent_ids().any(|id| id == applied));
    history.fast_forward = applied == tip || new.iter().any(descends);
    (history.skipped, history.allowed) = (Vec::new(), BTreeMap::new());
    history.allow(&repository.find_commit(tip)?);
    for oid in new.into_iter().filter(|oid| *oid != tip).take(LISTED) {
        history.allow(&repository.find_commit(oid)?);
        history.skipped.push(oid.to_string());
    }
    Ok(())
}

/// The commits that are there on the way back from one, that one first, up to others.
fn reach(repository: &Repository, from: Oid, others: &BTreeSet<Oid>) -> Vec<Oid> {
    let (mut seen, mut found, mut next) = (others.clone(), Vec::new(), VecDeque::from([from]));
    while let Some(oid) = next.pop_front() {
        let Ok(commit) = repository.find_commit(oid) else { continue };
        if seen.insert(oid) {
            found.push(oid);
            next.extend(commit.parent_ids());
        }
    }
    found
}

impl History {
    /// What a person has to know of the way to the tip, if anything.
    pub fn note(&self) -> Option<&'static str> {
        match (self.fast_forward, self.known) {
            (true, _) => None,
            (false, true) => Some("the branch was forced: its tip does not descend from the applied commit"),
            (false, false) => Some("the applied commit is no longer in the repository: the branch was forced"),
        }
    }

    /// Notes the trailers of a commit; commits are given newest first.
    fn allow(&mut self, commit: &git2::Commit<'_>) {
        let message = String::from_utf8_lossy(commit.message_bytes());
        let Ok(trailers) = git2::message_trailers_strs(&message) else { return };
        for (_, value) in trailers.iter().filter(|(key, _)| key.eq_ignore_ascii_case("Bindery-Allow")) {
            let trailer = || Trailer { commit: commit.id().to_string(), author: person(&commit.author()) };
            self.allowed.entry(value.trim().to_owned()).or_insert_with(trailer);
        }
    }

    /// The trailer that allows this: a plan by its hash or a revision by its name, in full or the beginning of it.
    pub fn allows(&self, wanted: &str) -> Option<&Trailer> {
        let named = |value: &str| value.len() >= SHORTEST && wanted.starts_with(value);
        self.allowed.iter().find(|(value, _)| named(value)).map(|(_, trailer)| trailer)
    }
}

/// `Name <mail>`.
fn person(signature: &git2::Signature<'_>) -> String {
    let (name, mail) = (signature.name_bytes(), signature.email_bytes());
    format!("{} <{}>", String::from_utf8_lossy(name), String::from_utf8_lossy(mail))
}
