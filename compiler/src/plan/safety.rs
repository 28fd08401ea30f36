//! Which changes are guarded, what identifies them, and which of the policy's guardrails they run into.

use std::collections::BTreeSet;

use bindery_schema::change::{Action, MnoChange, OperatorChange};
use bindery_schema::hash::Digest;
use bindery_schema::plan::Hold;
use bindery_schema::policy::{PolicySpec, Threshold};
use bindery_schema::report::{EnvironmentReport, PlanReport};
use bindery_schema::value::OperatorId;

use crate::diagnostic::{Code, Finding, Location};

/// The fields whose change moves a bind to another endpoint.
const ENDPOINT: [&str; 3] = ["smpp.host", "smpp.port", "smpp.systemId"];

/// Identifies the guarded changes: deletions and moved endpoints.
///
/// Anything else may change between the plan that was held and the commit that releases it, so nothing else enters:
/// neither values nor commit, time, password or drift.
pub(super) fn hash(mnos: &[MnoChange], operators: &[OperatorChange]) -> Digest {
    let deleted_mnos = mnos.iter().filter(|change| change.action == Action::Delete);
    let mut lines: Vec<String> = deleted_mnos.map(|change| format!("mno {} delete ", change.id)).collect();
    for change in operators {
        if change.action == Action::Delete {
            lines.push(format!("operator {} delete ", change.id));
        } else if change.moves_endpoint() {
            let paths = change.fields.iter().map(|field| field.path.as_str()).filter(|path| ENDPOINT.contains(path));
            let mut paths: Vec<&str> = paths.collect();
            paths.sort_unstable();
            lines.push(format!("operator {} {} {}", change.id, change.action.as_str(), paths.join(",")));
        }
    }
    lines.sort_unstable();
    Digest::of(lines.join("\n"))
}

/// The guardrails the changes run into, where `existing` operators are there now. `protected` are the operators among the
/// changes that the policy protects, under whichever of their ids.
pub(super) fn holds(
    mnos: &[MnoChange],
    operators: &[OperatorChange],
    existing: usize,
    policy: &PolicySpec,
    protected: &BTreeSet<&OperatorId>,
) -> Vec<Hold> {
    let guardrails = &policy.guardrails;
    let deletes = operators.iter().filter(|change| change.action == Action::Delete).count();
    let moves = operators.iter().filter(|change| change.moves_endpoint()).count();
    let mut holds = deletions("operators", deletes, existing, policy);
    let what = Counted { verb: "moves the endpoint of", objects: "operators", number: moves, existing };
    exceeds("maxEndpointChanges", &what, guardrails.max_endpoint_changes, &mut holds);

    let deleted_mnos = mnos.iter().filter(|change| change.action == Action::Delete).map(|change| change.id.as_str());
    let deleted_mnos: Vec<&str> = deleted_mnos.filter(|id| guardrails.protect.contains(*id)).collect();
    let touched = |meant: &dyn Fn(&&OperatorChange) -> bool| -> Vec<&str> {
        let changes = operators.iter().filter(meant).filter(|change| protected.contains(&change.id));
        changes.map(|change| change.id.as_str()).collect()
    };
    let gone = touched(&|change| change.action == Action::Delete);
    let elsewhere = touched(&|change| change.moves_endpoint());
    holds.extend(protects("deletes the carrier", "deletes", "carriers", &deleted_mnos));
    holds.extend(protects("deletes the operator", "deletes", "operators", &gone));
    let verb = "moves the endpoint of";
    holds.extend(protects("moves the endpoint of the operator", verb, "operators", &elsewhere));
    holds
}

/// Adds what the policy of the branch holds, where the other is that of the merge base. What only one of them says names it.
pub(super) fn hold_by_branch(holds: &mut Vec<Hold>, by_branch: &[Hold]) {
    let only = |hold: &Hold, whose: &str| {
        let Hold { guardrail, message } = hold;
        Hold { guardrail: guardrail.clone(), message: format!("{message} (policy of {whose})") }
    };
    let more = by_branch.iter().filter(|hold| !holds.contains(hold)).map(|hold| only(hold, "the base branch"));
    let more: Vec<Hold> = more.collect();
    for hold in holds.iter_mut().filter(|hold| !by_branch.contains(hold)) {
        *hold = only(hold, "the merge base");
    }
    holds.extend(more);
}

/// One guardrail for all protected ids to which the same happens: each of them named would bury everything else.
fn protects(does_to_one: &str, verb: &str, objects: &str, ids: &[&str]) -> Option<Hold> {
    let message = match ids {
        [] => return None,
        [id] => format!("the plan {does_to_one} `{id}`, which the policy protects"),
        ids => {
            let named: Vec<String> = ids.iter().take(MOST_IDS).map(|id| format!("`{id}`")).collect();
            let more = ids.len() - named.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let (number, named) = (ids.len(), named.join(", "));
            format!("the plan {verb} {number} {objects} that the policy protects: {named}{more}")
        }
    };
    Some(Hold { guardrail: "guardrails.protect".to_owned(), message })
}

/// The guardrails so many deletions run into, where `existing` operators are there now. `objects` is what is deleted.
pub fn deletions(objects: &str, number: usize, existing: usize, policy: &PolicySpec) -> Vec<Hold> {
    let mut holds = Vec::new();
    let what = Counted { verb: "deletes", objects, number, existing };
    exceeds("maxDeletes", &what, policy.guardrails.max_deletes, &mut holds);
    holds
}

/// What a plan does to how many of the existing operators.
struct Counted<'a> {
    verb: &'a str,
    objects: &'a str,
    number: usize,
    existing: usize,
}

/// Notes each of a threshold's two limits that is exceeded.
fn exceeds(name: &str, what: &Counted<'_>, limit: Threshold, holds: &mut Vec<Hold>) {
    let Counted { verb, objects, number, existing } = *what;
    let named = if number == 1 { objects.strip_suffix('s').unwrap_or(objects) } else { objects };
    if number > limit.count as usize {
        let message = format!("the plan {verb} {number} {named}; the policy allows {}", limit.count);
        holds.push(Hold { guardrail: format!("guardrails.{name}.count"), message });
    }
    if number * 100 > usize::from(limit.percent) * existing {
        let message =
            format!("the plan {verb} {number} of {existing} {objects}; the policy allows {} %", limit.percent);
        holds.push(Hold { guardrail: format!("guardrails.{name}.percent"), message });
    }
}

/// Most guardrails the message of a finding names.
const MOST_NAMED: usize = 3;
/// Most protected ids a guardrail names: a plan may delete a thousand of them, and shows them all itself.
const MOST_IDS: usize = 5;

/// The findings for a plan that something holds, in the base and in the environments that differ.
pub fn held(report: &PlanReport) -> Vec<Finding> {
    let base = finding("", report.plan.hash, &report.plan.holds, report.trailer.as_ref());
    let environments = report.environments.iter().filter_map(|environment| {
        let EnvironmentReport { name, hash, holds, trailer, .. } = environment;
        finding(&format!(" for environment `{name}`"), *hash, holds, trailer.as_ref())
    });
    base.into_iter().chain(environments).collect()
}

fn finding(whose: &str, hash: Digest, holds: &[Hold], trailer: Option<&String>) -> Option<Finding> {
    let trailer = trailer?;
    let mut reasons: Vec<String> = holds.iter().take(MOST_NAMED).map(|hold| hold.message.clone()).collect();
    if holds.len() > MOST_NAMED {
        reasons.push(format!("and {} more", holds.len() - MOST_NAMED));
    }
    Some(Finding {
        code: Code::PlanHeld,
        message: format!("plan `{hash}`{whose} is held: {}", reasons.join("; ")),
        primary: Location::NOWHERE,
        related: Vec::new(),
        help: Some(format!("if the plan is what is meant, release it by a commit with the trailer `{trailer}`")),
        fix: None,
        object: None,
    })
}
