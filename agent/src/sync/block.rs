//! A commit that is not applied: told once, in a row and an event, and shown for as long as it lasts.

use bindery_schema::value::Instant;
use bindery_schema::wire::api::Blocked;
use bindery_schema::wire::event;
use jiff::Timestamp;
use serde_json::Value;

use super::step::{Candidate, Outcome};
use crate::leader::fence::Fence;
use crate::outbox::append;
use crate::shared::Shared;
use crate::store::postgres::runs::Run;
use crate::store::postgres::{Error, outbox, runs};

/// Records that a commit is rejected or held, unless that is the last thing recorded, and returns what to show.
pub async fn record(
    shared: &Shared,
    candidate: &Candidate,
    outcome: Outcome,
    detail: Value,
    fence: Fence,
) -> Result<Blocked, Error> {
    let Candidate { history, before, .. } = candidate;
    let commit = candidate.commit.to_string();
    let mut transaction = shared.stores.postgres.begin().await?;
    fence.hold(&mut transaction).await?;
    let last = runs::last(&mut transaction).await?;
    let known = last.filter(|last| last.commit == commit && last.outcome == outcome.as_str());
    if known.is_none() {
        let previous = before.commit.as_deref();
        let event_type = if outcome == Outcome::Held { event::SYNC_HELD } else { event::SYNC_REJECTED };
        let (environment, author) = (&shared.config.environment, &history.author);
        let told = append::sync(environment, event_type, &commit, previous, before.generation, author, detail.clone());
        outbox::append(&mut transaction, &[told]).await?;
        let run = Run {
            commit: &commit,
            previous,
            outcome: outcome.as_str(),
            generation: None,
            started_at: candidate.now.into(),
            detail: detail.clone(),
            skipped: &history.skipped,
        };
        runs::record(&mut transaction, &run).await?;
    }
    let since = known.map_or_else(|| Instant::from(Timestamp::now()), |known| known.finished_at);
    let blocked = if outcome == Outcome::Held { held } else { rejected }(commit, &detail, since);
    transaction.commit().await?;
    shared.relay.notify_one();
    Ok(blocked)
}

/// Why a rejected commit is not applied, from its run's detail.
pub fn rejected(commit: String, detail: &Value, since: Instant) -> Blocked {
    Blocked {
        commit,
        reason: detail["reason"].as_str().unwrap_or_default().to_owned(),
        findings: detail["findings"].as_array().cloned().unwrap_or_default(),
        holds: Vec::new(),
        plan_hash: None,
        since,
        next_step: "the last good commit stays applied; `bindery check` shows what to mend: commit that, or revert"
            .to_owned(),
    }
}

/// Why a held commit is not applied, from its run's detail.
pub fn held(commit: String, detail: &Value, since: Instant) -> Blocked {
    let plan_hash = detail["planHash"].as_str().unwrap_or_default().to_owned();
    let hold = |hold: &Value| {
        let text = |key: &str| hold[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", text("guardrail"), text("message"))
    };
    Blocked {
        commit,
        reason: "a guardrail of the policy holds the plan".to_owned(),
        findings: Vec::new(),
        holds: detail["holds"].as_array().map(|holds| holds.iter().map(hold).collect()).unwrap_or_default(),
        next_step: format!(
            "revert, or release exactly this plan by a commit with the trailer `Bindery-Allow: {plan_hash}`"
        ),
        plan_hash: Some(plan_hash),
        since,
    }
}
