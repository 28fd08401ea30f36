//! One step: from a look at the branch to stores that are equal to it, or a reason why they are not.

use std::collections::BTreeSet;
use std::sync::Arc;

use bindery_compiler::Compiler;
use bindery_compiler::seal::Identities;
use bindery_schema::catalog::Catalog;
use bindery_schema::plan::Plan;
use bindery_schema::policy::PolicySpec;
use bindery_schema::wire::api::{AppliedCommit, Blocked, SyncPhase};
use git2::Oid;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::Span;
use tracing::field::{self, Empty};

use super::block::Reason;
use super::execute::{self, Step};
use super::fetch;
use super::look::Look;
use super::release::{self, Release};
use super::secrets::{self, Unusable, Writes};
use super::status::Publisher;
use super::step::{Candidate, Error, Outcome};
use super::{block, project};
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::shared::Shared;
use crate::store::postgres::control::Control;

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

/// Takes steps, one after the other.
pub struct Reconciler {
    pub(super) shared: Shared,
    pub(super) status: Publisher,
    pub(super) clone: fetch::Clone,
    /// It keeps what the last compile has parsed.
    pub(super) compiler: Compiler,
    pub(super) seen: Option<Seen>,
    /// What people had said when this step began.
    pub(super) control: Control,
    /// The policy of the applied commit: a commit cannot loosen the guardrails it is held by.
    pub(super) policy: Option<(String, PolicySpec)>,
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

    #[tracing::instrument(name = "sync.fetch", skip_all, err(level = "debug"), fields(bindery.commit = Empty))]
    pub(super) async fn fetch(&mut self) -> Result<Oid, fetch::Error> {
        let fetched = self.clone.fetch().await;
        let outcome = if fetched.is_ok() { "ok" } else { "error" };
        self.shared.metrics.fetches.get_or_create(&crate::metrics::Outcome { outcome }).inc();
        if let Ok(tip) = &fetched {
            Span::current().record("bindery.commit", field::display(tip));
        }
        fetched
    }

    /// Takes one step.
    pub async fn step(&mut self, fence: Fence) -> Result<Outcome, Error> {
        let tip = self.fetch().await?;
        failpoint::reach(Point::Fetched).await;
        Span::current().record("bindery.commit", field::display(tip));
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

    /// Opens the passwords a plan writes.
    #[tracing::instrument(name = "sync.open", skip_all, err(level = "debug"))]
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
