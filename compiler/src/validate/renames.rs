//! Renamed operators: the former id stands nowhere else, and the rename leaves time to be watched.

use std::collections::BTreeMap;

use bindery_schema::value::OperatorId;
use jiff::{SignedDuration, Timestamp};

use super::{Objects, OperatorObject, named};
use crate::diagnostic::{Code, Draft, Sink};

/// Least time between the commit and the rename, so that someone is there to watch it (US-OPS-10).
const LEAD: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn check(objects: &Objects<'_>, now: Timestamp, sink: &mut Sink) {
    let earliest = now.checked_add(LEAD).unwrap_or(Timestamp::MAX);
    let mut claimed: BTreeMap<&OperatorId, &OperatorObject<'_>> = BTreeMap::new();
    for (id, operator) in objects.operators_in_order() {
        let Some((former, effective_at)) = operator.renamed_from() else { continue };
        if let Some(former) = former {
            collision(objects, (id, operator), former, &mut claimed, sink);
        }
        if let Some(effective_at) = effective_at.filter(|at| at.timestamp() < earliest) {
            let place = operator.root.clone().at("metadata.renamedFrom.effectiveAt");
            let message = format!("the rename takes effect at {effective_at}, less than 5 minutes from now");
            let help = "leave at least 5 minutes so that someone can watch the drain; remove `renamedFrom` once a rename is done";
            sink.push(Draft::new(Code::RenameTooSoon, place, message).help(help).about_some(id));
        }
    }
}

fn collision<'o, 'a>(
    objects: &Objects<'_>,
    (id, operator): (Option<&OperatorId>, &'o OperatorObject<'a>),
    former: &'a OperatorId,
    claimed: &mut BTreeMap<&'a OperatorId, &'o OperatorObject<'a>>,
    sink: &mut Sink,
) {
    let draft =
        |message| Draft::new(Code::RenameCollision, operator.root.clone().at("metadata.renamedFrom.id"), message);
    let name = named(id);
    if id == Some(former) {
        let draft = draft(format!("operator {name} is renamed from itself"));
        let draft = draft.related(operator.root.clone().at("metadata.id"), "the id it has");
        sink.push(draft.help("name the former id, or remove `renamedFrom`").about_some(id));
    } else if let Some(other) = objects.operators.get(former) {
        let draft = draft(format!("operator {name} is renamed from `{former}`, which is still there"))
            .related(other.root.clone().at("metadata.id"), format!("`{former}`"))
            .help("a rename replaces the operator: delete the file of the former id in the same commit");
        sink.push(draft.about_some(id));
    } else if let Some(first) = claimed.get(former) {
        let draft = draft(format!("two operators are renamed from `{former}`"))
            .related(first.root.clone().at("metadata.renamedFrom.id"), "the first one")
            .help("one operator goes on under one new id");
        sink.push(draft.about_some(id));
    } else {
        claimed.insert(former, operator);
    }
}
