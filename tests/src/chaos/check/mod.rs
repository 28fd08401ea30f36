//! The invariants. What is compared with what git says is read by code of this crate's own: of the product only the
//! compiler takes part, which says what a commit means.

mod agents;
mod events;
mod history;
mod secrets;
mod steps;
mod stores;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bindery_compiler::{Compiler, Options};
use bindery_schema::catalog::Catalog;
use git2::{Oid, Repository};
use jiff::Timestamp;

use super::{Campaign, Violation};

/// Most differences that a violation names.
const NAMED: usize = 12;

/// What earlier checks have compiled.
#[derive(Debug, Default)]
pub struct Progress {
    compiler: Compiler,
    /// By commit; none where it does not compile.
    known: BTreeMap<Oid, Option<Arc<Catalog>>>,
}

impl Progress {
    /// What a commit says; none where it does not compile.
    fn catalog(&mut self, git: &Repository, commit: Oid) -> Result<Option<Arc<Catalog>>> {
        if let Some(known) = self.known.get(&commit) {
            return Ok(known.clone());
        }
        let options = Options { now: Timestamp::now(), environment: Some("test".to_owned()) };
        let catalog = self.compiler.compile_revision(git, commit, &options)?.shared_catalog();
        self.known.insert(commit, catalog.clone());
        Ok(catalog)
    }
}

impl Campaign {
    /// Checks every invariant. Everything has come to rest, and nothing is under way.
    pub async fn check(&mut self) -> Result<Vec<Violation>> {
        let outside = self.world.outside().await;
        let git = self.forge.open().context("the repository is away")?;
        let tip = self.forge.tip()?;
        let Some(catalog) = self.checks.catalog(&git, tip)? else {
            return Ok(vec![Violation::new("stores", format!("the tip {tip} does not compile, and it was applied"))]);
        };
        let told = outside.events().await;
        let steps = steps::Steps::read(&outside).await?;
        let history = self.forge.history()?;
        self.count(&history, &steps, &told);

        let mut found = self.watch.look().await;
        found.extend(stores::postgres(&outside, &catalog).await?);
        found.extend(stores::redis(&outside, &catalog, &steps).await);
        found.extend(secrets::vault(&outside, &catalog, &self.world.stack.pki.age_identity).await?);
        found.extend(steps.check(&git, &mut self.checks)?);
        found.extend(events::check(&outside, &told, &steps).await?);
        found.extend(history::check(&history, &self.forge.commits, &self.desk.done));
        found.extend(agents::check(&self.fleet.written()?));
        found.extend(self.leaks(&outside).await?);
        Ok(found)
    }

    fn count(&mut self, history: &[super::forge::Recorded], steps: &steps::Steps, told: &[serde_json::Value]) {
        let accepted = self.desk.done.iter().filter(|written| written.is_accepted()).count();
        let again = self.desk.done.iter().filter(|written| written.attempts > 1).count();
        let totals = [
            ("commits", history.len()),
            ("applied steps", steps.count()),
            ("healings", steps.healings()),
            ("events", told.len()),
            ("calls accepted", accepted),
            ("calls refused", self.desk.done.len() - accepted),
            ("calls sent more than once", again),
        ];
        self.report.totals.extend(totals.map(|(name, count)| (name, count as u64)));
    }
}

/// What two sets differ in; none where they are equal.
fn compare(
    invariant: &'static str,
    what: &str,
    wanted: &BTreeSet<String>,
    found: &BTreeSet<String>,
) -> Option<Violation> {
    let missing: Vec<String> = wanted.difference(found).map(|line| format!("  missing: {line}")).collect();
    let unknown: Vec<String> = found.difference(wanted).map(|line| format!("  unknown: {line}")).collect();
    let count = missing.len() + unknown.len();
    if count == 0 {
        return None;
    }
    let half = NAMED / 2;
    let named: Vec<String> = missing.into_iter().take(half).chain(unknown.into_iter().take(half)).collect();
    Some(Violation::new(invariant, format!("{what}: {count} differences\n{}", named.join("\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_both_sides() {
        let set = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(compare("stores", "rows", &set(&["a"]), &set(&["a"])), None);
        let found = compare("stores", "rows", &set(&["a", "b"]), &set(&["b", "c"])).unwrap();
        assert_eq!(found.difference, "rows: 2 differences\n  missing: a\n  unknown: c");
    }
}
