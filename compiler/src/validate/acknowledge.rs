//! Warnings someone has taken responsibility for, until a day.

use bindery_schema::policy::{Acknowledgement, PolicySpec};
use bindery_schema::value::Day;

use super::Objects;
use crate::diagnostic::{Anchor, Code, Draft, Finding, Severity, Sink};

pub(super) fn check(objects: &Objects<'_>, today: Day, sink: &mut Sink) {
    let Some((root, policy)) = &objects.policy else { return };
    for (index, entry) in (0..).zip(&policy.acknowledge) {
        if expired(entry, today) {
            sink.push(expiry(root, index, entry));
        }
    }
}

/// The finding of an acknowledgement, by its place in the list, from the day on which it no longer holds.
pub(crate) fn expiry(root: &Anchor, index: u32, entry: &Acknowledgement) -> Draft {
    let message = format!("the acknowledgement of {} for `{}` expired on {}", entry.code, entry.object, entry.expires);
    Draft::new(Code::AcknowledgementExpired, root.clone().at("spec.acknowledge").index(index), message)
        .help("look at the warning again, then renew the date or remove the entry")
        .about(&*entry.object)
        .since(Some(entry.expires))
}

/// Whether someone has taken responsibility for a warning about an object on a day.
pub(crate) fn acknowledged(code: Code, object: Option<&str>, policy: &PolicySpec, day: Day) -> bool {
    let covers =
        |entry: &Acknowledgement| entry.code == code.number() && Some(&*entry.object) == object && !expired(entry, day);
    code.severity() == Severity::Warning && policy.acknowledge.iter().any(covers)
}

pub(super) fn filter(mut findings: Vec<Finding>, policy: &PolicySpec, today: Day) -> Vec<Finding> {
    findings.retain(|finding| !acknowledged(finding.code, finding.object.as_deref(), policy, today));
    findings
}

fn expired(entry: &Acknowledgement, today: Day) -> bool {
    entry.expires <= today
}
