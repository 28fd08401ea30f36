//! What names an object that must exist, and what a carrier must have.

use bindery_schema::value::OperatorId;

use super::{Objects, named, nearest};
use crate::diagnostic::{Anchor, Code, Draft, Sink};
use crate::join::left_join;

pub(super) fn check(objects: &Objects<'_>, sink: &mut Sink) {
    let mnos = || objects.mnos.keys().map(|id| id.as_str());
    for (id, operator) in objects.operators_alone() {
        if let Some(mno) = operator.mno().filter(|mno| !objects.mnos.contains_key(*mno)) {
            let place = operator.root.clone().at("metadata.mno");
            unknown(objects, "carrier", mno.as_str(), place, id.map(OperatorId::as_str), mnos(), sink);
        }
    }
    for (operator, routes, owner) in left_join(&objects.routes, &objects.operators) {
        if owner.is_none() {
            let known = objects.operators.keys().map(|id| id.as_str());
            let place = routes.root.clone().at("metadata.operator");
            unknown(objects, "operator", operator.as_str(), place, Some(operator.as_str()), known, sink);
        }
    }
    for (mno, contracts, owner) in left_join(&objects.contracts, &objects.mnos) {
        if owner.is_none() {
            let place = contracts.root.clone().at("metadata.mno");
            unknown(objects, "carrier", mno.as_str(), place, Some(mno.as_str()), mnos(), sink);
        }
    }
    let nameless = objects.nameless.mnos.iter().map(|mno| (None, mno));
    let taken = objects.taken.mnos.iter().map(|(id, mno)| (Some(*id), mno));
    for (id, mno) in objects.mnos.iter().map(|(id, mno)| (Some(*id), mno)).chain(nameless).chain(taken) {
        if !mno.missing_tiers.is_empty() {
            let tiers = mno.missing_tiers.join(" and ");
            let message = format!("carrier {} has no contact in {tiers}", named(id));
            let draft = Draft::new(Code::EscalationIncomplete, mno.root.clone().at("spec").name("contacts"), message)
                .help("name whom the NOC escalates to, at least a desk");
            sink.push(draft.about_some(id));
        }
    }
}

fn unknown<'k>(
    objects: &Objects<'_>,
    kind: &'static str,
    id: &str,
    place: Anchor,
    object: Option<&str>,
    known: impl Iterator<Item = &'k str>,
    sink: &mut Sink,
) {
    if objects.may_define(if kind == "operator" { "Operator" } else { "Mno" }, id) {
        return;
    }
    let help = match nearest(id, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("define the {kind} or correct the id"),
    };
    let draft =
        Draft::new(Code::UnknownReference, place, format!("no {kind} has the id `{id}`")).help(help).about_some(object);
    sink.push(draft);
}
