//! A commit that is not applied: told once, in a row and an event, and shown for as long as it lasts.

use bindery_compiler::plan::text;
use bindery_schema::change::ListChange;
use bindery_schema::plan::Plan;
use bindery_schema::value::Instant;
use bindery_schema::wire::api::Blocked;
use bindery_schema::wire::control::{Pause, Refused};
use bindery_schema::wire::event;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::step::{Candidate, Outcome};
use crate::failpoint::{self, Point};
use crate::leader::fence::Fence;
use crate::outbox::append;
use crate::shared::Shared;
use crate::store::postgres::runs::Run;
use crate::store::postgres::{Error, control, outbox, runs};
use crate::telemetry::Trace;

/// Most rules a held plan is kept with, one by one; of a larger one their numbers are.
const RULES_KEPT: usize = 10_000;
/// Longest text of a held plan, in bytes.
const SUMMARY: usize = 256 << 10;

/// Why a commit is not applied.
#[derive(Debug)]
pub enum Reason<'a> {
    /// It does not compile, a password of it cannot be opened, or it was rolled back: `reason` and more.
    Rejected(Value),
    /// A guardrail holds its plan.
    Held(&'a Plan),
}

impl Reason<'_> {
    /// How the step ends.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Rejected(_) => Outcome::Rejected,
            Self::Held(_) => Outcome::Held,
        }
    }
}

/// Records that a commit is rejected or held, unless that is on record already, and returns what to show.
#[tracing::instrument(name = "sync.block", skip_all, err(level = "debug"), fields(bindery.outcome = reason.outcome().as_str()))]
pub async fn record(
    shared: &Shared,
    candidate: &Candidate,
    reason: &Reason<'_>,
    fence: Fence,
) -> Result<Blocked, Error> {
    let commit = candidate.commit.to_string();
    let mut transaction = shared.stores.postgres.begin().await?;
    fence.hold(&mut transaction).await?;
    let (detail, since, known) = match reason {
        Reason::Held(plan) => {
            let (kept, summary) = shown(plan);
            let held = control::hold(&mut transaction, &commit, plan, (&kept, &summary)).await?;
            let detail = json!({ "holds": plan.holds, "planHash": plan.hash.to_string(), "counts": plan.counts() });
            (detail, held.since, held.known)
        }
        Reason::Rejected(detail) => {
            control::forget_held(&mut transaction).await?;
            let last = runs::last(&mut transaction, false).await?;
            let known = last.filter(|last| last.commit == commit && last.outcome == Outcome::Rejected.as_str());
            let since = known.as_ref().map_or_else(|| Timestamp::now().into(), |known| known.finished_at);
            (detail.clone(), since, known.is_some())
        }
    };
    if !known {
        tell(shared, &mut transaction, candidate, reason.outcome(), &detail).await?;
    }
    let show = if reason.outcome() == Outcome::Held { held } else { rejected };
    let blocked = show(commit, &detail, since);
    failpoint::reach(Point::BlockRecorded).await;
    transaction.commit().await?;
    failpoint::reach(Point::BlockCommitted).await;
    shared.relay.notify_one();
    Ok(blocked)
}

async fn tell(
    shared: &Shared,
    connection: &mut sqlx::PgConnection,
    candidate: &Candidate,
    outcome: Outcome,
    detail: &Value,
) -> Result<(), Error> {
    let Candidate { history, before, .. } = candidate;
    let (commit, previous) = (candidate.commit.to_string(), before.commit.as_deref());
    let event_type = if outcome == Outcome::Held { event::SYNC_HELD } else { event::SYNC_REJECTED };
    let (environment, author) = (&shared.config.environment, &history.author);
    let told = append::sync(environment, event_type, &commit, previous, before.generation, author, detail.clone());
    outbox::append(connection, &[(told, Trace::current())]).await?;
    let run = Run {
        commit: &commit,
        previous,
        outcome: outcome.as_str(),
        generation: None,
        started_at: candidate.now.into(),
        detail: detail.clone(),
        skipped: &history.skipped,
    };
    runs::record(connection, &run).await
}

/// A plan as it is kept while it is held: for programs and for people.
fn shown(plan: &Plan) -> (Value, String) {
    let mut summary = String::new();
    // Writing into memory does not fail.
    let _ = text::human(plan, &mut summary);
    if summary.len() > SUMMARY {
        // After a whole line, which is no place inside a character either.
        let end = summary.as_bytes()[..SUMMARY].iter().rposition(|byte| *byte == b'\n');
        summary.truncate(end.map_or(0, |end| end + 1));
        summary.push_str("… the rest is left out\n");
    }
    if plan.counts().routes <= RULES_KEPT {
        return (json!(plan), summary);
    }
    let mut short = plan.clone();
    short.operators.iter_mut().for_each(|change| change.routes = ListChange::default());
    let mut kept = json!(short);
    for (kept, change) in kept["operators"].as_array_mut().into_iter().flatten().zip(&plan.operators) {
        kept["routeCounts"] = counts(&change.routes);
    }
    (kept, summary)
}

/// How many members of a list come, change and go.
pub(super) fn counts<T>(list: &ListChange<T>) -> Value {
    json!({ "added": list.added.len(), "updated": list.updated.len(), "removed": list.removed.len() })
}

/// Why a rejected commit is not applied, from its run's detail.
pub fn rejected(commit: String, detail: &Value, since: Instant) -> Blocked {
    let next_step = match detail["refused"].as_str() {
        Some(revision) => format!(
            "commit something else, or allow the revision again: `bindery-agent rollback --allow {revision}`, or a \
             commit with the trailer `Bindery-Allow: {revision}`"
        ),
        None => "the last good commit stays applied; `bindery check` shows what to mend: commit that, or take the \
                 commit back: `bindery-agent rollback REVISION`"
            .replace("REVISION", &commit),
    };
    Blocked {
        commit,
        reason: detail["reason"].as_str().unwrap_or_default().to_owned(),
        findings: detail["findings"].as_array().cloned().unwrap_or_default(),
        holds: Vec::new(),
        plan_hash: None,
        since,
        until: None,
        next_step,
    }
}

/// What is on record of a tip that was rolled back.
pub fn refused(refused: &Refused) -> Value {
    let Refused { revision, reason, by, since } = refused;
    let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let reason = format!("the commit has the tree of {revision}, which {by} rolled back at {since}{why}");
    json!({ "reason": reason, "refused": revision })
}

/// Why a held commit is not applied, from its run's detail.
pub fn held(commit: String, detail: &Value, since: Instant) -> Blocked {
    let plan_hash = detail["planHash"].as_str().unwrap_or_default().to_owned();
    let hold = |hold: &Value| {
        let text = |key: &str| hold[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", text("guardrail"), text("message"))
    };
    Blocked {
        next_step: format!(
            "take the commit back: `bindery-agent rollback {commit}`; or release exactly this plan: `bindery-agent \
             release {plan_hash}`, or a commit with the trailer `Bindery-Allow: {plan_hash}`"
        ),
        commit,
        reason: "a guardrail of the policy holds the plan".to_owned(),
        findings: Vec::new(),
        holds: detail["holds"].as_array().map(|holds| holds.iter().map(hold).collect()).unwrap_or_default(),
        plan_hash: Some(plan_hash),
        since,
        until: None,
    }
}

/// Why a commit waits while the sync is paused.
pub fn paused(commit: String, plan: &Plan, pause: &Pause) -> Blocked {
    let c = plan.counts();
    let operators = c.created + c.updated + c.deleted + c.restored + c.renamed;
    let (carriers, rules) = (plan.mnos.len(), c.routes);
    Blocked {
        commit,
        reason: format!("the sync is paused; {operators} operators, {rules} rules and {carriers} carriers wait"),
        findings: Vec::new(),
        holds: Vec::new(),
        plan_hash: None,
        since: pause.since,
        until: Some(pause.until),
        next_step: "it goes on by itself when the pause ends; to go on now: `bindery-agent resume`".to_owned(),
    }
}
