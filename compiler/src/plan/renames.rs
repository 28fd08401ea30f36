//! Renames that wait for their time, where a change says something else of them.
//!
//! Whoever carries out a plan has nothing to do for them yet. Whoever reviews the change has: nothing else will show them.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::Catalog;
use bindery_schema::live::Live;
use bindery_schema::report::{Schedule, ScheduledRename};
use bindery_schema::value::{MnoId, OperatorId};
use jiff::Timestamp;

use super::identity::Identity;

/// Renames that are not due, by the former and the coming id.
type Waiting<'a> = BTreeMap<(&'a OperatorId, &'a OperatorId), (Schedule, &'a MnoId)>;

/// The renames that `after` schedules and `before` does not, or otherwise, and those it takes back. One that `after` makes
/// due is carried out by the plan. `live` is what `before` makes of the stores.
pub(super) fn scheduled(before: &Catalog, after: &Catalog, live: &Live, now: Timestamp) -> Vec<ScheduledRename> {
    let (old, new) = (waiting(before, &Live::default(), now), waiting(after, live, now));
    let happens = |former: &OperatorId, coming: &OperatorId| {
        after.operators.get_key_value(coming).is_some_and(|(coming, operator)| {
            let identity = Identity::of(coming, operator, after, live, now);
            (identity.before, identity.after) == (former, coming)
        })
    };
    let ids: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    let differing = ids.into_iter().filter_map(|ids| {
        let (was, is) = (old.get(&ids), new.get(&ids));
        let (before, after) = (was.map(|(schedule, _)| *schedule), is.map(|(schedule, _)| *schedule));
        let (_, mno) = is.or(was)?;
        let (former, coming) = ids;
        let said = before != after && !(after.is_none() && happens(former, coming));
        said.then(|| ScheduledRename {
            old_id: former.clone(),
            new_id: coming.clone(),
            mno: (*mno).clone(),
            before,
            after,
        })
    });
    differing.collect()
}

fn waiting<'a>(catalog: &'a Catalog, live: &Live, now: Timestamp) -> Waiting<'a> {
    let renamed = catalog.operators.iter().filter_map(|(id, operator)| {
        let renamed = operator.renamed_from.as_ref()?;
        let former = Identity::of(id, operator, catalog, live, now).after;
        let schedule = Schedule { effective_at: renamed.effective_at, drain_seconds: renamed.drain_seconds };
        (former != id).then_some(((former, id), (schedule, &operator.mno)))
    });
    renamed.collect()
}
