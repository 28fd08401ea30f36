//! What Redis shows of a step.
//!
//! The usual way is the small one: a step writes the keys it changed over the step before. Whenever the cache does not
//! show the step before, because it was down, emptied or filled by someone else, everything is written anew from
//! Postgres. The contract numbers depend on the day, so everything is also written anew when a day begins (UTC).

use std::collections::HashSet;
use std::time::Duration;

use bindery_schema::change::{Action, MnoChange, OperatorChange};
use bindery_schema::contract::{Direction, TpsContractSpec};
use bindery_schema::operator::OperatorSpec;
use bindery_schema::plan::Plan;
use bindery_schema::value::{Day, Instant, MnoId, OperatorId};
use bindery_schema::wire::api::AppliedCommit;
use bindery_schema::wire::projection::{CatalogProjection, OperatorProjection, TpsProjection};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::overtake;
use crate::failpoint::{self, Point};
use crate::shared::Shared;
use crate::store::redis::Entry;
use crate::store::{Stores, postgres, redis};

/// Time between two looks at the cache: how long it may stay empty.
const LOOK: Duration = Duration::from_secs(1);

/// Why the cache does not show the applied step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`redis::Error`].
    #[error(transparent)]
    Redis(#[from] redis::Error),
    /// See [`postgres::Error`].
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error.into())
    }
}

/// Shows a step that was just applied.
#[tracing::instrument(name = "sync.redis", skip_all, err(level = "debug"), fields(bindery.generation = applied.generation))]
pub async fn show(stores: &Stores, plan: &Plan, applied: &AppliedCommit, now: Timestamp) -> Result<(), Error> {
    let shown = stores.redis.catalog().await?;
    failpoint::reach(Point::CatalogRead).await;
    if shown.is_none_or(|shown| shown.generation != applied.generation - 1) {
        return refill(stores, now).await;
    }
    let mut entries = Vec::new();
    for change in &plan.operators {
        operator_entries(&mut entries, change, applied.generation)?;
    }
    for change in &plan.mnos {
        mno_entries(&mut entries, change, now)?;
    }
    Ok(stores.redis.project(&catalog(applied), &entries).await?)
}

/// Writes everything anew from Postgres and removes what no longer exists.
#[tracing::instrument(name = "redis.refill", skip_all, err(level = "debug"))]
pub async fn refill(stores: &Stores, now: Timestamp) -> Result<(), Error> {
    let mut snapshot = postgres::read::snapshot(&stores.postgres).await?;
    let state = postgres::sync_state::read(&mut snapshot).await?;
    let operators = postgres::operators::specs(&mut snapshot, None).await?;
    let mnos = postgres::carriers::ids(&mut snapshot).await?;
    let contracts = postgres::carriers::contracts_of(&mut snapshot, None).await?;
    snapshot.commit().await?;
    let Some(applied) = state.applied() else { return Ok(()) };
    let none = TpsContractSpec::default();
    let operators = operators.iter().map(|(id, mno, spec)| (id, mno, spec));
    let contracts = mnos.iter().map(|id| (id, contracts.get(id).unwrap_or(&none)));
    let mut entries = entries(operators, contracts, applied.generation, now)?;
    let keep: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    entries.extend(stores.redis.leftovers(|key| keep.contains(key)).await?);
    failpoint::reach(Point::RefillRead).await;
    stores.redis.project(&catalog(&applied), &entries).await?;
    tracing::info!(generation = applied.generation, keys = entries.len(), "filled Redis anew");
    Ok(())
}

/// Every key but `ops:catalog` of a step with these operators and contracts.
pub fn entries<'a>(
    operators: impl Iterator<Item = (&'a OperatorId, &'a MnoId, &'a OperatorSpec)>,
    contracts: impl Iterator<Item = (&'a MnoId, &'a TpsContractSpec)>,
    generation: i64,
    now: Timestamp,
) -> Result<Vec<Entry>, redis::Error> {
    let mut entries = Vec::new();
    for (id, mno, spec) in operators {
        entries.push(Entry::operator(&operator(id, mno, spec, generation))?);
    }
    for (id, contracts) in contracts {
        tps_entries(&mut entries, id, contracts, now)?;
    }
    Ok(entries)
}

/// Looks after the cache while this agent leads.
pub async fn keep(shared: Shared, cancel: CancellationToken) {
    // Unknown at first: the cache may have been filled on an earlier day.
    let mut filled = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let applied = shared.status.borrow().applied.clone();
        let fence = *shared.leading.borrow();
        let (Some(applied), Some(fence)) = (applied, fence) else { continue };
        let now = Timestamp::now();
        let result = match shared.stores.redis.catalog().await {
            Ok(Some(shown)) if shows(&shown, &applied) && filled == Some(Day::of(now)) => Ok(()),
            Ok(Some(shown)) if shown.generation >= applied.generation && !shows(&shown, &applied) => {
                overtake::overtake(&shared, fence, now).await
            }
            Ok(_) => refill(&shared.stores, now).await.map(|()| filled = Some(Day::of(now))),
            Err(error) => Err(error.into()),
        };
        degraded(&shared, &result);
    }
}

/// Says in the metric and, when it changes, in the log whether the cache shows the applied step.
pub fn degraded(shared: &Shared, result: &Result<(), Error>) {
    let before = shared.metrics.redis_degraded.set(i64::from(result.is_err()));
    match result {
        Err(error) if before == 0 => {
            tracing::warn!(error = error as &dyn std::error::Error, "Redis does not show the applied step");
        }
        Ok(()) if before == 1 => tracing::info!("Redis shows the applied step again"),
        _ => {}
    }
}

/// Whether the cache shows a step. Two agents that disagree on the commit of a step do not share a history.
pub(super) fn shows(shown: &CatalogProjection, applied: &AppliedCommit) -> bool {
    shown.generation == applied.generation && shown.commit == applied.commit
}

pub(crate) fn catalog(applied: &AppliedCommit) -> CatalogProjection {
    CatalogProjection { commit: applied.commit.clone(), generation: applied.generation, applied_at: applied.at }
}

fn operator(id: &OperatorId, mno: &MnoId, spec: &OperatorSpec, generation: i64) -> OperatorProjection {
    let (id, mno) = (id.clone(), mno.clone());
    OperatorProjection { id, mno, status: spec.status, smpp: spec.smpp.clone(), tps: spec.tps, generation }
}

fn operator_entries(out: &mut Vec<Entry>, change: &OperatorChange, generation: i64) -> Result<(), redis::Error> {
    if let Action::Rename { old_id } = &change.action {
        out.push(Entry::without_operator(old_id));
    }
    out.push(match &change.desired {
        Some(desired) => Entry::operator(&operator(&change.id, &change.mno, &desired.spec, generation))?,
        None => Entry::without_operator(&change.id),
    });
    Ok(())
}

fn mno_entries(out: &mut Vec<Entry>, change: &MnoChange, now: Timestamp) -> Result<(), redis::Error> {
    if let Some(desired) = &change.desired {
        return tps_entries(out, &change.id, &desired.contracts, now);
    }
    out.extend(Entry::without_tps(&change.id));
    Ok(())
}

fn tps_entries(out: &mut Vec<Entry>, id: &MnoId, spec: &TpsContractSpec, now: Timestamp) -> Result<(), redis::Error> {
    for direction in Direction::ALL {
        out.push(Entry::tps(id, direction, &tps(spec, direction, Day::of(now)))?);
    }
    Ok(())
}

/// The contract in force on a day, and what of it is reserved.
pub fn tps(spec: &TpsContractSpec, direction: Direction, today: Day) -> TpsProjection {
    let contracts = spec.contracts.iter().filter(|contract| contract.direction == direction);
    let reservations = spec.reservations.iter().filter(|reservation| reservation.direction == direction);
    let in_force = contracts.clone().find(|contract| contract.period().contains(today));
    let contracted = in_force.map_or(0, |contract| contract.contracted_tps);
    let holds =
        |from: Option<Day>, to: Option<Day>| from.is_none_or(|from| from <= today) && to.is_none_or(|to| today < to);
    let reserved = reservations
        .clone()
        .filter(|reservation| holds(reservation.effective_from, reservation.effective_to))
        .fold(0_u32, |sum, reservation| sum.saturating_add(reservation.reserved_tps));
    let bounds = contracts
        .flat_map(|contract| [Some(contract.effective_from), contract.effective_to])
        .chain(reservations.flat_map(|reservation| [reservation.effective_from, reservation.effective_to]));
    TpsProjection {
        contracted,
        reserved,
        on_demand_pool: contracted.saturating_sub(reserved),
        contract_ref: in_force.map(|contract| contract.reference.clone()),
        valid_until: bounds.flatten().filter(|day| *day > today).min().map(|day| Instant::from(day.midnight())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_of_the_day_counts_until_the_next_bound() {
        let spec: TpsContractSpec = serde_json::from_value(serde_json::json!({
            "contracts": [
                { "ref": "A", "direction": "OUTBOUND", "contractedTps": 100, "effectiveFrom": "2026-01-01",
                  "effectiveTo": "2027-01-01", "document": "s3://contracts/a.pdf" },
                { "ref": "B", "direction": "OUTBOUND", "contractedTps": 200, "effectiveFrom": "2027-01-01",
                  "document": "s3://contracts/b.pdf" },
            ],
            "reservations": [
                { "tenant": "bank", "direction": "OUTBOUND", "reservedTps": 30, "effectiveFrom": "2026-06-01" },
            ],
        }))
        .unwrap();
        let on = |day: &str| tps(&spec, Direction::Outbound, day.parse().unwrap());
        let until = |projection: &TpsProjection| projection.valid_until.map(|instant| instant.to_string());
        let may = on("2026-05-31");
        assert_eq!((may.contracted, may.reserved, may.on_demand_pool), (100, 0, 100));
        assert_eq!(until(&may).as_deref(), Some("2026-06-01T00:00:00.000Z"));
        let june = on("2026-06-01");
        assert_eq!((june.contracted, june.reserved, june.on_demand_pool), (100, 30, 70));
        assert_eq!(until(&june).as_deref(), Some("2027-01-01T00:00:00.000Z"));
        let later = on("2027-01-01");
        assert_eq!((later.contracted, later.on_demand_pool, until(&later)), (200, 170, None));
        assert_eq!(later.contract_ref.unwrap().as_str(), "B");
    }
}
