//! Makes events of what happened.

use bindery_schema::change::{Action, OperatorChange};
use bindery_schema::plan::Plan;
use bindery_schema::value::Instant;
use bindery_schema::wire::api::AppliedCommit;
use bindery_schema::wire::event::{self, CloudEvent, OperatorConfig, Sync};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// An event of this moment about an object. Its id is ordered by time, so that a list of events reads in order.
pub fn event(environment: &str, event_type: &str, object: &str, data: impl Serialize) -> CloudEvent {
    CloudEvent {
        specversion: "1.0".to_owned(),
        id: Uuid::now_v7().to_string(),
        source: format!("bindery/{environment}"),
        event_type: event_type.to_owned(),
        subject: object.to_owned(),
        time: Instant::from(Timestamp::now()),
        // Payloads are plain data of the vocabulary: turning them into JSON does not fail.
        data: serde_json::to_value(data).unwrap_or_default(),
    }
}

/// The events of an applied step: one an operator in the plan's order, then the step itself.
pub fn of_step(
    environment: &str,
    plan: &Plan,
    applied: &AppliedCommit,
    previous: Option<&str>,
    author: &str,
) -> Vec<CloudEvent> {
    let operator = |change: &OperatorChange| {
        let (event_type, old_id) = match &change.action {
            Action::Create => (event::OPERATOR_CREATED, None),
            Action::Update => (event::OPERATOR_UPDATED, None),
            Action::Delete => (event::OPERATOR_DELETED, None),
            Action::Restore => (event::OPERATOR_RESTORED, None),
            Action::Rename { old_id } => (event::OPERATOR_RENAMED, Some(old_id.clone())),
        };
        let data = OperatorConfig {
            operator_id: change.id.clone(),
            mno_id: change.mno.clone(),
            generation: applied.generation,
            commit: applied.commit.clone(),
            author: author.to_owned(),
            changed_fields: change.changed_fields(),
            new_id: old_id.is_some().then(|| change.id.clone()),
            old_id,
        };
        event(environment, event_type, change.id.as_str(), data)
    };
    let detail = serde_json::json!(plan.counts());
    let step = sync(environment, event::SYNC_APPLIED, &applied.commit, previous, applied.generation, author, detail);
    plan.operators.iter().map(operator).chain([step]).collect()
}

/// An event about a commit.
pub fn sync(
    environment: &str,
    event_type: &str,
    commit: &str,
    previous: Option<&str>,
    generation: i64,
    author: &str,
    detail: serde_json::Value,
) -> CloudEvent {
    let data = Sync {
        commit: commit.to_owned(),
        previous: previous.map(str::to_owned),
        generation,
        author: author.to_owned(),
        detail,
    };
    event(environment, event_type, commit, data)
}
