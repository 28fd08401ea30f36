//! Spans of messages, named as OpenTelemetry's conventions for messaging have it.

use async_nats::Message;
use tracing::field::Empty;
use tracing::{Span, info_span};

use super::Trace;

/// The span in which an event is published: a child of what it came of, however long ago that was.
pub fn publish(event_type: &str, subject: &str, id: &str, cause: &Trace) -> Span {
    let span = info_span!(
        parent: None,
        "publish",
        otel.name = format!("publish {event_type}"),
        otel.kind = "producer",
        otel.status_code = Empty,
        messaging.system = "nats",
        messaging.operation.name = "publish",
        messaging.destination.name = subject,
        messaging.message.id = id,
    );
    cause.lead_to(&span);
    span
}

/// The span in which a message is processed that was sent to a subject of this name or below it: a child of what its
/// sender did.
pub fn process(message: &Message, name: &str) -> Span {
    let span = info_span!(
        parent: None,
        "process",
        otel.name = format!("process {name}"),
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.name = "process",
        messaging.destination.name = name,
        bindery.operator.id = Empty,
        bindery.outcome = Empty,
    );
    Trace::of_message(message.headers.as_ref()).lead_to(&span);
    span
}
