//! Checks between documents. Each takes every object and a sink, notes what it finds and goes on.

mod acknowledge;
mod agreements;
mod bind;
mod calendar;
mod contracts;
mod endpoints;
mod objects;
mod operators;
mod pools;
mod references;
mod renames;
mod routing;

use bindery_schema::policy::PolicySpec;
use bindery_schema::value::Day;
use jiff::Timestamp;

use crate::diagnostic::{Finding, Sink};
pub(crate) use acknowledge::{acknowledged, expiry};
pub(crate) use bind::OperatorObject;
pub(crate) use calendar::Cover;
pub(crate) use contracts::Carriers;
pub(crate) use objects::{ContractsObject, MnoObject, Objects, RoutesObject};
pub(crate) use renames::overdue;
pub(crate) use routing::{Clean, Known};

/// Runs every check. The answer are the rules, where nothing was found in them.
pub(crate) fn check(
    objects: &Objects<'_>,
    policy: &PolicySpec,
    now: Timestamp,
    known: &Known<'_>,
    sink: &mut Sink,
) -> Option<Clean> {
    let (mut of_operators, mut of_contracts) = (Sink::default(), Sink::default());
    let operators = |sink: &mut Sink| {
        references::check(objects, sink);
        endpoints::check(objects, sink);
        operators::check(objects, sink);
        renames::check(objects, now, sink);
        acknowledge::check(objects, Day::of(now), sink);
    };
    let (clean, ((), ())) = rayon::join(
        || routing::check(objects, &policy.routing, known, sink),
        || {
            rayon::join(
                || operators(&mut of_operators),
                || contracts::check(objects, policy, Day::of(now), &mut of_contracts),
            )
        },
    );
    sink.append(of_operators);
    sink.append(of_contracts);
    clean
}

/// Leaves out the warnings someone has taken responsibility for.
pub(crate) fn without_acknowledged(
    findings: Vec<Finding>,
    objects: &Objects<'_>,
    policy: &PolicySpec,
    now: Timestamp,
) -> Vec<Finding> {
    acknowledge::filter(findings, objects, policy, Day::of(now))
}

/// What to call an object in a message: by its id or reference, where that could be read.
fn named(id: Option<impl std::fmt::Display>) -> String {
    id.map_or_else(|| "`(unreadable)`".to_owned(), |id| format!("`{id}`"))
}

/// The known word nearest to a text, if one is near enough to be meant.
pub fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // A third of the letters may differ; of short words one.
    let most = |word: &str| (word.len() / 3).max(1);
    // The lengths alone tell most words apart, and keep a text of a million characters from being compared.
    let near_in_length = known.into_iter().filter(|word| word.len().abs_diff(text.len()) <= most(word));
    let scored = near_in_length.map(|word| (distance(text, word), word));
    scored.filter(|(distance, word)| *distance <= most(word)).min().map(|(_, word)| word)
}

/// How many letters tell two words apart, whatever their case.
pub(crate) fn distance(one: &str, two: &str) -> usize {
    strsim::damerau_levenshtein(&one.to_lowercase(), &two.to_lowercase())
}
