//! Where a change does to an environment something else than to the base.
//!
//! An agent runs with one environment laid over the base, and its plan is that of the environment: what changes there only,
//! and what holds it there, would otherwise be seen by whoever thinks of asking.

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery_schema::catalog::Catalog;
use bindery_schema::change::OperatorChange;
use bindery_schema::plan::{Counts, Plan};
use bindery_schema::policy::PolicySpec;
use bindery_schema::report::{EnvironmentReport, PlanReport};
use bindery_schema::value::OperatorId;
use jiff::Timestamp;

use super::{MissingDetail, live_beside, plan_guarded, report_guarded};

/// A tree's catalogs: that of the base, and those of the environments that lay something over it.
#[derive(Debug, Clone, Copy)]
pub struct Catalogs<'a> {
    /// Without an environment.
    pub base: &'a Catalog,
    /// By environment.
    pub environments: &'a BTreeMap<String, Arc<Catalog>>,
}

impl<'a> Catalogs<'a> {
    /// An environment that lays nothing over the base is like it.
    fn of(self, environment: &str) -> &'a Catalog {
        self.environments.get(environment).map_or(self.base, |catalog| catalog)
    }
}

/// Compares two trees as [`report`] does, and tells of each environment in which the change does something else.
pub fn report_everywhere(
    before: Catalogs<'_>,
    after: Catalogs<'_>,
    now: Timestamp,
) -> Result<PlanReport, MissingDetail> {
    report_onto(before, after, None, now)
}

/// The same for a change that goes to a branch whose policy may be another by now: what that holds is held, too.
pub fn report_onto(
    before: Catalogs<'_>,
    after: Catalogs<'_>,
    branch: Option<&PolicySpec>,
    now: Timestamp,
) -> Result<PlanReport, MissingDetail> {
    let mut report = report_guarded(before.base, after.base, branch, now)?;
    let mut names: Vec<&String> = before.environments.keys().chain(after.environments.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (old, new) = (before.of(name), after.of(name));
        let there = plan_guarded(new, &live_beside(old, new, now), (&before.base.policy, branch), now)?;
        report.environments.extend(beyond(&report.plan, &there, name));
    }
    Ok(report)
}

/// What an environment's plan does beyond that of the base, or not. Overlays touch operators alone, and not their routes.
fn beyond(base: &Plan, there: &Plan, name: &str) -> Option<EnvironmentReport> {
    let mut of_base: BTreeMap<&OperatorId, &OperatorChange> =
        base.operators.iter().map(|change| (&change.id, change)).collect();
    let mut counts = Counts::default();
    for change in &there.operators {
        let same = |other: &OperatorChange| {
            (&change.action, &change.fields, change.credentials) == (&other.action, &other.fields, other.credentials)
        };
        if of_base.remove(&change.id).is_some_and(same) {
            continue;
        }
        counts.add(&change.action);
    }
    // What is left of the base's plan does not happen here.
    let unchanged = of_base.len();
    let differs = unchanged > 0 || counts != Counts::default();
    differs.then(|| EnvironmentReport {
        name: name.to_owned(),
        counts,
        unchanged,
        hash: there.hash,
        holds: there.holds.clone(),
        trailer: there.trailer(),
    })
}
