//! What the applied steps should have said, by comparing their commits, and whether each was allowed to be applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Result;
use bindery_schema::catalog::Catalog;
use git2::{Oid, Repository};
use serde::Deserialize;

use super::{Progress, compare};
use crate::chaos::Violation;
use crate::outside::Outside;

/// A row of `ops.sync_runs` of a step that was applied.
#[derive(Debug, Clone, Deserialize)]
struct Run {
    generation: i64,
    commit: String,
    previous: Option<String>,
    healed: bool,
    released: Option<String>,
}

/// The applied steps in order.
#[derive(Debug)]
pub(super) struct Steps {
    runs: Vec<Run>,
    /// Changes of operators that the audit trail has: `generation action id`.
    audited: Vec<String>,
}

impl Steps {
    pub(super) async fn read(outside: &Outside) -> Result<Self> {
        let runs = outside.column(
            "select json_build_object('generation', generation, 'commit', commit, 'previous', previous_commit,
                 'healed', detail->>'healed' is not null, 'released', detail->>'releasedBy')::text
             from ops.sync_runs where outcome = 'applied' order by generation, id",
        );
        let runs = runs.await.iter().map(|row| serde_json::from_str(row)).collect::<Result<_, _>>()?;
        let audited = outside.column(
            "select concat_ws(' ', generation, split_part(action, '.', 2), split_part(object, '/', 2))
             from ops.audit_log where action like 'operator.%' order by 1",
        );
        Ok(Self { runs, audited: audited.await })
    }

    pub(super) fn count(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn healings(&self) -> usize {
        self.runs.iter().filter(|run| run.healed).count()
    }

    /// The last step's commit and number.
    pub(super) fn last(&self) -> (&str, i64) {
        self.runs.last().map_or(("", 0), |run| (run.commit.as_str(), run.generation))
    }

    /// Changes of operators by the audit trail, in order: `generation action id`.
    pub(super) fn audited(&self) -> &[String] {
        &self.audited
    }

    /// `generation commit` of each step.
    pub(super) fn applied(&self) -> Vec<String> {
        self.runs.iter().map(|run| format!("{} {}", run.generation, run.commit)).collect()
    }

    /// Steps that do not follow each other, that were not allowed, or that changed something else than their commits do.
    pub(super) fn check(&self, git: &Repository, progress: &mut Progress) -> Result<Vec<Violation>> {
        let mut found = Vec::new();
        let mut before = Arc::new(Catalog::default());
        let mut last = None;
        // Operators that ever were.
        let mut known = BTreeSet::new();
        let mut audited: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for line in &self.audited {
            let (generation, change) = line.split_once(' ').unwrap_or_default();
            audited.entry(generation.parse()?).or_default().insert(change.to_owned());
        }
        for (number, run) in (1..).zip(&self.runs) {
            if run.generation != number || run.previous != last {
                let text = format!("step {} of {} does not follow {last:?}: {run:?}", run.generation, run.commit);
                found.push(Violation::new("leases", text));
            }
            last = Some(run.commit.clone());
            let Some(after) = progress.catalog(git, Oid::from_str(&run.commit)?)? else {
                let text = format!("{} was applied and does not compile", run.commit);
                found.push(Violation::new("guardrails", text));
                continue;
            };
            if run.healed {
                continue;
            }
            let wanted = changes(&before, &after, &mut known);
            let said = audited.remove(&run.generation).unwrap_or_default();
            let what = format!("changes of step {} ({})", run.generation, run.commit);
            found.extend(compare("events", &what, &wanted, &said));
            let deletions = wanted.iter().filter(|change| change.starts_with("delete ")).count();
            let limit = before.policy.guardrails.max_deletes;
            let exceeds = deletions > limit.count as usize
                || deletions * 100 > usize::from(limit.percent) * before.operators.len();
            if exceeds && run.released.is_none() && run.previous.is_some() {
                let text = format!(
                    "step {} deleted {deletions} of {} operators and nobody released it",
                    run.generation,
                    before.operators.len()
                );
                found.push(Violation::new("guardrails", text));
            }
            before = after;
        }
        Ok(found)
    }
}

/// What differs between two commits, by operator: `action id`.
fn changes(before: &Catalog, after: &Catalog, known: &mut BTreeSet<String>) -> BTreeSet<String> {
    let mut changes = BTreeSet::new();
    for (id, operator) in &after.operators {
        let action = match before.operators.get(id) {
            None if known.contains(id.as_str()) => "restore",
            None => "create",
            Some(old) => {
                let hashes =
                    |of: &bindery_schema::catalog::Operator| (of.spec_hash, of.routes_hash, of.credentials_hash);
                if hashes(old) == hashes(operator) {
                    continue;
                }
                "update"
            }
        };
        changes.insert(format!("{action} {id}"));
    }
    let gone = before.operators.keys().filter(|id| !after.operators.contains_key(*id));
    changes.extend(gone.map(|id| format!("delete {id}")));
    known.extend(after.operators.keys().map(ToString::to_string));
    changes
}
