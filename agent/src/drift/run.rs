//! One look: read everything, compare it with the applied commit, heal what the configuration lets heal, tell the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bindery_compiler::seal::Identities;
use bindery_schema::live::Live;
use bindery_schema::wire::api::AppliedCommit;
use bindery_schema::wire::control::Pause;
use bindery_schema::wire::drift::{
    Difference, DriftDirection, DriftOutcome, DriftPolicy, DriftReport, Store, StoreDrift,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::heal::{self, Healed};
use super::observe::{self, Found, Postgres};
use super::requests::Asked;
use super::secrets::{self, Key};
use super::wanted::Wanted;
use super::{compare, live};
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::shared::Shared;
use crate::store::nats::DUPLICATE_WINDOW;
use crate::store::postgres::sync_state;
use crate::sync::project;
use crate::sync::reconcile::Reconciler;
use crate::sync::step::Error;

/// Differences a report lists.
const LISTED: usize = 1_000;
/// How long after midnight the cache may still show the contracts of the day before.
const MIDNIGHT: SignedDuration = SignedDuration::from_secs(60);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Unreported {
    /// There is nothing to compare the stores with.
    #[error("no commit was applied yet")]
    NothingApplied,
    /// The applied commit cannot be compiled again.
    #[error("the applied commit {0} is no longer in the repository, or no longer compiles")]
    NoCommit(String),
    /// The commit's passwords cannot be compared with anything.
    #[error("no random key can be drawn")]
    NoKey,
    /// See [`Error`].
    #[error(transparent)]
    Step(#[from] Error),
}

/// What a look found, by store.
pub type Differences = BTreeMap<Store, Result<Vec<Difference>, String>>;

/// Takes a look and heals.
pub async fn run(reconciler: &mut Reconciler, fence: Fence, asked: &Asked) -> Result<DriftReport, Unreported> {
    let begun = Timestamp::now();
    let shared = reconciler.shared();
    let applied = applied(&shared).await?.ok_or(Unreported::NothingApplied)?;
    let compiled = reconciler.applied_catalog(&applied).await?;
    let (history, catalog) = compiled.ok_or_else(|| Unreported::NoCommit(applied.commit.clone()))?;
    let key = Arc::new(Key::new().map_err(|_| Unreported::NoKey)?);
    let found = observe::observe(&shared.stores, &key).await;
    failpoint::reach(Point::DriftObserved).await;
    let stored = found.postgres.as_ref().map_or_else(|_| Live::default(), |found| live::skeleton(&found.tables));
    let wanted = Arc::new(Wanted::new(applied.clone(), catalog, &stored));
    let differences = differences(&shared, &found, &wanted, key, begun).await?;

    let healed = match withheld(&found) {
        _ if asked.dry_run => Healed::default(),
        Some(reason) => Healed { withheld: Some(reason), ..Healed::default() },
        None => {
            let case = heal::Case { wanted: &wanted, found: &found, differences: &differences, history, asked };
            heal::heal(reconciler, &case, fence).await
        }
    };
    let millis = u64::try_from(Timestamp::now().duration_since(begun).as_millis()).unwrap_or_default();
    Ok(report(&shared, asked.run, begun, millis, &applied, differences, healed))
}

/// The applied step. Postgres is asked only where no step has said it: the repository may be away since the start.
async fn applied(shared: &Shared) -> Result<Option<AppliedCommit>, Error> {
    let known = shared.status.borrow().applied.clone();
    match known {
        Some(applied) => Ok(Some(applied)),
        None => Ok(sync_state::read(&mut *shared.stores.postgres.acquire().await?).await?.applied()),
    }
}

/// Why nothing is to be healed now, whatever the policy: healing is applying.
fn withheld(found: &Found) -> Option<String> {
    let Ok(Postgres { control, .. }) = &found.postgres else {
        return Some("Postgres was not observed, which knows whether the sync is paused".to_owned());
    };
    if let Some(pause) = &control.pause {
        let Pause { reason, until, .. } = pause;
        return Some(format!("the sync is paused until {until} ({reason}); `bindery-agent resume` ends that"));
    }
    control
        .holds
        .then(|| "a plan is held: `bindery-agent status` shows it; release it or take its commit back".to_owned())
}

/// Compares each store that was observed.
async fn differences(
    shared: &Shared,
    found: &Found,
    wanted: &Arc<Wanted>,
    key: Arc<Key>,
    now: Timestamp,
) -> Result<Differences, Error> {
    let postgres = found.postgres.as_ref().map_err(Clone::clone).and_then(|found| {
        // The lead was lost and someone else has gone on.
        let known = found.state.applied().is_some_and(|applied| applied.generation == wanted.applied.generation);
        let stale = || "another step was applied meanwhile".to_owned();
        known.then(|| compare::tables(&found.tables, &wanted.rows(now), &wanted.operators)).ok_or_else(stale)
    });
    let vault = match (&found.vault, &found.postgres) {
        (Ok(stored), Ok(postgres)) => vault(shared, stored, &postgres.intended, wanted, key).await?,
        (Err(reason), _) => Err(reason.clone()),
        (_, Err(_)) => Err("Postgres was not observed, which knows what is being written to Vault".to_owned()),
    };
    let redis = found.redis.as_ref().map_err(Clone::clone).and_then(|stored| redis(stored, wanted, now));
    let nats = found.nats.as_ref().map_err(Clone::clone).map(|stored| nats(shared, stored.as_ref()));
    Ok(BTreeMap::from([(Store::Postgres, postgres), (Store::Vault, vault), (Store::Redis, redis), (Store::Nats, nats)]))
}

async fn vault(
    shared: &Shared,
    stored: &BTreeMap<String, secrets::Held>,
    intended: &BTreeSet<String>,
    wanted: &Arc<Wanted>,
    key: Arc<Key>,
) -> Result<Result<Vec<Difference>, String>, Error> {
    let file = shared.config.secrets.identity_file.clone();
    let wanted = wanted.clone();
    let wishes = move || {
        let identities = file.map(|file| Identities::read(&file)).transpose().map_err(Error::Identities)?;
        Ok::<_, Error>(secrets::wishes(&wanted, identities.as_ref(), &key))
    };
    let wishes = tokio::task::spawn_blocking(wishes).await??;
    Ok(wishes.map(|wishes| secrets::compare(stored, &wishes, intended)).map_err(|unusable| unusable.to_string()))
}

fn redis(stored: &BTreeMap<String, String>, wanted: &Wanted, now: Timestamp) -> Result<Vec<Difference>, String> {
    let applied = &wanted.applied;
    let mut keys = wanted.keys(now).map_err(|error| error.to_string())?;
    let before_midnight = wanted.keys(now - MIDNIGHT).map_err(|error| error.to_string())?;
    let also: BTreeMap<_, _> = before_midnight.into_iter().map(|entry| (entry.key, entry.value)).collect();
    keys.push(crate::store::redis::Entry::catalog(&project::catalog(applied)).map_err(|error| error.to_string())?);
    let mut differences = Vec::new();
    let known: BTreeSet<&str> = keys.iter().map(|entry| entry.key.as_str()).collect();
    for entry in &keys {
        let Some(text) = stored.get(&entry.key) else {
            differences.push(compare::whole(Store::Redis, &entry.key, DriftDirection::Missing, Value::Null));
            continue;
        };
        let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        let (before, after) = (json(text), json(entry.value.as_deref().unwrap_or_default()));
        let before = if entry.key.starts_with("ops:operator:") { of_step(before, applied.generation) } else { before };
        let yesterday = also.get(&entry.key).and_then(Option::as_deref).map(json);
        if yesterday.is_none_or(|yesterday| yesterday != before) {
            differences.extend(compare::fields(Store::Redis, &entry.key, &before, &after));
        }
    }
    let unknown = stored.iter().filter(|(key, _)| !known.contains(key.as_str()));
    differences.extend(unknown.map(|(key, text)| {
        compare::whole(Store::Redis, key, DriftDirection::Unknown, serde_json::from_str(text).unwrap_or_default())
    }));
    Ok(differences)
}

/// A projection names the step that wrote it, which may be any up to the applied one.
fn of_step(mut projection: Value, applied: i64) -> Value {
    if let Some(generation) = projection.get_mut("generation")
        && generation.as_i64().is_some_and(|generation| generation <= applied)
    {
        *generation = json!(applied);
    }
    projection
}

fn nats(shared: &Shared, stored: Option<&(Vec<String>, Duration)>) -> Vec<Difference> {
    let nats = &shared.stores.nats;
    let object = format!("stream/{}", nats.stream());
    let Some((subjects, window)) = stored else {
        return vec![compare::whole(Store::Nats, &object, DriftDirection::Missing, Value::Null)];
    };
    let missing = nats.subjects().into_iter().filter(|subject| !subjects.contains(subject)).map(|subject| Difference {
        field: Some("subjects".to_owned()),
        wanted: subject.into(),
        ..compare::whole(Store::Nats, &object, DriftDirection::Missing, Value::Null)
    });
    let seconds = |window: Duration| json!({ "duplicateWindowSeconds": window.as_secs_f64() });
    missing.chain(compare::fields(Store::Nats, &object, &seconds(*window), &seconds(DUPLICATE_WINDOW))).collect()
}

fn report(
    shared: &Shared,
    run: u64,
    begun: Timestamp,
    millis: u64,
    applied: &AppliedCommit,
    differences: Differences,
    mut healed: Healed,
) -> DriftReport {
    let mut stores = BTreeMap::new();
    let mut listed = Vec::new();
    for (store, found) in differences {
        let policy = shared.config.drift.policy(store);
        let (count, outcome, reason) = match found {
            Err(reason) => (0, DriftOutcome::NotObserved, Some(reason)),
            Ok(found) => {
                let outcome = match healed.outcomes.remove(&store) {
                    _ if found.is_empty() => (DriftOutcome::None, None),
                    Some(outcome) => outcome,
                    None if policy == DriftPolicy::Heal => (DriftOutcome::Reported, healed.withheld.clone()),
                    None => (DriftOutcome::Reported, None),
                };
                let count = found.len();
                listed.extend(found.into_iter().take(LISTED.saturating_sub(listed.len())));
                (count, outcome.0, outcome.1)
            }
        };
        if outcome != DriftOutcome::None {
            let (outcome, reason) = (outcome.as_str(), reason.as_deref());
            tracing::warn!(%store, differences = count, outcome, reason, "a full look at the stores found drift");
        }
        stores.insert(store, StoreDrift { outcome, policy, differences: count, reason });
    }
    DriftReport {
        run,
        started_at: begun.into(),
        millis,
        commit: applied.commit.clone(),
        generation: applied.generation,
        stores,
        differences: listed,
        holds: healed.holds,
        plan_hash: healed.plan_hash,
    }
}
