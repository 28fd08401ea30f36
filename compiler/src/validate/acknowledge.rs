//! Warnings someone has taken responsibility for, until a day.

use bindery_schema::policy::{Acknowledgement, PolicySpec};
use bindery_schema::value::Day;

use super::Objects;
use crate::diagnostic::{Code, Draft, Finding, Severity, Sink};

pub(super) fn check(objects: &Objects<'_>, today: Day, sink: &mut Sink) {
    let Some((root, policy)) = &objects.policy else { return };
    for (index, entry) in (0..).zip(&policy.acknowledge) {
        if expired(entry, today) {
            let message =
                format!("the acknowledgement of {} for `{}` expired on {}", entry.code, entry.object, entry.expires);
            let draft =
                Draft::new(Code::AcknowledgementExpired, root.clone().at("spec.acknowledge").index(index), message);
            sink.push(
                draft.help("look at the warning again, then renew the date or remove the entry").about(&*entry.object),
            );
        }
    }
}

pub(super) fn filter(mut findings: Vec<Finding>, policy: &PolicySpec, today: Day) -> Vec<Finding> {
    let valid: Vec<_> = policy.acknowledge.iter().filter(|entry| !expired(entry, today)).collect();
    findings.retain(|finding| {
        let acknowledged = |entry: &&&Acknowledgement| {
            entry.code == finding.code.number() && Some(&entry.object) == finding.object.as_ref()
        };
        finding.severity() != Severity::Warning || !valid.iter().any(|entry| acknowledged(&entry))
    });
    findings
}

fn expired(entry: &Acknowledgement, today: Day) -> bool {
    entry.expires <= today
}
