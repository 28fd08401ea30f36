//! What has to change so that the stores say what git says.
//!
//! A pure function of catalog, stores, policy and time. Planning against the result of an applied plan gives the
//! empty plan. Parts whose hashes are equal are not looked into, so the content of an object is needed only where
//! [`to_observe`] names it.

mod blast;
mod diff;
mod environments;
mod identity;
mod impact;
pub mod markdown;
pub mod policy;
mod renames;
mod safety;
pub mod text;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bindery_schema::catalog::{self, Catalog};
use bindery_schema::change::{Action, Becomes, CredentialsChange, ListChange, MnoChange, OperatorChange};
use bindery_schema::contract::TpsContractSpec;
use bindery_schema::hash;
use bindery_schema::impact::Loosening;
use bindery_schema::live::{Live, LiveMno, LiveOperator, MnoDetail, OperatorDetail};
use bindery_schema::plan::Plan;
use bindery_schema::policy::PolicySpec;
use bindery_schema::report::{PlanReport, ReportCounts};
use bindery_schema::value::{Day, MnoId, OperatorId};
use itertools::{EitherOrBoth, Itertools as _};
use jiff::Timestamp;

use crate::join::left_join;
pub use diff::fields;
pub use environments::{Catalogs, report_everywhere, report_onto};
use identity::Identity;
pub use identity::in_stores;
pub use safety::{deletions, held};

/// The objects whose content a plan needs, by the id the stores know them by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observe {
    /// Carriers.
    pub mnos: Vec<MnoId>,
    /// Operators.
    pub operators: Vec<OperatorId>,
}

/// The content of an object was needed and not read: the plan would have to guess.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the content of {object} was not observed")]
pub struct MissingDetail {
    /// Kind and id of the object.
    pub object: String,
}

/// Why there is no plan, and what can be said of a change all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPlan {
    /// Why, in a few words.
    pub reason: &'static str,
    /// Where the change makes the policy less strict, as far as both sides could be read.
    pub loosened: Vec<Loosening>,
}

/// Whose content must be read before [`plan`] can be made.
pub fn to_observe(catalog: &Catalog, live: &Live, now: Timestamp) -> Observe {
    let mnos = mno_steps(catalog, live).into_iter().filter(MnoStep::needs_detail);
    let operators = operator_steps(catalog, live, now).into_values().filter(OperatorStep::needs_detail);
    Observe {
        mnos: mnos.map(|step| step.id.clone()).collect(),
        operators: operators.filter_map(|step| step.before.map(|(id, _)| id.clone())).collect(),
    }
}

/// Compares a catalog with the stores. What it finds is decided in full.
///
/// An operator keeps its former id until `renamedFrom.effectiveAt`.
pub fn plan(catalog: &Catalog, live: &Live, policy: &PolicySpec, now: Timestamp) -> Result<Plan, MissingDetail> {
    let mnos = mno_steps(catalog, live).iter().map(MnoStep::change).collect::<Result<Vec<_>, _>>()?;
    let steps = operator_steps(catalog, live, now);
    let operators = steps.values().map(OperatorStep::change).collect::<Result<Vec<_>, _>>()?;
    let is_protected =
        |step: &&OperatorStep<'_>| step.names().any(|id| policy.guardrails.protect.contains(id.as_str()));
    let protected = steps.values().filter(is_protected).map(|step| step.id).collect();
    Ok(Plan {
        hash: safety::hash(&mnos, &operators),
        holds: safety::holds(&mnos, &operators, live.operator_count(), policy, &protected),
        mnos,
        operators,
    })
}

/// Compares two catalogs, of which the first counts as live and its policy guards, and tells what the plan means.
pub fn report(before: &Catalog, after: &Catalog, now: Timestamp) -> Result<PlanReport, MissingDetail> {
    report_guarded(before, after, None, now)
}

/// The same, held by what another policy holds, too: that of the branch the change goes to, which went on since.
fn report_guarded(
    before: &Catalog,
    after: &Catalog,
    branch: Option<&PolicySpec>,
    now: Timestamp,
) -> Result<PlanReport, MissingDetail> {
    let live = live_beside(before, after, now);
    let (plan, destinations) = rayon::join(
        || plan_guarded(after, &live, (&before.policy, branch), now),
        || impact::destinations::compare(&in_stores(before, &Live::default(), now), &in_stores(after, &live, now)),
    );
    let plan = plan?;
    let renames = renames::scheduled(before, after, &live, now);
    // Where there was nothing, nothing was guarded.
    let fresh = before.mnos.is_empty() && before.operators.is_empty();
    Ok(PlanReport {
        counts: ReportCounts { now: plan.counts(), scheduled: renames.len() },
        renames,
        trailer: plan.trailer(),
        impact: impact::impact(before, after, &plan, destinations, Day::of(now)),
        loosened: if fresh { Vec::new() } else { policy::loosened(&before.policy, &after.policy) },
        environments: Vec::new(),
        plan,
    })
}

/// A plan with the holds of the policy where a change began, and those of the branch it goes to.
fn plan_guarded(
    after: &Catalog,
    live: &Live,
    (base, branch): (&PolicySpec, Option<&PolicySpec>),
    now: Timestamp,
) -> Result<Plan, MissingDetail> {
    let mut plan = plan(after, live, base, now)?;
    if let Some(branch) = branch.filter(|branch| branch.guardrails != base.guardrails) {
        safety::hold_by_branch(&mut plan.holds, &self::plan(after, live, branch, now)?.holds);
    }
    Ok(plan)
}

/// A catalog as if it were live, with the content of all but the operators that another catalog shares with it. Renames
/// that are not due have not happened.
fn live_beside(before: &Catalog, after: &Catalog, now: Timestamp) -> Live {
    let nothing = Live::default();
    let operators = left_join(&before.operators, &after.operators).map(|(id, operator, other)| {
        let is_shared = other.is_some_and(|other| Arc::ptr_eq(operator, other));
        let id = Identity::of(id, operator, before, &nothing, now).after;
        (id.clone(), if is_shared { LiveOperator::outline(operator) } else { LiveOperator::of(operator) })
    });
    Live {
        mnos: before.mnos.iter().map(|(id, mno)| (id.clone(), LiveMno::of(mno))).collect(),
        operators: operators.collect(),
    }
}

/// A carrier that changes.
struct MnoStep<'a> {
    id: &'a MnoId,
    action: Action,
    before: Option<&'a LiveMno>,
    after: Option<&'a catalog::Mno>,
}

fn mno_steps<'a>(catalog: &'a Catalog, live: &'a Live) -> Vec<MnoStep<'a>> {
    let step = |sides: EitherOrBoth<(&'a MnoId, &'a LiveMno), (&'a MnoId, &'a catalog::Mno)>| {
        let (id, before, after) = match sides {
            EitherOrBoth::Both((id, before), (_, after)) => (id, Some(before), Some(after)),
            EitherOrBoth::Left((id, before)) => (id, Some(before), None),
            EitherOrBoth::Right((id, after)) => (id, None, Some(after)),
        };
        let action = match (before, after) {
            (None, Some(_)) => Action::Create,
            (Some(before), Some(_)) if before.deleted => Action::Restore,
            (Some(before), Some(after))
                if before.spec_hash != after.spec_hash || before.contracts_hash != after.contracts_hash =>
            {
                Action::Update
            }
            (Some(before), None) if !before.deleted => Action::Delete,
            _ => return None,
        };
        Some(MnoStep { id, action, before, after })
    };
    live.mnos.iter().merge_join_by(&catalog.mnos, |live, wanted| live.0.cmp(wanted.0)).filter_map(step).collect()
}

impl MnoStep<'_> {
    fn specs_differ(&self) -> bool {
        self.before.zip(self.after).is_some_and(|(before, after)| before.spec_hash != after.spec_hash)
    }

    /// Whether contracts that are in force in the stores change. Those of a tombstone went with it.
    fn contracts_differ(&self) -> bool {
        let wanted = self.after.map_or_else(|| hash::contracts(&TpsContractSpec::default()), |mno| mno.contracts_hash);
        self.before.is_some_and(|before| !before.deleted && before.contracts_hash != wanted)
    }

    fn needs_detail(&self) -> bool {
        self.specs_differ() || self.contracts_differ()
    }

    fn detail(&self) -> Result<Option<&MnoDetail>, MissingDetail> {
        if !self.needs_detail() {
            return Ok(None);
        }
        let detail = self.before.and_then(|before| before.detail.as_ref());
        detail.map(Some).ok_or_else(|| MissingDetail { object: format!("carrier `{}`", self.id) })
    }

    fn change(&self) -> Result<MnoChange, MissingDetail> {
        let detail = self.detail()?;
        let fields = match self.after {
            Some(after) if self.specs_differ() || self.before.is_none() => {
                diff::mno_fields(detail.map(|detail| &*detail.spec), &after.spec)
            }
            _ => Vec::new(),
        };
        let none = TpsContractSpec::default();
        let wanted = self.after.map_or(&none, |after| &after.contracts);
        let held = match detail {
            Some(detail) if self.contracts_differ() => &detail.contracts,
            _ if self.before.is_none_or(|before| before.deleted) => &none,
            _ => wanted,
        };
        Ok(MnoChange {
            id: self.id.clone(),
            action: self.action.clone(),
            fields,
            contracts: diff::contracts(&held.contracts, &wanted.contracts),
            reservations: diff::reservations(&held.reservations, &wanted.reservations),
            desired: self.after.cloned(),
        })
    }
}

/// An operator that changes. `before` carries the id the stores know it by, which differs when it is renamed.
struct OperatorStep<'a> {
    id: &'a OperatorId,
    /// The id in the tree, which the stores do not know yet while a rename is pending.
    tree_id: Option<&'a OperatorId>,
    action: Action,
    before: Option<(&'a OperatorId, &'a LiveOperator)>,
    after: Option<&'a Arc<catalog::Operator>>,
}

fn operator_steps<'a>(
    catalog: &'a Catalog,
    live: &'a Live,
    now: Timestamp,
) -> BTreeMap<&'a OperatorId, OperatorStep<'a>> {
    let mut steps = BTreeMap::new();
    let mut kept = BTreeSet::new();
    for (tree_id, after) in &catalog.operators {
        let identity = Identity::of(tree_id, after, catalog, live, now);
        let before = live.operators.get_key_value(identity.before);
        kept.insert(identity.before);
        let action = match before {
            None => Action::Create,
            Some((old_id, _)) if identity.before != identity.after => Action::Rename { old_id: old_id.clone() },
            Some((_, before)) if before.deleted => Action::Restore,
            Some((_, before)) if differs(before, after) => Action::Update,
            Some(_) => continue,
        };
        let (id, tree_id, after) = (identity.after, Some(tree_id), Some(after));
        steps.insert(id, OperatorStep { id, tree_id, action, before, after });
    }
    for (id, before) in &live.operators {
        if !before.deleted && !kept.contains(id) {
            let (action, before) = (Action::Delete, Some((id, before)));
            steps.insert(id, OperatorStep { id, tree_id: None, action, before, after: None });
        }
    }
    steps
}

fn differs(before: &LiveOperator, after: &catalog::Operator) -> bool {
    before.mno != after.mno
        || before.spec_hash != after.spec_hash
        || before.routes_hash != after.routes_hash
        || before.credentials_hash != after.credentials_hash
}

impl OperatorStep<'_> {
    /// Every id the operator has, will have, or had before a rename that still stands in the tree.
    fn names(&self) -> impl Iterator<Item = &OperatorId> {
        let former = self.after.and_then(|after| after.renamed_from.as_ref()).map(|renamed| &renamed.id);
        [Some(self.id), self.tree_id, self.before.map(|(id, _)| id), former].into_iter().flatten()
    }

    fn specs_differ(&self) -> bool {
        let pair = self.before.zip(self.after);
        pair.is_some_and(|((_, before), after)| before.mno != after.mno || before.spec_hash != after.spec_hash)
    }

    /// Whether rules that are in force in the stores change. Those of a tombstone went with it.
    fn routes_differ(&self) -> bool {
        let wanted = self.after.map_or_else(|| hash::routes(&[]), |operator| operator.routes_hash);
        self.before.is_some_and(|(_, before)| !before.deleted && before.routes_hash != wanted)
    }

    fn needs_detail(&self) -> bool {
        self.specs_differ() || self.routes_differ()
    }

    fn detail(&self) -> Result<Option<&OperatorDetail>, MissingDetail> {
        let Some((id, before)) = self.before.filter(|_| self.needs_detail()) else { return Ok(None) };
        before.detail.as_deref().map(Some).ok_or_else(|| MissingDetail { object: format!("operator `{id}`") })
    }

    fn change(&self) -> Result<OperatorChange, MissingDetail> {
        let detail = self.detail()?;
        let held = self.before.map(|(_, before)| before);
        let fields = match self.after {
            Some(after) if self.specs_differ() || held.is_none() => {
                let before = held.zip(detail).map(|(held, detail)| (&held.mno, &detail.spec));
                diff::operator_fields(before, (&after.mno, &after.spec))
            }
            _ => Vec::new(),
        };
        let wanted = self.after.map_or(&[][..], |after| &after.rules);
        let routes = match detail {
            Some(detail) if self.routes_differ() => diff::rules(&detail.rules, wanted),
            _ if held.is_none_or(|held| held.deleted) => diff::rules(&[], wanted),
            _ => ListChange::default(),
        };
        let mno = self.after.map(|after| &after.mno).or_else(|| held.map(|held| &held.mno));
        let missing = || MissingDetail { object: format!("operator `{}`", self.id) };
        Ok(OperatorChange {
            id: self.id.clone(),
            mno: mno.ok_or_else(missing)?.clone(),
            action: self.action.clone(),
            fields,
            routes,
            credentials: self.credentials(),
            becomes: self.becomes(),
            desired: self.after.cloned(),
        })
    }

    /// The id in the tree, where it is not due yet.
    fn becomes(&self) -> Option<Becomes> {
        let coming = self.tree_id.filter(|coming| *coming != self.id)?;
        let renamed = self.after?.renamed_from.as_ref()?;
        Some(Becomes { id: coming.clone(), effective_at: renamed.effective_at })
    }

    /// What happens to the password. Where git holds none, one that was set outside git stays.
    fn credentials(&self) -> CredentialsChange {
        let Some(after) = self.after else { return CredentialsChange::Delete };
        let written = self.before.filter(|(_, before)| !before.deleted).and_then(|(_, before)| before.credentials_hash);
        match after.credentials_hash {
            Some(sealed) if written != Some(sealed) => CredentialsChange::Write,
            None if self.action == Action::Create => CredentialsChange::Missing,
            _ => CredentialsChange::Keep,
        }
    }
}
