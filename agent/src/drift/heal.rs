//! Makes the stores say what the applied commit says: by a plan, and by the executor that carries out every plan.
//!
//! Postgres and Vault are healed by one step of the sync, which applies the applied commit once more: with its intents,
//! its fence, its outbox and its guardrails. Redis gets the keys that differ through the script that guards every
//! projection, NATS what a start of the relay would give it. Each healing leaves an audit row for every object.

use std::collections::{BTreeMap, BTreeSet};

use bindery_compiler::plan;
use bindery_schema::change::CredentialsChange;
use bindery_schema::hash::Digest;
use bindery_schema::plan::{Hold, Plan};
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::AppliedCommit;
use bindery_schema::wire::drift::{Difference, DriftDirection, DriftOutcome, DriftPolicy, Store};
use jiff::Timestamp;
use serde_json::json;

use super::live;
use super::observe::Found;
use super::requests::Asked;
use super::run::Differences;
use super::wanted::Wanted;
use crate::failpoint::{self, Point};
use crate::http::error::chain;
use crate::leader::fence::Fence;
use crate::shared::Shared;
use crate::store::postgres::audit;
use crate::store::redis::Entry;
use crate::sync::execute::{self, Healing, Step};
use crate::sync::fetch::History;
use crate::sync::reconcile::Reconciler;
use crate::sync::release::{self, Release};
use crate::sync::secrets;
use crate::sync::step::Error;
use crate::sync::{overtake, project};

/// Differences an audit row of one object lists.
const LISTED: usize = 100;

/// What a look found.
#[derive(Debug)]
pub struct Case<'a> {
    /// What the commit wants.
    pub wanted: &'a Wanted,
    /// What there is.
    pub found: &'a Found,
    /// How it differs.
    pub differences: &'a Differences,
    /// What is known of the commit.
    pub history: History,
    /// Who asked for what.
    pub asked: &'a Asked,
}

/// What became of the differences.
#[derive(Debug, Default)]
pub struct Healed {
    /// By store; one that is absent was not to be healed.
    pub outcomes: BTreeMap<Store, (DriftOutcome, Option<String>)>,
    /// What holds the healing.
    pub holds: Vec<String>,
    /// What releases it.
    pub plan_hash: Option<String>,
    /// Why nothing was to be healed, whatever the policy.
    pub withheld: Option<String>,
}

/// Heals every store whose policy says so.
#[tracing::instrument(name = "drift.heal", skip_all)]
pub async fn heal(reconciler: &mut Reconciler, case: &Case<'_>, fence: Fence) -> Healed {
    let shared = reconciler.shared();
    let mut healed = Healed::default();
    let mut applied = case.wanted.applied.clone();
    if let Some(step) = case.step(&shared) {
        match step.take(reconciler, case, fence, &mut healed).await {
            Ok(Some(next)) => applied = next,
            Ok(None) => {}
            Err(error) => step.outcome(&mut healed, DriftOutcome::Failed, Some(&chain(&error))),
        }
    }
    for store in [Store::Redis, Store::Nats] {
        let differences = case.to_heal(&shared, store);
        if differences.is_empty() {
            continue;
        }
        let done = match store {
            Store::Redis => redis(&shared, case, &differences, &applied, fence).await.map_err(|error| chain(&error)),
            _ => shared.stores.nats.ensure_stream().await.map_err(|error| chain(&error)),
        };
        let done = match done {
            Ok(()) => {
                failpoint::reach(Point::DriftHealed).await;
                note(&shared, case, &differences, &applied, fence).await.map_err(|error| chain(&error))
            }
            failed => failed,
        };
        let outcome = match done {
            Ok(()) => (DriftOutcome::Healed, None),
            Err(reason) => (DriftOutcome::Failed, Some(reason)),
        };
        healed.outcomes.insert(store, outcome);
    }
    healed
}

impl Case<'_> {
    /// The differences of a store that are to go.
    fn to_heal(&self, shared: &Shared, store: Store) -> Vec<&Difference> {
        let found = self.differences.get(&store).and_then(|found| found.as_ref().ok());
        let found = found.filter(|_| shared.config.drift.policy(store) == DriftPolicy::Heal);
        found.into_iter().flatten().filter(|difference| store != Store::Vault || self.is_ours(difference)).collect()
    }

    /// Whether git knows what a secret should be, or that there should be none. One that was set outside git cannot be
    /// made anew.
    fn is_ours(&self, difference: &Difference) -> bool {
        let id = difference.object.strip_prefix("operator/").and_then(|id| id.parse::<OperatorId>().ok());
        let operator = id.as_ref().and_then(|id| self.wanted.operators.get(id));
        id.is_some() && operator.is_none_or(|operator| operator.spec.sealed().is_some())
    }

    /// What a step has to do in Postgres and Vault, where there is anything.
    fn step(&self, shared: &Shared) -> Option<Differing> {
        let differences: Vec<Difference> =
            [Store::Postgres, Store::Vault].iter().flat_map(|store| self.to_heal(shared, *store)).cloned().collect();
        (!differences.is_empty()).then_some(Differing { differences })
    }

    /// The release of the plan: the request or the applied commit names its hash.
    fn release(&self, plan: &Plan) -> Option<Release> {
        release::of(plan, &self.history, self.asked.released().as_ref()).filter(|_| !plan.holds.is_empty())
    }
}

/// What one step is to heal.
struct Differing {
    differences: Vec<Difference>,
}

impl Differing {
    fn outcome(&self, healed: &mut Healed, outcome: DriftOutcome, reason: Option<&str>) {
        for difference in &self.differences {
            healed.outcomes.insert(difference.store, (outcome, reason.map(str::to_owned)));
        }
    }

    /// Secrets of operators that neither git nor a row knows.
    fn orphans(&self, plan: &Plan) -> Vec<OperatorId> {
        let unknown = self
            .differences
            .iter()
            .filter(|difference| difference.store == Store::Vault && difference.direction == DriftDirection::Unknown);
        let ids = unknown.filter_map(|difference| difference.object.strip_prefix("operator/")?.parse().ok());
        ids.filter(|id| plan.operators.iter().all(|change| change.id != *id)).collect()
    }

    /// Plans and carries out; `None` where a guardrail holds it or nothing is left to do.
    async fn take(
        &self,
        reconciler: &mut Reconciler,
        case: &Case<'_>,
        fence: Fence,
        healed: &mut Healed,
    ) -> Result<Option<AppliedCommit>, Error> {
        let shared = reconciler.shared();
        let Ok(postgres) = &case.found.postgres else { return Ok(None) };
        let Wanted { catalog, applied, .. } = case.wanted;
        let differences: Vec<&Difference> = self.differences.iter().collect();
        let live = live::of(case.wanted, &postgres.tables, &differences);
        let mut plan = plan::plan(catalog, &live, &catalog.policy, applied.at.timestamp())?;
        let keeps_vault = shared.config.drift.policy(Store::Vault) == DriftPolicy::Report;
        if keeps_vault {
            keep_passwords(&mut plan);
        }
        let orphans = self.orphans(&plan);
        if plan.is_empty() && orphans.is_empty() {
            return Ok(None);
        }
        let secrets = case.found.vault.as_ref().map_or(0, BTreeMap::len);
        plan.holds.extend(plan::deletions("passwords", orphans.len(), secrets, &catalog.policy));
        plan.hash = hash(&plan, &orphans);
        let release = case.release(&plan);
        if !plan.holds.is_empty() && release.is_none() {
            let text = |hold: &Hold| format!("{}: {}", hold.guardrail, hold.message);
            healed.holds = plan.holds.iter().map(text).collect();
            healed.plan_hash = Some(plan.hash.to_string());
            self.outcome(healed, DriftOutcome::Held, None);
            return Ok(None);
        }
        let (plan, writes) = reconciler.open(plan, catalog.clone()).await?;
        let writes = match writes {
            Ok(writes) => writes,
            Err(unusable) => {
                self.outcome(healed, DriftOutcome::Failed, Some(&unusable.to_string()));
                return Ok(None);
            }
        };
        let by = case.asked.cause();
        let now = Timestamp::now();
        let step = Step {
            plan: &plan,
            writes: &writes,
            commit: &applied.commit,
            history: &History { author: by.actor.to_owned(), ..case.history.clone() },
            before: &postgres.state,
            started_at: now.into(),
            release: release.as_ref(),
            healing: Some(&Healing { by, entries: &entries(&differences), orphans: &orphans, keeps_vault }),
        };
        let next = execute::apply(&shared, &step, fence).await?;
        failpoint::reach(Point::DriftApplied).await;
        project::degraded(&shared, &project::show(&shared.stores, &plan, &next, now).await);
        reconciler.healed(&next);
        self.outcome(healed, DriftOutcome::Healed, None);
        secrets::delete(&shared.stores, fence).await?;
        Ok(Some(next))
    }
}

/// No password is written, whatever becomes of the rows.
fn keep_passwords(plan: &mut Plan) {
    for change in &mut plan.operators {
        if change.credentials == CredentialsChange::Write {
            change.credentials = CredentialsChange::Keep;
        }
    }
}

/// The plan's hash, which says nothing of passwords without an operator.
fn hash(plan: &Plan, orphans: &[OperatorId]) -> Digest {
    if orphans.is_empty() {
        return plan.hash;
    }
    let names: Vec<&str> = orphans.iter().map(OperatorId::as_str).collect();
    Digest::of(format!("{}\npassword delete {}", plan.hash, names.join(",")))
}

/// Writes the keys that differ; where the cache shows another step, what is needed to show this one.
async fn redis(
    shared: &Shared,
    case: &Case<'_>,
    differences: &[&Difference],
    applied: &AppliedCommit,
    fence: Fence,
) -> Result<(), project::Error> {
    let now = Timestamp::now();
    overtake::overtake(shared, fence, now).await?;
    let keys = case.wanted.keys(now)?;
    let differ: BTreeSet<&str> = differences.iter().map(|difference| difference.object.as_str()).collect();
    let mut entries: Vec<Entry> = keys.into_iter().filter(|entry| differ.contains(entry.key.as_str())).collect();
    let unknown = differences.iter().filter(|difference| difference.direction == DriftDirection::Unknown);
    entries.extend(unknown.map(|difference| Entry { key: difference.object.clone(), value: None }));
    Ok(shared.stores.redis.project(&project::catalog(applied), &entries).await?)
}

/// The audit rows of a healing outside Postgres.
async fn note(
    shared: &Shared,
    case: &Case<'_>,
    differences: &[&Difference],
    applied: &AppliedCommit,
    fence: Fence,
) -> Result<(), crate::store::postgres::Error> {
    let mut transaction = shared.stores.postgres.begin().await?;
    fence.hold(&mut transaction).await?;
    let (commit, generation) = (Some(applied.commit.as_str()), Some(applied.generation));
    let by = audit::Cause { commit, generation, ..case.asked.cause() };
    audit::append(&mut transaction, by, &entries(differences)).await?;
    failpoint::reach(Point::DriftNoted).await;
    Ok(transaction.commit().await?)
}

/// One audit row an object: an operator or carrier with all that belongs to it, a key, a stream.
fn entries(differences: &[&Difference]) -> Vec<audit::Entry> {
    let mut objects: BTreeMap<(String, Store), Vec<&Difference>> = BTreeMap::new();
    for difference in differences {
        objects.entry((owner(&difference.object), difference.store)).or_default().push(difference);
    }
    let entry = |((object, store), differences): ((String, Store), Vec<&Difference>)| audit::Entry {
        action: "drift.heal".to_owned(),
        object,
        detail: json!({
            "store": store,
            "count": differences.len(),
            "differences": differences.iter().take(LISTED).collect::<Vec<_>>(),
        }),
    };
    objects.into_iter().map(entry).collect()
}

/// The operator or carrier an object belongs to.
fn owner(object: &str) -> String {
    let mut parts = object.strip_prefix("ops:").unwrap_or(object).split(['/', ':']);
    match (parts.next(), parts.next()) {
        (Some("operator" | "rule"), Some(id)) => format!("operator/{id}"),
        (Some("mno" | "contract" | "reservation" | "tps"), Some(id)) => format!("mno/{id}"),
        _ => object.to_owned(),
    }
}
