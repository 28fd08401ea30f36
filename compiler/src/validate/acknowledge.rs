//! Warnings someone has taken responsibility for, until a day.

use bindery_schema::policy::{Acknowledgement, PolicySpec};
use bindery_schema::value::Day;

use super::{Objects, nearest};
use crate::diagnostic::{Anchor, Code, Draft, Finding, Severity, Sink};

pub(super) fn check(objects: &Objects<'_>, today: Day, sink: &mut Sink) {
    let Some((root, policy)) = &objects.policy else { return };
    for (index, entry) in (0..).zip(&policy.acknowledge) {
        if expired(entry, today) {
            sink.push(expiry(root, index, entry));
        } else if let Some((message, help)) = without_effect(objects, entry) {
            let place = root.clone().at("spec.acknowledge").index(index);
            let draft = Draft::new(Code::AcknowledgementWithoutEffect, place, message);
            sink.push(draft.help(help).about(&*entry.object));
        }
    }
}

/// Why an entry silences nothing, and what to do.
fn without_effect(objects: &Objects<'_>, entry: &Acknowledgement) -> Option<(String, String)> {
    let Acknowledgement { code, object, .. } = entry;
    let known = Code::ALL.iter().find(|known| known.number() == code)?;
    if *known == Code::PlanHeld {
        let message = format!("{code} cannot be acknowledged: a held plan is released by its trailer");
        return Some((message, "remove the entry; `bindery plan` prints the trailer of a plan".to_owned()));
    }
    if known.severity() != Severity::Warning {
        let message = format!("{code} is an error, and only warnings can be acknowledged");
        return Some((message, "correct what the error is about and remove the entry".to_owned()));
    }
    if objects.knows(object) {
        return None;
    }
    let help = match nearest(object, objects.ids()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a carrier or an operator of this tree, or remove the entry".to_owned(),
    };
    Some((format!("the acknowledgement of {code} is for `{object}`, and nothing here has this id"), help))
}

/// The finding of an acknowledgement, by its place in the list, from the day on which it no longer holds.
pub(crate) fn expiry(root: &Anchor, index: u32, entry: &Acknowledgement) -> Draft {
    let message = format!("the acknowledgement of {} for `{}` expired on {}", entry.code, entry.object, entry.expires);
    Draft::new(Code::AcknowledgementExpired, root.clone().at("spec.acknowledge").index(index), message)
        .help("look at the warning again, then renew the date or remove the entry")
        .about(&*entry.object)
        .since(Some(entry.expires))
}

/// Whether what was not understood, of the policy or of the object's id, may acknowledge a warning.
fn may_acknowledge(objects: &Objects<'_>, policy: &PolicySpec, finding: &Finding) -> bool {
    if finding.severity() != Severity::Warning {
        return false;
    }
    let (code, object) = (finding.code.number(), finding.object.as_deref());
    let is_meant =
        |entry: &Acknowledgement| entry.code == code && objects.may_be_in(finding.primary.file, &entry.object);
    objects.may_acknowledge(code, object) || object.is_none() && policy.acknowledge.iter().any(is_meant)
}

/// Whether someone has taken responsibility for a warning about an object on a day.
pub(crate) fn acknowledged(code: Code, object: Option<&str>, policy: &PolicySpec, day: Day) -> bool {
    let covers =
        |entry: &Acknowledgement| entry.code == code.number() && Some(&*entry.object) == object && !expired(entry, day);
    code.severity() == Severity::Warning && policy.acknowledge.iter().any(covers)
}

pub(super) fn filter(
    mut findings: Vec<Finding>,
    objects: &Objects<'_>,
    policy: &PolicySpec,
    today: Day,
) -> Vec<Finding> {
    findings.retain(|finding| {
        !acknowledged(finding.code, finding.object.as_deref(), policy, today)
            && !may_acknowledge(objects, policy, finding)
    });
    findings
}

fn expired(entry: &Acknowledgement, today: Day) -> bool {
    entry.expires <= today
}
