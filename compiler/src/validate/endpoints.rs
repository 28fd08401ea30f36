//! (host, port, systemId) is unique over all operators of the tree, active or not, in the base and in each environment.

use std::collections::{BTreeSet, HashMap};

use super::{Objects, OperatorObject, named};
use crate::diagnostic::{Anchor, Code, Draft, Sink};

pub(super) fn check(objects: &Objects<'_>, sink: &mut Sink) {
    let operators = objects.operators_in_order();
    // A clash at a place where one is told already is not repeated, unless the other side of it is an environment's own.
    let mut reported = BTreeSet::new();
    for environment in objects.environments() {
        let mut first_at = HashMap::with_capacity(operators.len());
        for (number, (id, operator)) in operators.iter().enumerate() {
            let Some(endpoint) = operator.bind(environment).endpoint() else { continue };
            let Some(first_number) = first_at.get(&endpoint) else {
                first_at.insert(endpoint, number);
                continue;
            };
            let (first_id, first) = operators[*first_number];
            let (at, with) = (place(operator, environment), place(first, environment));
            if !reported.insert((at.clone(), is_moved(first, environment).then(|| with.clone()))) {
                continue;
            }
            let scope = environment.map(|name| format!(" in environment `{name}`")).unwrap_or_default();
            let (host, port, system_id) = endpoint;
            let (one, two) = (named(first_id), named(*id));
            let message =
                format!("operators {one} and {two} share host `{host}`, port {port} and systemId `{system_id}`{scope}");
            let draft = Draft::new(Code::DuplicateEndpoint, at, message)
                .related(with, format!("{one} has the same endpoint"))
                .help("a carrier keeps one session per systemId: ask for another systemId or delete one of the two")
                .about_some(*id);
            sink.push(draft);
        }
    }
}

/// Whether an environment has another endpoint than the base.
fn is_moved(operator: &OperatorObject<'_>, environment: Option<&str>) -> bool {
    operator.bind(environment).endpoint() != operator.bind(None).endpoint()
}

/// The systemId that counts, or the overlay's `smpp` where the overlay changes the endpoint without naming one.
fn place(operator: &OperatorObject<'_>, environment: Option<&str>) -> Anchor {
    if !is_moved(operator, environment) {
        return operator.place(None, false, "smpp.systemId");
    }
    let overlay = operator.overlay(environment).and_then(|overlay| overlay.smpp.as_ref());
    let names_it = overlay.is_some_and(|smpp| smpp.system_id.is_some());
    operator.place(environment, true, if names_it { "smpp.systemId" } else { "smpp" })
}
