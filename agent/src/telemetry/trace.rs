//! Where something belongs: the W3C trace context, as HTTP, NATS and the outbox carry it.

use std::sync::LazyLock;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// Longest text that is looked at: what every system has to pass on (W3C Trace Context, 3.3.1.5).
const LONGEST: usize = 512;

static PROPAGATOR: LazyLock<TraceContextPropagator> = LazyLock::new(TraceContextPropagator::new);

/// A place in a trace, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    parent: Option<String>,
    state: Option<String>,
}

impl Trace {
    /// From two texts that were stored or sent. What is no trace context counts as none once it is used.
    pub fn new(parent: Option<String>, state: Option<String>) -> Self {
        let short = |text: &String| text.len() <= LONGEST;
        Self { parent: parent.filter(short), state: state.filter(short) }
    }

    /// The place of what is being done now.
    pub fn current() -> Self {
        Self::of(&Span::current())
    }

    /// The place of a span.
    pub fn of(span: &Span) -> Self {
        let mut trace = Self::default();
        PROPAGATOR.inject_context(&span.context(), &mut trace);
        trace
    }

    /// What a request says.
    pub fn of_request(headers: &axum::http::HeaderMap) -> Self {
        let text = |name| {
            let mut values = headers.get_all(name).iter();
            // Of two parents neither is one.
            let only = values.next().filter(|_| values.next().is_none())?;
            only.to_str().ok().map(str::to_owned)
        };
        Self::new(text(PARENT), text(STATE))
    }

    /// What a message says.
    pub fn of_message(headers: Option<&async_nats::HeaderMap>) -> Self {
        let text = |name: &str| headers?.get(name).map(|value| value.as_str().to_owned());
        Self::new(text(PARENT), text(STATE))
    }

    /// Headers that say it.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [(PARENT, self.parent()), (STATE, self.state())].into_iter().filter_map(|(name, text)| Some((name, text?)))
    }

    /// The text of `traceparent`.
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    /// The text of `tracestate`.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Has a span go on from here. It must not have begun to work.
    pub fn lead_to(&self, span: &Span) {
        if self.parent.is_some() {
            // Fails where no span is made at all.
            let _ = span.set_parent(PROPAGATOR.extract(self));
        }
    }

    /// Has a span point here, where it has another parent.
    pub fn link_to(&self, span: &Span) {
        let context = PROPAGATOR.extract(self);
        if context.has_active_span() {
            span.add_link(context.span().span_context().clone());
        }
    }
}

impl Injector for Trace {
    fn set(&mut self, key: &str, value: String) {
        match key {
            PARENT => self.parent = Some(value),
            STATE if !value.is_empty() => self.state = Some(value),
            _ => {}
        }
    }
}

impl Extractor for Trace {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            PARENT => self.parent(),
            STATE => self.state(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![PARENT, STATE]
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    const SOME: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_request_has_one_parent_or_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(Trace::of_request(&headers), Trace::default());
        headers.append(PARENT, SOME.parse().unwrap());
        headers.append(STATE, "a=1".parse().unwrap());
        let trace = Trace::of_request(&headers);
        assert_eq!(trace.headers().collect::<Vec<_>>(), [(PARENT, SOME), (STATE, "a=1")]);
        headers.append(PARENT, SOME.parse().unwrap());
        assert_eq!(Trace::of_request(&headers).parent(), None);
        let long = format!("a={}", "x".repeat(LONGEST));
        assert_eq!(Trace::new(Some(SOME.to_owned()), Some(long)).state(), None);
    }

    #[test]
    fn without_spans_there_is_no_place() {
        assert_eq!(Trace::current(), Trace::default());
        Trace::new(Some(SOME.to_owned()), None).lead_to(&Span::current());
    }
}
