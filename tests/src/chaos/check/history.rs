//! The branch: linear, with everything that was put on it, and with one commit for each call that was accepted.

use std::collections::BTreeMap;

use git2::Oid;

use crate::chaos::Violation;
use crate::chaos::forge::Recorded;
use crate::chaos::writes::{Outcome, Written};

/// Names the call that a commit comes from.
const TRAILER: &str = "Bindery-Request: ";

pub(super) fn check(history: &[Recorded], made: &[(usize, Oid)], calls: &[Written]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (at, commit) in history.iter().enumerate() {
        if commit.parents != usize::from(at > 0) {
            let text = format!("commit {} has {} parents: the branch is not linear", commit.id, commit.parents);
            found.push(Violation::new("history", text));
        }
    }
    for (operation, commit) in made {
        if history.iter().all(|recorded| recorded.id != *commit) {
            let text = format!("commit {commit} of operation {operation} is no longer on the branch");
            found.push(Violation::new("history", text));
        }
    }
    let mut trailers: BTreeMap<&str, Vec<Oid>> = BTreeMap::new();
    for commit in history {
        for line in commit.message.lines() {
            if let Some(key) = line.strip_prefix(TRAILER) {
                trailers.entry(key.trim()).or_default().push(commit.id);
            }
        }
    }
    for call in calls {
        let commits = trailers.remove(call.trailer.as_str()).unwrap_or_default();
        let wanted = match call.outcome {
            Outcome::Accepted(_) => 1,
            Outcome::Refused(..) => 0,
            // Nothing was promised.
            Outcome::Unanswered(_) => continue,
        };
        if commits.len() != wanted {
            let Written { operation, what, outcome, attempts, .. } = call;
            let text = format!(
                "{what} of operation {operation}, sent {attempts} times, ended with {outcome:?} and is {} commits: {commits:?}",
                commits.len()
            );
            found.push(Violation::new("history", text));
        }
    }
    for (trailer, commits) in trailers {
        let text = format!("{commits:?} name a call that nobody made: {trailer}");
        found.push(Violation::new("history", text));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(id: &str, parents: usize, message: &str) -> Recorded {
        Recorded { id: Oid::from_str(id).unwrap(), parents, message: message.to_owned() }
    }

    fn call(trailer: &str, outcome: Outcome) -> Written {
        let (trailer, what) = (trailer.to_owned(), "POST /operators".to_owned());
        Written { operation: 7, what, trailer, outcome, attempts: 2, leaks: Vec::new() }
    }

    fn texts(found: &[Violation]) -> String {
        found.iter().map(|violation| violation.difference.clone()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_call_is_one_commit_or_none() {
        let history = [commit("a1", 0, "First"), commit("a2", 1, "Create\n\nBindery-Request: k1\n")];
        let made = [(3, history[0].id)];
        let refused = || Outcome::Refused(409, "PREFIX_CONFLICT".to_owned());
        assert_eq!(check(&history, &made, &[call("k1", Outcome::Accepted(201)), call("k2", refused())]), []);

        let lost =
            texts(&check(&history, &made, &[call("k1", Outcome::Accepted(201)), call("k2", Outcome::Accepted(200))]));
        assert!(lost.contains("operation 7") && lost.contains("is 0 commits"), "{lost}");
        assert!(texts(&check(&history, &made, &[call("k1", refused())])).contains("is 1 commits"));
        assert!(texts(&check(&history, &made, &[])).contains("nobody made: k1"));
    }

    #[test]
    fn the_branch_is_linear_and_loses_nothing() {
        let history = [commit("a1", 0, "First"), commit("a2", 2, "Merge")];
        assert!(texts(&check(&history, &[], &[])).contains("not linear"));
        let gone = Oid::from_str("a9").unwrap();
        assert!(texts(&check(&history[..1], &[(4, gone)], &[])).contains("of operation 4 is no longer"));
    }
}
