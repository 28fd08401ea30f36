//! Checks between documents. Each takes every object and a sink, notes what it finds and goes on.

mod acknowledge;
mod contracts;
mod endpoints;
mod objects;
mod operators;
mod references;
mod renames;
mod routing;

use bindery_schema::policy::PolicySpec;
use bindery_schema::value::Day;
use jiff::Timestamp;

use crate::diagnostic::{Finding, Sink};
pub(crate) use objects::{ContractsObject, MnoObject, Objects, OperatorObject, RoutesObject};

/// Runs every check.
pub(crate) fn check(objects: &Objects<'_>, policy: &PolicySpec, now: Timestamp, sink: &mut Sink) {
    references::check(objects, sink);
    endpoints::check(objects, sink);
    operators::check(objects, sink);
    routing::check(objects, &policy.routing, sink);
    contracts::check(objects, policy, Day::of(now), sink);
    renames::check(objects, now, sink);
    acknowledge::check(objects, Day::of(now), sink);
}

/// Leaves out the warnings someone has taken responsibility for.
pub(crate) fn without_acknowledged(findings: Vec<Finding>, policy: &PolicySpec, now: Timestamp) -> Vec<Finding> {
    acknowledge::filter(findings, policy, Day::of(now))
}

/// The known word nearest to a text, if one is near enough to be meant.
pub(crate) fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = text.to_lowercase();
    let scored = known.into_iter().map(|word| (strsim::damerau_levenshtein(&lower, &word.to_lowercase()), word));
    // A third of the letters may differ; of short words one.
    scored.filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1)).min().map(|(_, word)| word)
}
