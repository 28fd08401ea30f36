//! Drift: what the stores hold beside what git says, found by a full look and healed or told.
//!
//! Everywhere else a difference is found by hashes, which a hand in the database leaves behind. A look reads all there
//! is ([`observe`]), compares it with what the applied commit wants ([`compare`], pure), and makes of the differences
//! the state the planner would have seen ([`live`], pure). What the planner says to that is carried out by the executor
//! of the sync ([`heal`]): there is no second way of writing. [`requests`] says when to look, and keeps the last report.
//!
//! While the sync is paused or a plan is held, a look heals nothing: healing is applying.
//!
//! Guarantees: a store that cannot be read in full is *not observed*, never empty; what is written in two ways and means
//! the same is equal; the guardrails hold a healing as they hold a plan; a secret is compared by a keyed hash and told as
//! "differs"; tombstones are history and no drift.

pub mod compare;
pub mod heal;
pub mod live;
pub mod observe;
pub mod requests;
pub mod run;
pub mod secrets;
pub mod wanted;

use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

use crate::http::error::chain;
use crate::leader::fence::Fence;
use crate::metrics::{Difference, Outcome, Store};
use crate::shared::Shared;
use crate::sync::reconcile::Reconciler;
use bindery_schema::wire::drift::{DriftDirection, DriftOutcome, DriftReport};

/// Takes the look that is due, if one is. Told to stop, the agent does not wait for it: a healing that is cut off is
/// taken up after the next look.
pub async fn look(reconciler: &mut Reconciler, shared: &Shared, fence: Fence, cancel: &CancellationToken) {
    let Some(asked) = shared.drift.take() else { return };
    let span = info_span!("drift.look", bindery.outcome = Empty, otel.status_code = Empty);
    asked.trace.lead_to(&span);
    let result = tokio::select! {
        result = run::run(reconciler, fence, &asked).instrument(span.clone()) => result,
        () = cancel.cancelled() => return,
    };
    let result = result.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "no full look at the stores could be taken");
        chain(&error)
    });
    let outcome = measure(shared, result.as_ref().ok());
    span.record("bindery.outcome", outcome);
    if result.is_err() {
        span.record("otel.status_code", "ERROR");
    }
    shared.drift.done(&asked, result);
}

/// Counts a look, and says how it ended.
fn measure(shared: &Shared, report: Option<&DriftReport>) -> &'static str {
    let metrics = &shared.metrics;
    let outcome = if report.is_some_and(DriftReport::is_complete) { "complete" } else { "incomplete" };
    metrics.drift_runs.get_or_create(&Outcome { outcome }).inc();
    let Some(report) = report else { return outcome };
    for (store, found) in &report.stores {
        if found.outcome == DriftOutcome::NotObserved {
            continue;
        }
        let name = Store { store: store.as_str() };
        metrics.drift_observed.get_or_create(&name).set(report.started_at.timestamp().as_second());
        for direction in DriftDirection::ALL {
            let count = report.differences.iter().filter(|d| d.store == *store && d.direction == direction).count();
            let label = Difference { store: store.as_str(), direction: direction.as_str() };
            metrics.drift_differences.get_or_create(&label).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        if found.outcome == DriftOutcome::Healed {
            metrics.drift_healed.get_or_create(&name).inc_by(u64::try_from(found.differences).unwrap_or(u64::MAX));
        }
    }
    outcome
}
