//! The audit rows of a step: the commit, each carrier and each operator, before and after, and what it heals. Never a
//! secret.

use std::collections::BTreeMap;

use bindery_schema::change::{Action, ListChange, MnoChange, OperatorChange};
use bindery_schema::routes::Rule;
use bindery_schema::value::{MnoId, OperatorId};
use bindery_schema::wire::api::AppliedCommit;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::block::counts;
use super::execute::Step;
use crate::store::postgres::audit::{self, Cause, Entry, Via};
use crate::store::postgres::{Error, carriers, operators};

/// Rules of one operator that are told one by one. Of more, and of an operator that comes into being, their numbers
/// are told: the tree of the commit has them.
const RULES_TOLD: usize = 200;

/// Adds the rows of a step, in its transaction and after its changes.
pub async fn append(connection: &mut PgConnection, step: &Step<'_>, applied: &AppliedCommit) -> Result<(), Error> {
    let Step { plan, commit, history, release, healing, .. } = step;
    let plan_hash = plan.hash.to_string();
    let author = Cause {
        actor: &history.author,
        via: Via::Commit,
        committer: Some(&history.committer),
        commit: None,
        generation: None,
        plan_hash: None,
    };
    let by = healing.map_or(author, |healing| healing.by);
    let cause = Cause { commit: Some(commit), generation: Some(applied.generation), plan_hash: Some(&plan_hash), ..by };
    // The release of a plan that was on record has a row of its own already, where it came over the API.
    if let Some(release) = release.filter(|release| release.commit.is_some() || healing.is_some()) {
        let entry = Entry {
            action: "sync.release".to_owned(),
            object: format!("plan/{plan_hash}"),
            detail: json!({ "holds": plan.holds, "trailerOf": release.commit }),
        };
        let trailer =
            |trailer| Cause { actor: &release.by, via: Via::Commit, committer: None, commit: Some(trailer), ..cause };
        let cause = release.commit.as_deref().map_or(cause, trailer);
        audit::append(connection, cause, &[entry]).await?;
    }
    let gone = Gone::read(connection, step).await?;
    let applied = Entry {
        action: if healing.is_some() { "sync.heal" } else { "sync.apply" }.to_owned(),
        object: format!("commit/{commit}"),
        detail: json!({
            "counts": plan.counts(), "previous": step.before.commit, "skipped": history.skipped, "holds": plan.holds,
            "releasedBy": release.map(|release| &release.by),
        }),
    };
    // Somebody rewrote the branch: what was applied is no longer part of its history.
    let forced = (!history.fast_forward).then(|| Entry {
        action: "sync.forced".to_owned(),
        object: format!("commit/{commit}"),
        detail: json!({ "previous": step.before.commit, "previousKnown": history.known }),
    });
    let mnos = plan.mnos.iter().map(|change| mno(change, &gone));
    let operators = plan.operators.iter().map(|change| operator(change, &gone));
    let healed = healing.iter().flat_map(|healing| healing.entries).cloned();
    let entries: Vec<_> = [applied].into_iter().chain(forced).chain(mnos).chain(operators).chain(healed).collect();
    audit::append(connection, cause, &entries).await
}

/// What was deleted: the plan names it, the tombstones have its content.
struct Gone {
    mnos: BTreeMap<MnoId, Value>,
    operators: BTreeMap<OperatorId, Value>,
}

impl Gone {
    async fn read(connection: &mut PgConnection, step: &Step<'_>) -> Result<Self, Error> {
        let mnos = step.plan.mnos.iter().filter(|change| change.action == Action::Delete);
        let mnos: Vec<MnoId> = mnos.map(|change| change.id.clone()).collect();
        let operators = step.plan.operators.iter().filter(|change| change.action == Action::Delete);
        let operators: Vec<OperatorId> = operators.map(|change| change.id.clone()).collect();
        let mut gone = Self { mnos: BTreeMap::new(), operators: BTreeMap::new() };
        if !mnos.is_empty() {
            let details = carriers::details(connection, &mnos).await?;
            gone.mnos = details.into_iter().map(|(id, detail)| (id, json!(*detail.spec))).collect();
        }
        if !operators.is_empty() {
            let details = operators::details(connection, &operators).await?;
            let spec = |(id, detail): (OperatorId, _)| -> (OperatorId, Value) {
                let detail: bindery_schema::live::OperatorDetail = detail;
                (id, json!(detail.spec.without_sealed()))
            };
            gone.operators = details.into_iter().map(spec).collect();
        }
        Ok(gone)
    }
}

fn mno(change: &MnoChange, gone: &Gone) -> Entry {
    let mut detail =
        json!({ "fields": change.fields, "contracts": change.contracts, "reservations": change.reservations });
    if let Some(before) = gone.mnos.get(&change.id) {
        detail["before"] = before.clone();
    }
    Entry { action: format!("mno.{}", change.action.as_str()), object: format!("mno/{}", change.id), detail }
}

fn operator(change: &OperatorChange, gone: &Gone) -> Entry {
    let mut detail = json!({
        "mno": change.mno,
        "fields": change.fields,
        "routes": rules(&change.action, &change.routes),
        "credentials": change.credentials,
    });
    if let Action::Rename { old_id } = &change.action {
        detail["oldId"] = json!(old_id);
    }
    if let Some(before) = gone.operators.get(&change.id) {
        detail["before"] = before.clone();
    }
    Entry { action: format!("operator.{}", change.action.as_str()), object: format!("operator/{}", change.id), detail }
}

fn rules(action: &Action, rules: &ListChange<Rule>) -> Value {
    let mut told = counts(rules);
    if *action != Action::Create && !rules.is_empty() && rules.len() <= RULES_TOLD {
        told["changes"] = json!(rules);
    }
    told
}
