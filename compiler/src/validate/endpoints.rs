//! (host, port, systemId) is unique over all operators of the tree, active or not, in the base and in each environment.

use std::collections::{BTreeSet, HashMap};

use super::{Objects, OperatorObject, named};
use crate::diagnostic::{Anchor, Code, Draft, Sink};

pub(super) fn check(objects: &Objects<'_>, sink: &mut Sink) {
    let operators = objects.operators_in_order();
    // A clash that the base has already is not repeated for the environments.
    let mut reported = BTreeSet::new();
    for environment in objects.environments() {
        let mut first_at = HashMap::with_capacity(operators.len());
        for (number, (id, operator)) in operators.iter().enumerate() {
            let Some(endpoint) = operator.bind(environment).endpoint() else { continue };
            let Some(first_number) = first_at.get(&endpoint) else {
                first_at.insert(endpoint, number);
                continue;
            };
            if !reported.insert((*first_number, number)) {
                continue;
            }
            let (first_id, first) = operators[*first_number];
            let scope = environment.map(|name| format!(" in environment `{name}`")).unwrap_or_default();
            let (host, port, system_id) = endpoint;
            let (one, two) = (named(first_id), named(*id));
            let message =
                format!("operators {one} and {two} share host `{host}`, port {port} and systemId `{system_id}`{scope}");
            let draft = Draft::new(Code::DuplicateEndpoint, place(operator, environment), message)
                .related(place(first, environment), format!("{one} has the same endpoint"))
                .help("a carrier keeps one session per systemId: ask for another systemId or delete one of the two")
                .about_some(*id);
            sink.push(draft);
        }
    }
}

/// The systemId that counts, or the overlay's `smpp` where the overlay changes the endpoint without naming one.
fn place(operator: &OperatorObject<'_>, environment: Option<&str>) -> Anchor {
    let overlay = operator.overlay(environment).and_then(|overlay| overlay.smpp.as_ref());
    match overlay {
        Some(smpp) if smpp.system_id.is_none() => operator.place(environment, true, "smpp"),
        overlay => operator.place(environment, overlay.is_some(), "smpp.systemId"),
    }
}
