//! Changes of the configuration through the API. Each becomes a commit on the branch, by the caller, or nothing at all.
//!
//! One way: the tip → [`operation`]s edit its files in a [`draft`] → the compiler checks the result → the planner tells
//! whether a guardrail would hold it → [`secret`]s go into Vault ahead → [`publish`] commits and pushes over that very tip →
//! the sync applies it as any other commit, and [`applied`] waits for that. A lost race begins again at the new tip.
//!
//! Guarantees: what is pushed compiles; a failure leaves no commit and no password; changes queue within an agent and take
//! turns between agents, and against others the push decides. Once a commit is on the branch nothing is an error any more.

mod applied;
mod documents;
mod draft;
mod error;
mod operation;
mod publish;
mod runbooks;
mod secret;
mod settle;
pub mod tag;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bindery_compiler::diagnostic::render::json;
use bindery_compiler::{Changes, Compiler, Options, plan};
use bindery_schema::catalog::Catalog;
use bindery_schema::policy::PolicySpec;
use bindery_schema::wire::admin::{Committed, Operation};
use git2::{Oid, Repository};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::field::{self, Empty};
use tracing::{Instrument as _, Span, info_span};

pub use error::Error;

use crate::backoff::Delays;
use crate::shared::Shared;
use crate::store::postgres::turns::Turn;
use crate::store::postgres::{control, operators};
use crate::sync::branch::ATTEMPTS;
use crate::sync::{fetch, observe, trigger};
use draft::{Draft, NewPassword};
use secret::Ahead;

/// Where the branch lies in the clone for changes: the sync has a reference of its own.
const BASE: &str = "refs/bindery/change-base";
/// Where it lies while a commit is looked for.
const FOUND: &str = "refs/bindery/change-found";
/// Most commits that are looked through for one.
const REACH: usize = 1_000;
/// Longest wait for one's turn: what waits longer is refused rather than made after its caller has given up.
const QUEUE: Duration = Duration::from_secs(8);
/// Longest wait for another agent's turn to end.
const TURN: Duration = Duration::from_secs(4);
/// Longest wait from a call to its application; a commit that is not applied by then is on its way. Below the time
/// within which a call is answered.
const PATIENCE: Duration = Duration::from_secs(12);
/// Shortest and longest wait after a lost race.
const AGAIN: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(300));
/// Names the call that a commit comes from.
pub const TRAILER: &str = "Bindery-Request";

/// What makes changes, one after the other. It keeps what the last compile has parsed.
pub type Writer = Arc<Mutex<Compiler>>;

/// A change somebody asks for.
#[derive(Debug, Clone)]
pub struct Change {
    /// Who.
    pub author: String,
    /// The commit's first line; made up from the operations where there is none.
    pub message: Option<String>,
    /// What it says behind that, such as trailers.
    pub trailers: Option<String>,
    /// What is to be done, in this order.
    pub operations: Vec<Operation>,
    /// The entity tag the caller saw of the object it changes.
    pub expected: Option<String>,
}

/// A change on the tip: what it makes of the files, checked.
struct Prepared {
    tip: Oid,
    before: Arc<Catalog>,
    after: Arc<Catalog>,
    changes: Changes,
    passwords: Vec<NewPassword>,
    objects: Vec<String>,
    message: String,
}

/// What a change would do, as `bindery plan --format json` has it. Nothing is written.
#[tracing::instrument(name = "write.preview", skip_all, fields(bindery.operations = change.operations.len()))]
pub async fn preview(shared: &Shared, change: Change) -> Result<Value, Error> {
    let mut compiler = shared.writer.clone().lock_owned().await;
    let retired = retired(shared).await?;
    let (for_task, now) = (shared.clone(), Timestamp::now());
    let task = move || prepare(&mut compiler, &for_task, &change, &retired, now);
    let prepared = tokio::task::spawn_blocking(task).await??;
    documents::check(shared, &prepared.before, &prepared.after).await?;
    tokio::task::spawn_blocking(move || {
        let report = plan::report(&prepared.before, &prepared.after, now);
        // Both catalogs hold everything: there is nothing a report of them could lack.
        report.map(|report| plan::text::json(&report)).map_err(|error| Error::BadRequest(error.to_string()))
    })
    .await?
}

/// Makes a change and waits until it is applied.
#[tracing::instrument(
    name = "write.change",
    skip_all,
    fields(bindery.operations = change.operations.len(), bindery.commit = Empty, bindery.generation = Empty)
)]
pub async fn change(shared: &Shared, change: Change) -> Result<Committed, Error> {
    let deadline = Instant::now() + PATIENCE;
    let (commit, objects) = commit(shared, &change).await?;
    let Some(commit) = commit else { return Ok(Committed { commit: None, generation: None, objects }) };
    trigger::pull(shared, "admin").await;
    Span::current().record("bindery.commit", field::display(commit));
    let generation = applied::wait(shared, commit, deadline).await;
    Span::current().record("bindery.generation", generation);
    Ok(Committed { commit: Some(commit.to_string()), generation, objects })
}

/// A commit that is on the branch already.
#[derive(Debug)]
pub struct Found {
    commit: Oid,
    message: String,
}

/// The commit with a trailer on the branch, if it is among the last ones.
pub async fn find(shared: &Shared, trailer: &str) -> Result<Option<Found>, Error> {
    let (clone, remote) = (fetch::path_in(&shared.config.data_dir), shared.config.repository.clone());
    let wanted = format!("{TRAILER}: {trailer}");
    let search = move || {
        let tip = fetch::fetch(&clone, &remote, FOUND)?;
        let repository = Repository::open_bare(&clone)?;
        let mut walk = repository.revwalk()?;
        walk.push(tip)?;
        for oid in walk.take(REACH) {
            let commit = repository.find_commit(oid?)?;
            let message = String::from_utf8_lossy(commit.message_bytes());
            if message.lines().any(|line| line == wanted) {
                return Ok(Some(Found { commit: commit.id(), message: message.into_owned() }));
            }
        }
        Ok(None)
    };
    tokio::task::spawn_blocking(search).await?
}

/// What became of a change whose commit was found.
pub async fn found(shared: &Shared, Found { commit, message }: Found, change: &Change) -> Committed {
    let generation = applied::wait(shared, commit, Instant::now() + PATIENCE).await;
    // What was created without an id got the one that stands in its commit.
    let objects = change.operations.iter().map(|operation| operation::object(operation, &message)).collect();
    Committed { commit: Some(commit.to_string()), generation, objects }
}

/// Puts the change on the branch; no commit where nothing was to change. Where it fails, no password stays in Vault.
async fn commit(shared: &Shared, change: &Change) -> Result<(Option<Oid>, Vec<String>), Error> {
    let mut ahead = None;
    let outcome = attempt(shared, change, &mut ahead).await;
    match (&outcome, ahead) {
        // The step that applies the commit makes the password good.
        (Ok(_), _) | (_, None) => {}
        (Err(Error::Unknown { commit, .. }), Some(ahead)) => {
            tokio::spawn(settle::settle(shared.clone(), ahead, *commit));
        }
        (Err(_), Some(ahead)) => ahead.take_back(&shared.stores).await,
    }
    outcome
}

/// Tries until nobody is faster.
async fn attempt(
    shared: &Shared,
    change: &Change,
    ahead: &mut Option<Ahead>,
) -> Result<(Option<Oid>, Vec<String>), Error> {
    if let Some(pause) = control::read(&mut *shared.stores.postgres.acquire().await?).await?.pause {
        return Err(Error::Paused { reason: pause.reason, until: pause.until.to_string() });
    }
    let queued = tokio::time::timeout(QUEUE, shared.writer.clone().lock_owned()).await;
    let mut compiler = queued.map_err(|_| Error::Busy)?;
    let turn = Turn::take(&shared.stores.postgres, TURN).await?;
    let retired = Arc::new(retired(shared).await?);
    let mut delays = Delays::new(AGAIN.0, AGAIN.1);
    for _ in 0..ATTEMPTS {
        let now = Timestamp::now();
        let (for_task, asked, gone) = (shared.clone(), change.clone(), retired.clone());
        let (back, prepared) = tokio::task::spawn_blocking(move || {
            let prepared = prepare(&mut compiler, &for_task, &asked, &gone, now);
            (compiler, prepared)
        })
        .instrument(info_span!("write.prepare"))
        .await?;
        compiler = back;
        let prepared = prepared?;
        if prepared.changes.is_empty() {
            return Ok((None, prepared.objects));
        }
        if let Some((commit, objects)) = push(shared, change, prepared, ahead, now).await? {
            turn.end().await;
            return Ok((Some(commit), objects));
        }
        tokio::time::sleep(delays.longer()).await;
    }
    Err(Error::Moving)
}

/// Passwords into Vault, then the commit onto the branch; `None` where the branch has moved.
async fn push(
    shared: &Shared,
    change: &Change,
    prepared: Prepared,
    ahead: &mut Option<Ahead>,
    now: Timestamp,
) -> Result<Option<(Oid, Vec<String>)>, Error> {
    guard(shared, &prepared.before.policy, prepared.after.clone(), now).await?;
    documents::check(shared, &prepared.before, &prepared.after).await?;
    if ahead.is_none() {
        *ahead = Some(Ahead::write(&shared.stores, &prepared.passwords, &prepared.after).await?);
    }
    let (clone, remote, author) =
        (fetch::path_in(&shared.config.data_dir), shared.config.repository.clone(), change.author.clone());
    tokio::task::spawn_blocking(move || {
        let repository = Repository::open_bare(clone)?;
        let tip = repository.find_commit(prepared.tip)?;
        let Prepared { changes, message, objects, .. } = prepared;
        let commit = publish::publish(&repository, &remote, &tip, &changes, &author, &message)?;
        Ok(commit.map(|commit| (commit, objects)))
    })
    .instrument(info_span!("write.push"))
    .await?
}

/// Ids of deleted operators.
async fn retired(shared: &Shared) -> Result<BTreeSet<String>, Error> {
    Ok(operators::retired(&mut *shared.stores.postgres.acquire().await?).await?)
}

/// Fetches the tip, edits its files and compiles the result.
fn prepare(
    compiler: &mut Compiler,
    shared: &Shared,
    change: &Change,
    retired: &BTreeSet<String>,
    now: Timestamp,
) -> Result<Prepared, Error> {
    let clone = fetch::path_in(&shared.config.data_dir);
    let tip = fetch::fetch(&clone, &shared.config.repository, BASE)?;
    let repository = Repository::open_bare(&clone)?;
    let options = Options { now, environment: Some(shared.config.environment.clone()) };
    let result = compiler.compile_revision(&repository, tip, &options)?;
    let Some(before) = result.shared_catalog() else {
        return Err(Error::Broken(json::findings(&result.findings, &result.sources)));
    };
    let Edited { mut changes, passwords, objects, message } = edit(&repository, tip, &before, change, retired, now)?;
    let after = if changes.is_empty() {
        before.clone()
    } else {
        compiler.guarded_by(before.policy.clone());
        let result = compiler.compile_changed(&repository, tip, &changes, &options);
        compiler.unguarded();
        let result = result?;
        let Some(after) = result.shared_catalog() else {
            let errors = json::findings(&result.findings, &result.sources);
            return Err(Error::Invalid(errors.into_iter().filter(|finding| finding["severity"] == "error").collect()));
        };
        // Runbooks show what holds without overlays.
        let is_laid_over = result.environments.contains(&shared.config.environment);
        let plain = Options { now, environment: None };
        let (from, to) = if is_laid_over {
            let from = compiler.compile_revision(&repository, tip, &plain)?.shared_catalog();
            (from, compiler.compile_changed(&repository, tip, &changes, &plain)?.shared_catalog())
        } else {
            (Some(before.clone()), Some(after.clone()))
        };
        if let (Some(from), Some(to)) = (from, to) {
            runbooks::refresh(&repository, tip, &from, &to, &mut changes)?;
        }
        after
    };
    Ok(Prepared { tip, before, after, changes, passwords, objects, message })
}

/// What the operations of a change make of the tip's files.
struct Edited {
    changes: Changes,
    passwords: Vec<NewPassword>,
    objects: Vec<String>,
    message: String,
}

fn edit(
    repository: &Repository,
    tip: Oid,
    catalog: &Catalog,
    change: &Change,
    retired: &BTreeSet<String>,
    now: Timestamp,
) -> Result<Edited, Error> {
    let mut draft = Draft::new(repository, repository.find_commit(tip)?.tree()?, catalog, retired);
    let (mut objects, mut summaries) = (Vec::new(), Vec::new());
    for operation in &change.operations {
        let current = tag::current(operation, catalog);
        if change.expected.is_some() && current.is_some() && current != change.expected {
            return Err(Error::Changed);
        }
        let object = operation::carry_out(operation, &mut draft, now)?;
        summaries.push(operation::summary(operation, &object));
        objects.push(object);
    }
    let Draft { changes, passwords, .. } = draft;
    Ok(Edited { changes, passwords, objects, message: message(change, &summaries) })
}

fn message(change: &Change, summaries: &[String]) -> String {
    let mut message = match (&change.message, summaries) {
        (Some(message), _) => message.clone(),
        (None, [one]) => one.clone(),
        (None, many) => format!("Change {} objects\n\n- {}", many.len(), many.join("\n- ")),
    };
    if let Some(trailers) = &change.trailers {
        message.push_str("\n\n");
        message.push_str(trailers);
    }
    message
}

/// Refuses what a guardrail would hold: what is on the branch by then stands in the way of everybody.
#[tracing::instrument(name = "write.guard", skip_all)]
async fn guard(shared: &Shared, policy: &PolicySpec, after: Arc<Catalog>, now: Timestamp) -> Result<(), Error> {
    let (live, _) = observe::observe(&shared.stores.postgres, &after, now).await?;
    let policy = policy.clone();
    let plan = tokio::task::spawn_blocking(move || plan::plan(&after, &live, &policy, now)).await?;
    let plan = plan.map_err(|error| Error::BadRequest(error.to_string()))?;
    if plan.holds.is_empty() {
        return Ok(());
    }
    let holds = plan.holds.iter().map(|hold| hold.message.clone()).collect();
    Err(Error::Held { hash: plan.hash.to_string(), holds })
}
