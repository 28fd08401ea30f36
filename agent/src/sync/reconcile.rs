//! One step: from a look at the branch to stores that are equal to it, or a reason why they are not.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bindery_compiler::diagnostic::render::json;
use bindery_compiler::seal::Identities;
use bindery_compiler::{Compiled, Compiler, Options, plan, source};
use bindery_schema::catalog::Catalog;
use bindery_schema::plan::Plan;
use bindery_schema::policy::PolicySpec;
use bindery_schema::wire::api::{AppliedCommit, Blocked, SyncPhase};
use git2::Oid;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::block::Reason;
use super::execute::{self, Step};
use super::fetch;
use super::release::{self, Release};
use super::secrets::{self, Unusable, Writes};
use super::status::Publisher;
use super::step::{Candidate, Error, Outcome};
use super::{block, observe, project};
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::shared::Shared;
use crate::store::postgres::control::Control;
use crate::store::postgres::sync_state;

/// Findings of a rejected commit that are kept; the first ones are those to mend first.
const FINDINGS_KEPT: usize = 200;

/// What the last full look found, so that the next one can be short.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    tip: Oid,
    generation: i64,
    control: Control,
    /// When time alone changes what the tip means.
    due: Option<Timestamp>,
    blocked: Option<(Outcome, Blocked)>,
}

impl Seen {
    /// Whether people have said nothing since. That a plan is held is this agent's own doing.
    fn says_the_same(&self, control: &Control) -> bool {
        let Control { pause, ended: _, holds: _, released, refused } = control;
        self.control.pause == *pause && self.control.released == *released && self.control.refused == *refused
    }
}

/// What a look at the tip found.
#[derive(Debug)]
pub enum Look {
    /// It does not compile.
    Broken {
        /// The tip.
        candidate: Candidate,
        /// One line.
        reason: String,
        /// Every finding, as `bindery check --format json` has it.
        findings: Vec<Value>,
    },
    /// It compiles.
    Planned {
        /// The tip.
        candidate: Candidate,
        /// What it says.
        catalog: Arc<Catalog>,
        /// What has to change; holds are the guardrails it runs into.
        plan: Box<Plan>,
    },
}

/// Takes steps, one after the other.
pub struct Reconciler {
    pub(super) shared: Shared,
    pub(super) status: Publisher,
    pub(super) clone: fetch::Clone,
    compiler: Compiler,
    pub(super) seen: Option<Seen>,
    /// What people had said when this step began.
    pub(super) control: Control,
    /// The policy of the applied commit: a commit cannot loosen the guardrails it is held by.
    policy: Option<(String, PolicySpec)>,
}

impl Reconciler {
    /// A reconciler that has not looked yet.
    pub fn new(shared: Shared, status: Publisher) -> Self {
        let clone = fetch::Clone::new(&shared.config.data_dir, &shared.config.repository);
        Self {
            shared,
            status,
            clone,
            compiler: Compiler::default(),
            seen: None,
            control: Control::default(),
            policy: None,
        }
    }

    /// The status, for what happens between steps.
    pub fn status(&self) -> &Publisher {
        &self.status
    }

    /// Whether the branch has moved since it was last looked at.
    pub async fn has_moved(&mut self) -> bool {
        let known = self.status.wanted();
        self.fetch().await.is_ok_and(|tip| known != Some(tip.to_string()))
    }

    pub(super) async fn fetch(&mut self) -> Result<Oid, fetch::Error> {
        let fetched = self.clone.fetch().await;
        let outcome = if fetched.is_ok() { "ok" } else { "error" };
        self.shared.metrics.fetches.get_or_create(&crate::metrics::Outcome { outcome }).inc();
        fetched
    }

    /// Takes one step.
    pub async fn step(&mut self, fence: Fence) -> Result<Outcome, Error> {
        let tip = self.fetch().await?;
        failpoint::reach(Point::Fetched).await;
        self.status.fetched(&tip.to_string());
        self.status.leads(true);
        let before = self.read_control(fence).await?;
        failpoint::reach(Point::ControlRead).await;
        self.status.applied(before.applied());
        let now = Timestamp::now();
        if let Some(outcome) = self.as_seen(tip, before.generation, now) {
            return Ok(outcome);
        }
        self.seen = None;
        self.status.applying();
        secrets::delete(&self.shared.stores, fence).await?;
        if let Some(outcome) = self.refuse(tip, &before, now, fence).await? {
            return Ok(outcome);
        }
        let (candidate, catalog, plan) = match self.look(tip, before, now).await? {
            Look::Broken { candidate, reason, findings } => {
                return self.reject(&candidate, reason, findings, fence).await;
            }
            Look::Planned { candidate, catalog, plan } => (candidate, catalog, *plan),
        };
        failpoint::reach(Point::Planned).await;
        if plan.is_empty() && candidate.before.commit.as_deref() == Some(tip.to_string().as_str()) {
            secrets::undo(&self.shared.stores, &BTreeSet::new(), fence).await?;
            self.forget_held(fence).await?;
            self.arrived(&candidate, &catalog, candidate.before.generation);
            return Ok(Outcome::Unchanged);
        }
        let release =
            release::of(&plan, &candidate.history, self.control.released.as_ref()).filter(|_| !plan.holds.is_empty());
        if !plan.holds.is_empty() && release.is_none() {
            let due = next_due(&catalog, now);
            return self.block(&candidate, &Reason::Held(&plan), due, fence).await;
        }
        if let Some(pause) = &self.control.pause {
            let blocked = block::paused(tip.to_string(), &plan, pause);
            return Ok(self.blocked(&candidate, Outcome::Paused, blocked, next_due(&catalog, now)));
        }
        let (plan, writes) = self.open(plan, catalog.clone()).await?;
        failpoint::reach(Point::Opened).await;
        match writes {
            Ok(writes) => self.apply(&candidate, &catalog, &plan, &writes, release.as_ref(), fence).await,
            Err(unusable) => self.reject(&candidate, unusable.to_string(), Vec::new(), fence).await,
        }
    }

    /// What a step would do now. Changes nothing but the clone.
    pub async fn preview(&mut self) -> Result<Look, Error> {
        let tip = self.clone.fetch().await?;
        let before = sync_state::read(&mut *self.shared.stores.postgres.acquire().await?).await?;
        self.look(tip, before, Timestamp::now()).await
    }

    /// Compiles the tip and compares it with the stores.
    async fn look(&mut self, tip: Oid, before: sync_state::SyncState, now: Timestamp) -> Result<Look, Error> {
        let compiled = self.compile(tip, now).await?;
        failpoint::reach(Point::Compiled).await;
        let Some(catalog) = compiled.catalog().cloned().map(Arc::new) else {
            let history = self.clone.history(before.commit.clone(), tip).await?;
            let candidate = Candidate { commit: tip, history, before, now };
            let errors = compiled.error_count();
            let reason = format!("the commit does not compile: {errors} error{}", if errors == 1 { "" } else { "s" });
            let findings = json::findings(&compiled.findings, &compiled.sources);
            return Ok(Look::Broken { candidate, reason, findings });
        };
        drop(compiled);
        let (live, before) = observe::observe(&self.shared.stores.postgres, &catalog, now).await?;
        failpoint::reach(Point::Observed).await;
        let history = self.clone.history(before.commit.clone(), tip).await?;
        let candidate = Candidate { commit: tip, history, before, now };
        let policy = self.policy_in_force(&candidate, &catalog).await?;
        let planned = catalog.clone();
        let plan = tokio::task::spawn_blocking(move || plan::plan(&planned, &live, &policy, now)).await??;
        Ok(Look::Planned { candidate, catalog, plan: Box::new(plan) })
    }

    /// The outcome of the last look, where nothing has changed since.
    fn as_seen(&self, tip: Oid, generation: i64, now: Timestamp) -> Option<Outcome> {
        let seen = self.seen.as_ref().filter(|seen| seen.tip == tip && seen.generation == generation)?;
        if seen.due.is_some_and(|due| due <= now) || !seen.says_the_same(&self.control) {
            return None;
        }
        let Some((outcome, blocked)) = &seen.blocked else {
            self.status.in_sync();
            return Some(Outcome::Unchanged);
        };
        self.status.blocked(phase(*outcome), blocked.clone());
        Some(*outcome)
    }

    /// What is known of the applied commit, and what it says. `None` where the clone no longer has it or it no longer
    /// compiles, as after a new version of the compiler.
    pub(crate) async fn applied_catalog(
        &mut self,
        applied: &AppliedCommit,
    ) -> Result<Option<(fetch::History, Arc<Catalog>)>, Error> {
        let Ok(commit) = Oid::from_str(&applied.commit) else { return Ok(None) };
        let Ok(history) = self.clone.history(None, commit).await else { return Ok(None) };
        // As on the day it was applied: what time has made wrong since is told elsewhere.
        let compiled = self.compile(commit, applied.at.timestamp()).await?;
        Ok(compiled.catalog().cloned().map(|catalog| (history, Arc::new(catalog))))
    }

    /// The stores were brought to the applied commit again, by another step.
    pub(crate) fn healed(&mut self, applied: &AppliedCommit) {
        if let Some(seen) = &mut self.seen {
            seen.generation = applied.generation;
        }
        self.status.applied(Some(applied.clone()));
    }

    /// What every part of the agent has at hand.
    pub(crate) fn shared(&self) -> Shared {
        self.shared.clone()
    }

    async fn compile(&mut self, commit: Oid, now: Timestamp) -> Result<Compiled, Error> {
        let mut compiler = std::mem::take(&mut self.compiler);
        let path = self.clone.path().to_owned();
        let options = Options { now, environment: Some(self.shared.config.environment.clone()) };
        let compile = move || {
            let result = compile(&mut compiler, &path, commit, &options);
            (compiler, result)
        };
        let (compiler, result) = tokio::task::spawn_blocking(compile).await?;
        self.compiler = compiler;
        result.map_err(|error| {
            // The only thing a compile of a fetched commit can fail at is a clone that lacks parts.
            self.clone.discard();
            Error::Source(error)
        })
    }

    /// The guardrails of the applied commit, or the tip's own where nothing was applied or it can no longer be read.
    async fn policy_in_force(&mut self, candidate: &Candidate, catalog: &Catalog) -> Result<PolicySpec, Error> {
        let Some(applied) = candidate.before.commit.clone() else { return Ok(catalog.policy.clone()) };
        if let Some((commit, policy)) = &self.policy
            && *commit == applied
        {
            return Ok(policy.clone());
        }
        if !candidate.history.known || applied == candidate.commit.to_string() {
            return Ok(catalog.policy.clone());
        }
        let Ok(oid) = Oid::from_str(&applied) else { return Ok(catalog.policy.clone()) };
        let compiled = self.compile(oid, candidate.now).await?;
        let policy = compiled.catalog().map_or_else(|| catalog.policy.clone(), |catalog| catalog.policy.clone());
        self.policy = Some((applied, policy.clone()));
        Ok(policy)
    }

    /// Opens the passwords a plan writes.
    pub(crate) async fn open(
        &self,
        plan: Plan,
        catalog: Arc<Catalog>,
    ) -> Result<(Plan, Result<Writes, Unusable>), Error> {
        let file = self.shared.config.secrets.identity_file.clone();
        let open = move || {
            // Read anew each time: identities are rotated by replacing the file.
            let identities = file.map(|file| Identities::read(&file)).transpose().map_err(Error::Identities)?;
            let writes = secrets::open(&plan, &catalog, identities.as_ref());
            Ok((plan, writes))
        };
        tokio::task::spawn_blocking(open).await?
    }

    async fn apply(
        &mut self,
        candidate: &Candidate,
        catalog: &Catalog,
        plan: &Plan,
        writes: &Writes,
        release: Option<&Release>,
        fence: Fence,
    ) -> Result<Outcome, Error> {
        let commit = candidate.commit.to_string();
        let step = Step {
            plan,
            writes,
            commit: &commit,
            history: &candidate.history,
            before: &candidate.before,
            started_at: candidate.now.into(),
            release,
            healing: None,
        };
        let applied = execute::apply(&self.shared, &step, fence).await?;
        project::degraded(&self.shared, &project::show(&self.shared.stores, plan, &applied, candidate.now).await);
        failpoint::reach(Point::Shown).await;
        self.policy = Some((commit, catalog.policy.clone()));
        self.report(candidate, catalog, plan, &applied);
        secrets::delete(&self.shared.stores, fence).await?;
        failpoint::reach(Point::Done).await;
        self.arrived(candidate, catalog, applied.generation);
        Ok(Outcome::Applied)
    }

    fn report(&self, candidate: &Candidate, catalog: &Catalog, plan: &Plan, applied: &AppliedCommit) {
        let metrics = &self.shared.metrics;
        for change in &plan.operators {
            let action = crate::metrics::Action { action: change.action.as_str() };
            metrics.operator_changes.get_or_create(&action).inc();
        }
        let counts = plan.counts();
        let millis = u64::try_from(Timestamp::now().duration_since(candidate.now).as_millis()).unwrap_or_default();
        tracing::info!(
            commit = applied.commit,
            generation = applied.generation,
            created = counts.created,
            updated = counts.updated,
            deleted = counts.deleted,
            restored = counts.restored,
            renamed = counts.renamed,
            routes = counts.routes,
            mnos = plan.mnos.len(),
            operators = catalog.operators.len(),
            skipped = candidate.history.skipped.len(),
            forced = !candidate.history.fast_forward,
            millis,
            "applied"
        );
        self.status.applied(Some(applied.clone()));
    }

    /// The stores are equal to the tip.
    fn arrived(&mut self, candidate: &Candidate, catalog: &Catalog, generation: i64) {
        let metrics = &self.shared.metrics;
        metrics.operators.set(i64::try_from(catalog.operators.len()).unwrap_or_default());
        metrics.routing_rules.set(i64::try_from(catalog.rule_count()).unwrap_or_default());
        let (due, control) = (next_due(catalog, candidate.now), self.control.clone());
        self.seen = Some(Seen { tip: candidate.commit, generation, control, due, blocked: None });
        self.status.in_sync();
    }

    async fn reject(
        &mut self,
        candidate: &Candidate,
        reason: String,
        mut findings: Vec<Value>,
        fence: Fence,
    ) -> Result<Outcome, Error> {
        let total = findings.len();
        findings.truncate(FINDINGS_KEPT);
        let detail = json!({ "reason": reason, "findings": findings, "findingCount": total });
        self.block(candidate, &Reason::Rejected(detail), None, fence).await
    }

    /// Leaves the last good commit in place, and says so once: a row, an event, the status, a metric.
    pub(super) async fn block(
        &mut self,
        candidate: &Candidate,
        reason: &Reason<'_>,
        due: Option<Timestamp>,
        fence: Fence,
    ) -> Result<Outcome, Error> {
        secrets::undo(&self.shared.stores, &BTreeSet::new(), fence).await?;
        let blocked = block::record(&self.shared, candidate, reason, fence).await?;
        let outcome = reason.outcome();
        tracing::warn!(commit = blocked.commit, reason = blocked.reason, outcome = outcome.as_str(), "not applied");
        Ok(self.blocked(candidate, outcome, blocked, due))
    }

    /// Shows why the tip is not applied, and remembers it.
    fn blocked(&mut self, at: &Candidate, outcome: Outcome, blocked: Blocked, due: Option<Timestamp>) -> Outcome {
        self.status.blocked(phase(outcome), blocked.clone());
        let (generation, control) = (at.before.generation, self.control.clone());
        self.seen = Some(Seen { tip: at.commit, generation, control, due, blocked: Some((outcome, blocked)) });
        outcome
    }
}

fn compile(compiler: &mut Compiler, path: &Path, commit: Oid, options: &Options) -> Result<Compiled, source::Error> {
    let repository = git2::Repository::open_bare(path)?;
    compiler.compile_revision(&repository, commit, options)
}

fn phase(outcome: Outcome) -> SyncPhase {
    match outcome {
        Outcome::Held => SyncPhase::Held,
        Outcome::Paused => SyncPhase::Paused,
        _ => SyncPhase::Rejected,
    }
}

/// When the next rename takes effect.
fn next_due(catalog: &Catalog, now: Timestamp) -> Option<Timestamp> {
    let renames = catalog.operators.values().filter_map(|operator| operator.renamed_from.as_ref());
    renames.map(|renamed| renamed.effective_at.timestamp()).filter(|at| *at > now).min()
}
