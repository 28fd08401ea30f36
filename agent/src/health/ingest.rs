//! Hears smpp-connector's signals and has each change shown, recorded and announced.
//!
//! The leader alone ingests: one agent sees every signal of an operator in order, and its fencing number keeps one that
//! has lost the lead from recording. Signals travel on core NATS and are not stored: after a gap the next one counts.
//! On taking over, the leader goes on from what Postgres recorded and Redis shows ([`resume`](super::resume)).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use bindery_schema::wire::health::HealthSignal;
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::board::Board;
use super::project::{self, Waiting};
use super::record;
use super::reducer::Verdict;
use super::resume;
use crate::http::error::chain;
use crate::leader::fence::Fence;
use crate::metrics::Outcome;
use crate::shared::Shared;
use crate::store::postgres::health::{self, Change};
use crate::telemetry::messaging;

/// What every signal's subject begins with; the operator's id follows.
pub const SUBJECT: &str = "operator.health.signal.v1.";
/// How often silence is looked for.
const TICK: Duration = Duration::from_secs(1);
/// Signals taken at once.
const BATCH: usize = 256;
/// Largest signal, in bytes: a hundred times a real one.
const LARGEST: usize = 16 << 10;
/// Least time between two looks for an operator that is not known yet.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Ingests while this agent leads, until cancelled.
pub async fn run(shared: Shared, cancel: CancellationToken) {
    let mut leading = shared.leading.clone();
    loop {
        let wait = async { leading.wait_for(Option::is_some).await.ok().and_then(|fence| *fence) };
        let Some(Some(fence)) = cancel.run_until_cancelled(wait).await else { return };
        let term = cancel.child_token();
        let ended = async {
            let _ = leading.wait_for(|now| *now != Some(fence)).await;
            // Ends the term in order: what waits is still written.
            term.cancel();
        };
        let ((), result) = tokio::join!(async { term.run_until_cancelled(ended).await.unwrap_or_default() }, async {
            let _end = term.drop_guard_ref();
            lead(&shared, fence, &term).await
        },);
        // The next leader shows them.
        shared.metrics.operator_health.clear();
        if let Err(error) = result {
            tracing::error!(error = chain(&*error), "health signals cannot be ingested yet");
            let _ = cancel.run_until_cancelled(tokio::time::sleep(RETRY)).await;
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One term as leader.
async fn lead(shared: &Shared, fence: Fence, term: &CancellationToken) -> Result<(), Failure> {
    let nats = &shared.stores.nats;
    // Before the states are read: a signal that arrives meanwhile waits.
    let signals = nats.client().subscribe(nats.subject(&format!("{SUBJECT}*"))).await?;
    let board = resume::load(&shared.stores).await?;
    let (changes, waiting_changes) = mpsc::channel(record::MOST_WAITING);
    let waiting = Arc::new(Waiting::default());
    let ingest = Ingest { shared, board, changes, waiting: waiting.clone(), looked: Instant::now() };
    let ((), ()) = tokio::join!(
        async {
            tokio::join!(ingest.run(signals, term), record::run(shared, fence, waiting_changes, term));
        },
        project::run(&shared.stores.redis, &waiting, term),
    );
    Ok(())
}

struct Ingest<'a> {
    shared: &'a Shared,
    board: Board,
    changes: mpsc::Sender<Change>,
    waiting: Arc<Waiting>,
    looked: Instant,
}

impl Ingest<'_> {
    async fn run(mut self, signals: Subscriber, term: &CancellationToken) {
        let mut signals = signals.ready_chunks(BATCH);
        let mut status = self.shared.status.clone();
        let mut generation = applied(&status.borrow_and_update());
        self.display();
        let mut timer = tokio::time::interval(TICK);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = term.cancelled() => return,
                _ = timer.tick() => {
                    for change in self.board.tick(Timestamp::now()) {
                        self.announce(change).await;
                    }
                }
                Ok(()) = status.changed() => {
                    let now = applied(&status.borrow_and_update());
                    if std::mem::replace(&mut generation, now) != now {
                        self.look_again().await;
                    }
                }
                batch = signals.next() => {
                    let Some(batch) = batch else { return };
                    for message in batch {
                        let span = messaging::process(&message, SUBJECT.trim_end_matches('.'));
                        self.take_in(&message).instrument(span).await;
                    }
                }
            }
        }
    }

    /// Reads anew which operators there are and what their thresholds are. A failure leaves the ones known.
    async fn look_again(&mut self) {
        self.looked = Instant::now();
        match health::watched(&self.shared.stores.postgres).await {
            Ok(watched) => {
                for gone in self.board.watch(watched, &BTreeMap::new()) {
                    self.shared.metrics.forget_health(&gone);
                }
                self.display();
            }
            Err(error) => tracing::error!(error = chain(&error), "thresholds cannot be read; the last ones stay"),
        }
    }

    /// Shows the state of every operator as a metric.
    fn display(&self) {
        for (operator, state) in self.board.states() {
            self.shared.metrics.show_health(operator, state);
        }
    }

    async fn take_in(&mut self, message: &Message) {
        let outcome = match self.parse(message) {
            None => "invalid",
            Some(signal) => self.hear(signal).await,
        };
        Span::current().record("bindery.outcome", outcome);
        self.shared.metrics.health_signals.get_or_create(&Outcome { outcome }).inc();
    }

    fn parse(&self, message: &Message) -> Option<HealthSignal> {
        let prefix = self.shared.stores.nats.subject(SUBJECT);
        decode(message.subject.strip_prefix(prefix.as_str())?, &message.payload)
    }

    async fn hear(&mut self, signal: HealthSignal) -> &'static str {
        // An operator applied a moment ago is looked for, at most once a second whatever arrives.
        if !self.board.watches(&signal.operator_id) && self.looked.elapsed() >= LOOK_AGAIN {
            self.look_again().await;
        }
        let Some(heard) = self.board.hear(&signal, Timestamp::now()) else { return "unknown_operator" };
        Span::current().record("bindery.operator.id", signal.operator_id.as_str());
        if let Some(change) = heard.change {
            self.announce(change).await;
        } else if let Some(view) = heard.view {
            self.waiting.show(signal.operator_id, view);
        }
        match heard.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Stale => "stale",
            Verdict::Invalid => "invalid",
        }
    }

    async fn announce(&self, change: Change) {
        self.waiting.show(change.operator.clone(), change.view.clone());
        self.shared.metrics.show_health(&change.operator, change.view.state);
        // Waits while too many changes wait; closed only once another agent leads.
        let _ = self.changes.send(change).await;
    }
}

fn applied(status: &bindery_schema::wire::api::SyncStatus) -> Option<i64> {
    status.applied.as_ref().map(|applied| applied.generation)
}

/// A signal whose operator is the one its subject names.
pub fn decode(operator: &str, payload: &[u8]) -> Option<HealthSignal> {
    if payload.len() > LARGEST {
        return None;
    }
    let signal: HealthSignal = serde_json::from_slice(payload).ok()?;
    (signal.operator_id.as_str() == operator).then_some(signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_taken_as_the_connector_writes_them() {
        let full =
            br#"{"operatorId":"a","connectorId":"c1","bindState":"BOUND","submitted":10,"failed":1,"throttled":0,
            "p95Millis":120,"inFlight":3,"at":"2026-11-24T08:00:00.000Z","further":"fields are ignored"}"#;
        assert_eq!(decode("a", full).unwrap().failed, 1);
        let short = br#"{"operatorId":"a","connectorId":"c1","bindState":"UNBOUND","at":"2026-11-24T08:00:00Z"}"#;
        assert_eq!(decode("a", short).unwrap().submitted, 0);
        assert!(decode("b", short).is_none(), "the subject names another operator");
        let large = vec![b' '; LARGEST + 1];
        for bad in [&b""[..], b"{}", b"\xff\xfe", b"null", b"[1]", &large] {
            assert!(decode("a", bad).is_none());
        }
        let negative =
            br#"{"operatorId":"a","connectorId":"c1","bindState":"BOUND","failed":-1,"at":"2026-11-24T08:00:00Z"}"#;
        assert!(decode("a", negative).is_none());
    }
}
