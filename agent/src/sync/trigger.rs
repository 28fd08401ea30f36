//! What hurries a fetch: a person, a webhook or a message on NATS. None is needed: the poll timer always runs.
//!
//! A trigger says nothing but "look now", and what is found is what the branch holds, so nobody who can trigger can
//! change anything. However many arrive while a step is under way, one more step follows it. Only the leader fetches;
//! an agent that follows passes a trigger on over NATS, where a subject is configured.

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::metrics::Trigger;
use crate::shared::Shared;

/// Has the branch fetched at once instead of at the next poll.
pub async fn pull(shared: &Shared, source: &'static str) {
    shared.metrics.triggers.get_or_create(&Trigger { source }).inc();
    if shared.leading.borrow().is_some() {
        shared.trigger.notify_one();
        return;
    }
    let Some(subject) = &shared.config.triggers.nats_subject else {
        tracing::debug!(source, "only the leader fetches, and no subject is configured to tell it");
        return;
    };
    let nats = &shared.stores.nats;
    if let Err(error) = nats.client().publish(nats.subject(subject), Vec::new().into()).await {
        tracing::debug!(%error, "the trigger could not be passed on; the leader's poll runs anyway");
    }
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
    while let Some(Some(_)) = cancel.run_until_cancelled(messages.next()).await {
        if shared.leading.borrow().is_some() {
            shared.metrics.triggers.get_or_create(&Trigger { source: "nats" }).inc();
            shared.trigger.notify_one();
        }
    }
    cancel.cancelled().await;
}
