//! Renamed operators: the former id stands nowhere else, and the rename leaves time to be watched.

use std::collections::BTreeMap;

use bindery_schema::value::OperatorId;
use jiff::{SignedDuration, Timestamp};

use super::{Objects, OperatorObject};
use crate::diagnostic::{Code, Draft, Sink};

/// Least time between the commit and the rename, so that someone is there to watch it (US-OPS-10).
const LEAD: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn check(objects: &Objects<'_>, now: Timestamp, sink: &mut Sink) {
    let mut claimed: BTreeMap<&OperatorId, &OperatorObject<'_>> = BTreeMap::new();
    for (id, operator) in objects.operators_in_order() {
        let Some(renamed) = operator.metadata.and_then(|metadata| metadata.renamed_from.as_ref()) else { continue };
        let place = || operator.root.clone().at("metadata.renamedFrom.id");
        let former = &renamed.id;
        if former == id {
            let draft = Draft::new(Code::RenameCollision, place(), format!("operator `{id}` is renamed from itself"));
            let draft = draft.related(operator.root.clone().at("metadata.id"), "the id it has");
            sink.push(draft.help("name the former id, or remove `renamedFrom`").about(id.as_str()));
        } else if let Some(other) = objects.operators.get(former) {
            let message = format!("operator `{id}` is renamed from `{former}`, which is still there");
            let draft = Draft::new(Code::RenameCollision, place(), message)
                .related(other.root.clone().at("metadata.id"), format!("`{former}`"))
                .help("a rename replaces the operator: delete the file of the former id in the same commit");
            sink.push(draft.about(id.as_str()));
        } else if let Some(first) = claimed.get(former) {
            let message = format!("two operators are renamed from `{former}`");
            let draft = Draft::new(Code::RenameCollision, place(), message)
                .related(first.root.clone().at("metadata.renamedFrom.id"), "the first one")
                .help("one operator goes on under one new id");
            sink.push(draft.about(id.as_str()));
        } else {
            claimed.insert(former, operator);
        }
        let earliest = now.checked_add(LEAD).unwrap_or(Timestamp::MAX);
        if renamed.effective_at.timestamp() < earliest {
            let place = operator.root.clone().at("metadata.renamedFrom.effectiveAt");
            let message = format!("the rename takes effect at {}, less than 5 minutes from now", renamed.effective_at);
            let help = "leave at least 5 minutes so that someone can watch the drain; remove `renamedFrom` once a rename is done";
            sink.push(Draft::new(Code::RenameTooSoon, place, message).help(help).about(id.as_str()));
        }
    }
}
