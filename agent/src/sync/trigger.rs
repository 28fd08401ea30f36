//! What hurries a fetch: a person, a webhook or a message on NATS. None is needed: the poll timer always runs.
//!
//! A trigger says nothing but "look now", and what is found is what the branch holds, so nobody who can trigger can
//! change anything. However many arrive while a step is under way, one more step follows it. Only the leader fetches;
//! an agent that follows passes a trigger on over Postgres.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::backoff::Delays;
use crate::http::error::chain;
use crate::metrics::Trigger;
use crate::shared::Shared;
use crate::store::postgres;
use crate::store::postgres::wake::{self, Word, Words};
use crate::telemetry::{Trace, messaging};

/// Shortest and longest wait before other agents are listened to again.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What triggered the next step, for traces to tell. Of several the last one counts.
#[derive(Debug, Default)]
pub struct Woken(Mutex<Trace>);

impl Woken {
    /// Something triggers a step.
    fn by(&self, trace: Trace) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trace;
    }

    /// The step begins.
    pub(super) fn take(&self) -> Trace {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Has the branch fetched at once instead of at the next poll.
#[tracing::instrument(name = "sync.trigger", skip_all, fields(bindery.trigger.source = source))]
pub async fn pull(shared: &Shared, source: &'static str) {
    shared.metrics.triggers.get_or_create(&Trigger { source }).inc();
    if shared.leading.borrow().is_some() {
        shared.woken.by(Trace::current());
        shared.trigger.notify_one();
        return;
    }
    if let Err(error) = wake::tell(&shared.stores.postgres, Word::Pull).await {
        tracing::debug!(error = chain(&error), "the trigger could not be passed on; the leader's poll runs anyway");
    }
}

/// Listens to other agents until cancelled: to what those that follow pass on, and to who wrote a change of health.
pub async fn hear(shared: Shared, cancel: CancellationToken) {
    let mut delays = Delays::new(AGAIN.0, AGAIN.1);
    let words = async {
        loop {
            let heard: Result<(), postgres::Error> = async {
                let mut words = Words::listen(&shared.stores.postgres).await?;
                // What was told before is not known.
                shared.feed.look();
                loop {
                    delays.reset();
                    let word = words.next().await?;
                    if word != Some(Word::Pull) {
                        shared.feed.look();
                    }
                    if word != Some(Word::Health) && shared.leading.borrow().is_some() {
                        shared.metrics.triggers.get_or_create(&Trigger { source: "follower" }).inc();
                        shared.trigger.notify_one();
                    }
                }
            }
            .await;
            if let Err(error) = heard {
                tracing::debug!(error = chain(&error), "other agents are not heard; the poll runs anyway");
            }
            tokio::time::sleep(delays.longer()).await;
        }
    };
    let _: Option<()> = cancel.run_until_cancelled(words).await;
}

/// Listens on the configured subject until cancelled.
pub async fn listen(shared: Shared, cancel: CancellationToken) {
    let Some(subject) = shared.config.triggers.nats_subject.clone() else { return cancel.cancelled().await };
    let nats = &shared.stores.nats;
    let mut messages = match nats.client().subscribe(nats.subject(&subject)).await {
        Ok(messages) => messages,
        Err(error) => {
            tracing::error!(%error, subject, "this subject cannot be listened to; the poll runs anyway");
            return cancel.cancelled().await;
        }
    };
    // What the message holds does not matter. One that arrives while this agent follows is the leader's business.
    while let Some(Some(message)) = cancel.run_until_cancelled(messages.next()).await {
        let span = messaging::process(&message, &subject);
        let _entered = span.enter();
        if shared.leading.borrow().is_some() {
            shared.metrics.triggers.get_or_create(&Trigger { source: "nats" }).inc();
            shared.woken.by(Trace::current());
            shared.trigger.notify_one();
        }
    }
    cancel.cancelled().await;
}
