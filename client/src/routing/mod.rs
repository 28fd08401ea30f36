//! The routing table of the applied step, followed.
//!
//! [`bootstrap`] reads a whole table, [`follow`] goes on from it: events say that there is a new step, the agents what
//! changed in it. The table in use is replaced in one step by the next; whoever looks a number up holds no lock, and
//! goes on with the table they have.

mod bootstrap;
pub(crate) mod follow;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use bindery_schema::value::E164Prefix;
use tokio::sync::watch;

use crate::agent::Agents;
use crate::metrics::Metrics;
use crate::table::{Health, Table};

/// The table in use.
#[derive(Debug)]
pub struct Routing {
    agents: Arc<Agents>,
    metrics: Arc<Metrics>,
    table: ArcSwap<Table>,
    /// Step of the table in use; nothing before the first.
    generation: watch::Sender<Option<i64>>,
    /// Newest step an event told of.
    told: watch::Sender<i64>,
    /// Has the agents asked, whatever was told.
    wake: tokio::sync::Notify,
}

impl Routing {
    pub(crate) fn new(agents: Arc<Agents>, metrics: Arc<Metrics>) -> Self {
        Self {
            agents,
            metrics,
            table: ArcSwap::from_pointee(Table::empty()),
            generation: watch::Sender::new(None),
            told: watch::Sender::new(0),
            wake: tokio::sync::Notify::new(),
        }
    }

    /// The table in use. Take it once for each message, or for a batch of them.
    pub fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    /// Waits until there is a table: nothing is routed before.
    pub async fn ready(&self) {
        // The sender lives as long as this does.
        let _ = self.generation.subscribe().wait_for(Option::is_some).await;
    }

    /// Step of the table in use, to wait for the next.
    pub fn generations(&self) -> watch::Receiver<Option<i64>> {
        self.generation.subscribe()
    }

    /// The operators a message to a number may go to now, for a log line or a support desk: ids in the order of choice.
    pub fn serving(&self, number: E164Prefix, health: &impl Health) -> Vec<String> {
        let table = self.table();
        let candidates = table.explain(number, health);
        let serving = candidates.iter().filter(|candidate| candidate.verdict == crate::table::Verdict::Serves);
        serving.map(|candidate| candidate.route.operator.to_string()).collect()
    }

    /// An event told of a step.
    pub(crate) fn hear(&self, generation: i64) {
        // One step after the other is the rule; whatever lies between was told and did not come.
        let before = self.generation.borrow().unwrap_or_default().max(*self.told.borrow());
        if before > 0 {
            self.metrics.table_gaps.add(u64::try_from(generation - before - 1).unwrap_or_default());
        }
        self.told.send_if_modified(|told| {
            let newer = generation > *told;
            *told = generation.max(*told);
            newer
        });
    }

    /// Events may have been missed.
    pub(crate) fn look(&self) {
        self.wake.notify_one();
    }

    fn replace(&self, table: Table) {
        let generation = table.generation();
        self.table.store(Arc::new(table));
        self.generation.send_replace(Some(generation));
    }
}
