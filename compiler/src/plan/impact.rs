//! The blast radius of a plan: who serves which destinations afterwards, at what cost, with what throughput for whom.
//!
//! A pure function of the two catalogs, the plan between them and the day. Its work is a sort of all rules and one sweep
//! over them; nothing compares every rule with every other.

pub(super) mod destinations;
mod stretches;
mod tenants;
mod throughput;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use bindery_schema::catalog::Catalog;
use bindery_schema::change::CredentialsChange;
use bindery_schema::impact::{CredentialsImpact, DestinationImpact, Impact};
use bindery_schema::plan::Plan;
use bindery_schema::value::Day;

/// What a plan that leads from one catalog to another, and serves some destinations otherwise, means. The policy of
/// `before` says which pool is too small.
pub(super) fn impact(
    before: &Catalog,
    after: &Catalog,
    plan: &Plan,
    destinations: Vec<DestinationImpact>,
    today: Day,
) -> Impact {
    if plan.is_empty() {
        return Impact::default();
    }
    let throughput = throughput::compare(before, after, today);
    let tenants = tenants::compare(before, after, plan, &destinations, &throughput, today);
    Impact { tenants, destinations, throughput: throughput::worst(throughput), credentials: credentials(plan) }
}

fn credentials(plan: &Plan) -> Vec<CredentialsImpact> {
    let mut impacts: Vec<CredentialsImpact> = plan
        .operators
        .iter()
        .filter(|change| change.credentials != CredentialsChange::Keep)
        .map(|change| CredentialsImpact { operator: change.id.clone(), change: change.credentials })
        .collect();
    // Stable, so operators stay in order.
    impacts.sort_by_key(|impact| {
        Reverse(match impact.change {
            CredentialsChange::Delete => 3,
            CredentialsChange::Missing => 2,
            CredentialsChange::Write => 1,
            CredentialsChange::Keep => 0,
        })
    });
    impacts
}
