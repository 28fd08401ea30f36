//! Carries a plan out. Makes no choice of its own: where it would have to choose, the plan lacks a field.
//!
//! Order: intents and passwords into Vault, one transaction in Postgres with the outbox, Redis, deletions in Vault.
//! Until the transaction commits nothing has happened that cannot be taken back; once it has, the rest is only owed.

use std::collections::BTreeSet;

use bindery_schema::catalog::Operator;
use bindery_schema::change::{Action, OperatorChange};
use bindery_schema::operator::Status;
use bindery_schema::plan::Plan;
use bindery_schema::value::{Instant, OperatorId};
use bindery_schema::wire::api::AppliedCommit;
use serde_json::json;
use sqlx::PgConnection;
use tracing::Span;
use tracing::field::Empty;

use super::fetch::History;
use super::release::Release;
use super::secrets::{self, Writes};
use super::trail;
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::outbox::append;
use crate::shared::Shared;
use crate::store::postgres::audit::{Cause, Entry};
use crate::store::postgres::runs::Run;
use crate::store::postgres::sync_state::SyncState;
use crate::store::postgres::{self, carriers, control, intents, operators, outbox, routing, rules, runs, sync_state};
use crate::telemetry::Trace;

/// A plan with what it rests on.
#[derive(Debug)]
pub struct Step<'a> {
    /// What has to change.
    pub plan: &'a Plan,
    /// Its passwords.
    pub writes: &'a Writes,
    /// The commit to apply.
    pub commit: &'a str,
    /// What is known of it.
    pub history: &'a History,
    /// The step the plan was made against.
    pub before: &'a SyncState,
    /// When work on it began.
    pub started_at: Instant,
    /// Who released it, where a guardrail held it.
    pub release: Option<&'a Release>,
    /// What the step heals, where it applies the applied commit once more.
    pub healing: Option<&'a Healing<'a>>,
}

/// Drift that a step heals.
#[derive(Debug)]
pub struct Healing<'a> {
    /// Who asked for it: a caller of the API, or the agent by itself.
    pub by: Cause<'a>,
    /// What is put right, for the audit trail.
    pub entries: &'a [Entry],
    /// Passwords in Vault that belong to no operator and are deleted.
    pub orphans: &'a [OperatorId],
    /// Whether Vault stays as it is, whatever becomes of the rows.
    pub keeps_vault: bool,
}

impl Step<'_> {
    /// The deletions in Vault that the step owes.
    fn deletions(&self) -> Vec<intents::Intent> {
        match self.healing {
            None => secrets::deletions(self.plan, &[]),
            Some(healing) if healing.keeps_vault => Vec::new(),
            Some(healing) => secrets::deletions(self.plan, healing.orphans),
        }
    }
}

/// Applies a step up to and including the transaction in Postgres.
pub async fn apply(shared: &Shared, step: &Step<'_>, fence: Fence) -> Result<AppliedCommit, secrets::Error> {
    let stores = &shared.stores;
    let again = secrets::written(step.writes, step.plan);
    secrets::undo(stores, &again, fence).await?;
    failpoint::reach(Point::StaleUndone).await;
    secrets::write(stores, step.writes, step.commit, fence).await?;
    failpoint::reach(Point::PasswordsWritten).await;
    let applied = transact(shared, step, &again, fence).await?;
    shared.relay.notify_one();
    Ok(applied)
}

/// The one transaction that makes the step true.
#[tracing::instrument(name = "sync.transaction", skip_all, err(level = "debug"), fields(bindery.generation = Empty))]
async fn transact(
    shared: &Shared,
    step: &Step<'_>,
    again: &BTreeSet<&str>,
    fence: Fence,
) -> Result<AppliedCommit, secrets::Error> {
    let mut transaction = shared.stores.postgres.begin().await?;
    let applied = sync_state::advance(&mut transaction, step.commit, fence.number(), step.before.generation).await?;
    Span::current().record("bindery.generation", applied.generation);
    failpoint::reach(Point::Advanced).await;
    write_rows(&mut transaction, step, applied.generation).await?;
    failpoint::reach(Point::RowsWritten).await;
    record(&mut transaction, &shared.config.environment, step, &applied).await?;
    let again: Vec<&str> = again.iter().copied().collect();
    intents::clear(&mut transaction, intents::Action::Write, &again).await?;
    intents::record(&mut transaction, step.commit, &step.deletions()).await?;
    failpoint::reach(Point::DeletionsNoted).await;
    control::forget_held(&mut transaction).await?;
    failpoint::reach(Point::BeforeCommit).await;
    transaction.commit().await?;
    failpoint::reach(Point::Committed).await;
    Ok(applied)
}

async fn write_rows(connection: &mut PgConnection, step: &Step<'_>, generation: i64) -> Result<(), postgres::Error> {
    let Step { plan, commit, .. } = step;
    carriers_before(connection, plan, commit).await?;
    let renamed = || {
        plan.operators.iter().filter_map(|change| match &change.action {
            Action::Rename { old_id } => Some((old_id, &change.id)),
            _ => None,
        })
    };
    for (old, new) in renamed() {
        rules::note_leaving(connection, old, generation).await?;
        operators::rename(connection, old, new).await?;
    }
    let (gone, kept): (Vec<_>, Vec<_>) = plan.operators.iter().partition(|change| change.action == Action::Delete);
    let gone: Vec<&str> = gone.iter().map(|change| change.id.as_str()).collect();
    rules::remove_all(connection, &gone, generation).await?;
    operators::delete(connection, &gone, commit).await?;
    let desired = |change: &&'_ OperatorChange| change.desired.clone().map(|desired| (change.id.clone(), desired));
    let desired: Vec<_> = kept.iter().filter_map(desired).collect();
    let rows: Vec<_> = desired.iter().map(|(id, desired)| (id, &**desired)).collect();
    let ids: Vec<&str> = desired.iter().map(|(id, _)| id.as_str()).collect();
    let took_traffic: BTreeSet<String> = routing::taking_traffic(connection, &ids).await?.into_iter().collect();
    operators::upsert(connection, &rows, commit).await?;
    let routes: Vec<_> = kept.iter().map(|change| (&change.id, &change.routes)).collect();
    rules::merge(connection, &routes, generation).await?;
    // The rules of an operator that is switched on or off stay as they are, and come into the routing table or leave it.
    let takes = |operator: &Operator| operator.spec.status == Status::Active;
    let switched = desired.iter().filter(|(id, desired)| takes(desired) != took_traffic.contains(id.as_str()));
    let switched: Vec<&str> = switched.map(|(id, _)| id.as_str()).collect();
    rules::note_switched(connection, &switched, generation).await?;
    for (_, new) in renamed() {
        rules::note_arriving(connection, new, generation).await?;
    }
    Ok(())
}

/// Carriers come before the operators that name them; one that goes is only marked, so it may be written here too.
async fn carriers_before(connection: &mut PgConnection, plan: &Plan, commit: &str) -> Result<(), postgres::Error> {
    if plan.mnos.is_empty() { Ok(()) } else { carriers::write(connection, &plan.mnos, commit).await }
}

async fn record(
    connection: &mut PgConnection,
    environment: &str,
    step: &Step<'_>,
    applied: &AppliedCommit,
) -> Result<(), postgres::Error> {
    let Step { plan, commit, history, before, started_at, .. } = step;
    let plan_hash = plan.hash.to_string();
    let detail = json!({
        "counts": plan.counts(), "mnos": plan.mnos.len(), "planHash": plan_hash, "fastForward": history.fast_forward,
        "releasedBy": step.release.map(|release| &release.by),
        "note": history.note(),
        "healed": step.healing.map(|healing| healing.entries.len()),
    });
    let run = Run {
        commit,
        previous: before.commit.as_deref(),
        outcome: "applied",
        generation: Some(applied.generation),
        started_at: *started_at,
        detail: detail.clone(),
        skipped: &history.skipped,
    };
    runs::record(connection, &run).await?;
    failpoint::reach(Point::RunRecorded).await;
    trail::append(connection, step, applied).await?;
    failpoint::reach(Point::Audited).await;
    let events = append::of_step(environment, plan, applied, before.commit.as_deref(), &history.author);
    let trace = Trace::current();
    let events: Vec<_> = events.into_iter().map(|event| (event, trace.clone())).collect();
    outbox::append(connection, &events).await?;
    failpoint::reach(Point::EventsAppended).await;
    Ok(())
}
