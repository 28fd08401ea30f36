//! Renamed operators: the former id stands nowhere else, and the rename leaves time to be watched.

use std::collections::BTreeMap;

use bindery_schema::value::{Day, Instant, OperatorId};
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
            sink.push(too_soon((id, operator), effective_at, now));
        }
    }
}

fn too_soon((id, operator): (Option<&OperatorId>, &OperatorObject<'_>), at: Instant, now: Timestamp) -> Draft {
    let place = operator.root.clone().at("metadata.renamedFrom.effectiveAt");
    let (message, help) = if at.timestamp() < now {
        (
            format!("the rename was due at {at}, which is past"),
            "once the stores have the operator under its new id, remove `renamedFrom`",
        )
    } else {
        (
            format!("the rename takes effect at {at}, less than 5 minutes from now"),
            "leave at least 5 minutes so that someone can watch the drain",
        )
    };
    Draft::new(Code::RenameTooSoon, place, message).help(help).about_some(id)
}

/// For each rename the first day at whose beginning a check finds it too soon or past, and what it finds then.
pub(crate) fn overdue(objects: &Objects<'_>) -> impl Iterator<Item = (Day, Draft)> {
    objects.operators_in_order().into_iter().filter_map(|(id, operator)| {
        let (_, Some(at)) = operator.renamed_from()? else { return None };
        let day = Day::of(at.timestamp().checked_sub(LEAD).ok()?).after();
        Some((day, too_soon((id, operator), at, day.midnight())))
    })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::diagnostic::Code;
    use crate::source::{Content, Loaded};
    use crate::{Compiler, Options};

    #[test]
    fn a_rename_long_past_is_not_called_near() {
        let (api, id) = ("bindery/v1", "new");
        let mno = json!({"apiVersion": api, "kind": "Mno", "metadata": {"id": "m"}, "spec": {
            "name": "M", "country": "AF", "contacts": {"t1": [{"name": "NOC"}]}}});
        let renamed = json!({"id": "old", "effectiveAt": "2027-01-01T00:00:00Z"});
        let operator = json!({"apiVersion": api, "kind": "Operator",
            "metadata": {"id": id, "mno": "m", "renamedFrom": renamed},
            "spec": {"displayName": "M", "status": "INACTIVE", "tps": {"outbound": 1},
                "smpp": {"host": "m.example", "port": 2775, "systemId": "m"}}});
        let told = |now: &str| {
            let text = format!("{mno}\n---\n{operator}\n");
            let file = Loaded { path: "operators/m.yaml".into(), blob: None, content: Content::Text(text.into()) };
            let options = Options { now: now.parse().unwrap(), environment: None };
            let compiled = Compiler::default().compile(vec![file], &options);
            let found = compiled.findings.into_iter().find(|finding| finding.code == Code::RenameTooSoon);
            found.map(|finding| (finding.message, finding.help.unwrap()))
        };
        assert_eq!(told("2026-12-31T23:55:00Z"), None);
        let (message, _) = told("2026-12-31T23:55:01Z").unwrap();
        assert_eq!(message, "the rename takes effect at 2027-01-01T00:00:00.000Z, less than 5 minutes from now");
        assert!(told("2027-01-01T00:00:00Z").unwrap().0.contains("less than 5 minutes"), "now is not past");
        let (message, help) = told("2028-01-01T00:00:00Z").unwrap();
        assert_eq!(message, "the rename was due at 2027-01-01T00:00:00.000Z, which is past");
        assert!(help.contains("remove `renamedFrom`"), "{help}");
    }
}
