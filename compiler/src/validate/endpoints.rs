//! (host, port, systemId) is unique over all operators of the tree, active or not, in the base and in each environment.

use std::collections::{BTreeSet, HashMap};

use bindery_schema::value::{Host, SystemId};

use super::{Objects, OperatorObject};
use crate::diagnostic::{Anchor, Code, Draft, Sink};

pub(super) fn check(objects: &Objects<'_>, sink: &mut Sink) {
    let operators = objects.operators_in_order();
    // A clash that the base has already is not repeated for the environments.
    let mut reported = BTreeSet::new();
    for environment in objects.environments() {
        let mut first_at = HashMap::with_capacity(operators.len());
        for (id, operator) in &operators {
            let Some(endpoint) = endpoint(operator, environment) else { continue };
            let Some((first_id, first)) = first_at.get(&endpoint) else {
                first_at.insert(endpoint, (*id, *operator));
                continue;
            };
            if !reported.insert((*first_id, *id)) {
                continue;
            }
            let scope = environment.map(|name| format!(" in environment `{name}`")).unwrap_or_default();
            let (host, port, system_id) = endpoint;
            let message = format!(
                "operators `{first_id}` and `{id}` share host `{host}`, port {port} and systemId `{system_id}`{scope}"
            );
            let draft = Draft::new(Code::DuplicateEndpoint, place(operator, environment), message)
                .related(place(first, environment), format!("`{first_id}` has the same endpoint"))
                .help("a carrier keeps one session per systemId: ask for another systemId or delete one of the two")
                .about(id.as_str());
            sink.push(draft);
        }
    }
}

fn endpoint<'a>(operator: &OperatorObject<'a>, environment: Option<&str>) -> Option<(&'a Host, u16, &'a SystemId)> {
    let spec = operator.spec?;
    let (base, overlay) = (&spec.smpp, environment.and_then(|name| spec.environments.get(name)?.smpp.as_ref()));
    let host = overlay.and_then(|overlay| overlay.host.as_ref()).unwrap_or(&base.host);
    let port = overlay.and_then(|overlay| overlay.port).unwrap_or(base.port);
    let system_id = overlay.and_then(|overlay| overlay.system_id.as_ref()).unwrap_or(&base.system_id);
    Some((host, port, system_id))
}

/// The systemId that counts, or the overlay's `smpp` where the overlay changes the endpoint without naming one.
fn place(operator: &OperatorObject<'_>, environment: Option<&str>) -> Anchor {
    let overlay = environment.and_then(|name| operator.spec?.environments.get(name)?.smpp.as_ref());
    match overlay {
        Some(smpp) if smpp.system_id.is_none() => operator.place(environment, true, "smpp"),
        overlay => operator.place(environment, overlay.is_some(), "smpp.systemId"),
    }
}
