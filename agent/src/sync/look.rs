//! A look at a commit: what it says, and what has to change in the stores for it. Changes nothing but the clone.

use std::path::Path;
use std::sync::Arc;

use bindery_compiler::diagnostic::render::json;
use bindery_compiler::{Compiled, Compiler, Options, plan, source};
use bindery_schema::catalog::Catalog;
use bindery_schema::plan::Plan;
use bindery_schema::policy::PolicySpec;
use bindery_schema::wire::api::AppliedCommit;
use git2::Oid;
use jiff::Timestamp;
use serde_json::Value;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

use super::reconcile::Reconciler;
use super::step::{Candidate, Error};
use super::{fetch, observe};
use crate::failpoint::{self, Point};
use crate::store::postgres::sync_state;

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

impl Reconciler {
    /// What a step would do now. Changes nothing but the clone.
    pub async fn preview(&mut self) -> Result<Look, Error> {
        let tip = self.clone.fetch().await?;
        let before = sync_state::read(&mut *self.shared.stores.postgres.acquire().await?).await?;
        self.look(tip, before, Timestamp::now()).await
    }

    /// Compiles the tip and compares it with the stores.
    pub(super) async fn look(
        &mut self,
        tip: Oid,
        before: sync_state::SyncState,
        now: Timestamp,
    ) -> Result<Look, Error> {
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
        let span = info_span!("sync.plan", bindery.operators = Empty, bindery.holds = Empty);
        let planning = tokio::task::spawn_blocking(move || plan::plan(&planned, &live, &policy, now));
        let plan = planning.instrument(span.clone()).await??;
        span.record("bindery.operators", plan.operators.len()).record("bindery.holds", plan.holds.len());
        Ok(Look::Planned { candidate, catalog, plan: Box::new(plan) })
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

    #[tracing::instrument(name = "sync.compile", skip_all, err(level = "debug"), fields(bindery.commit = %commit))]
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
    #[tracing::instrument(name = "sync.guardrails", skip_all, err(level = "debug"))]
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
}

fn compile(compiler: &mut Compiler, path: &Path, commit: Oid, options: &Options) -> Result<Compiled, source::Error> {
    let repository = git2::Repository::open_bare(path)?;
    compiler.compile_revision(&repository, commit, options)
}
