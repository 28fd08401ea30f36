//! Events = changes, exactly once and in order: the stream beside the outbox, and beside what the steps changed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::Value;

use super::compare;
use super::steps::Steps;
use crate::chaos::Violation;
use crate::outside::Outside;

/// Event types of changes of an operator, and what the audit trail calls them.
const ACTIONS: [(&str, &str); 5] = [
    ("operator.config.created.v1", "create"),
    ("operator.config.updated.v1", "update"),
    ("operator.config.deleted.v1", "delete"),
    ("operator.config.restored.v1", "restore"),
    ("operator.config.renamed.v1", "rename"),
];
/// Event types of runs, and what `ops.sync_runs` calls them.
const RUNS: [(&str, &str); 2] = [("ops.sync.rejected.v1", "rejected"), ("ops.sync.held.v1", "held")];

pub(super) async fn check(outside: &Outside, told: &[Value], steps: &Steps) -> Result<Vec<Violation>> {
    let word =
        |event: &Value, pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut found = Vec::new();

    // Each row of the outbox is one message, in the order of the rows.
    let owed = outside.column("select id::text from ops.outbox order by seq").await;
    let ids: Vec<String> = told.iter().map(|event| word(event, "/id")).collect();
    let twice = ids.len() - ids.iter().collect::<BTreeSet<_>>().len();
    if twice > 0 {
        found.push(Violation::new("events", format!("{twice} events are on the stream twice")));
    }
    let (wanted, there) = (owed.iter().cloned().collect(), ids.iter().cloned().collect());
    if let Some(violation) = compare("events", "ids on the stream beside the outbox", &wanted, &there) {
        found.push(violation);
    } else if let Some(at) = owed.iter().zip(&ids).position(|(row, message)| row != message) {
        let text = format!("message {at} is {}, and row {at} of the outbox is {}", ids[at], owed[at]);
        found.push(Violation::new("events", text));
    }

    // Each change is one event, and no event is about anything else.
    let mut changes: BTreeMap<String, usize> = BTreeMap::new();
    let mut applied = Vec::new();
    let mut newest = 0;
    for event in told {
        let (kind, subject) = (word(event, "/type"), word(event, "/subject"));
        let generation = event.pointer("/data/generation").and_then(Value::as_i64).unwrap_or_default();
        if let Some((_, action)) = ACTIONS.iter().find(|(name, _)| *name == kind) {
            *changes.entry(format!("{generation} {action} {subject}")).or_default() += 1;
        } else if kind == "ops.sync.applied.v1" {
            applied.push(format!("{generation} {subject}"));
        }
        if generation < newest {
            let text = format!("{kind} {subject} of step {generation} comes after an event of step {newest}");
            found.push(Violation::new("events", text));
        }
        newest = newest.max(generation);
    }
    let twice: Vec<&String> = changes.iter().filter(|(_, count)| **count > 1).map(|(change, _)| change).collect();
    if !twice.is_empty() {
        found.push(Violation::new("events", format!("told more than once: {twice:?}")));
    }
    let audited: BTreeSet<String> = steps.audited().iter().cloned().collect();
    if audited.len() != steps.audited().len() {
        found.push(Violation::new("events", "the audit trail has a change of an operator twice"));
    }
    found.extend(compare("events", "changes told", &audited, &changes.into_keys().collect()));
    if applied != steps.applied() {
        let (wanted, told) = (steps.applied().into_iter().collect(), applied.into_iter().collect());
        let difference = compare("events", "steps told", &wanted, &told);
        found.push(difference.unwrap_or_else(|| Violation::new("events", "steps are told twice or out of order")));
    }
    for (kind, outcome) in RUNS {
        let count = told.iter().filter(|event| event["type"] == kind).count();
        let rows = outside.column("select outcome from ops.sync_runs where outcome in ('rejected', 'held')").await;
        let rows = rows.iter().filter(|row| *row == outcome).count();
        if count != rows {
            found.push(Violation::new("events", format!("{count} events {kind}, and {rows} runs that were {outcome}")));
        }
    }
    Ok(found)
}
