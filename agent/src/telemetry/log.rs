//! The log: text on a terminal, elsewhere JSON with the ids of the trace a line belongs to.

use std::fmt;
use std::io::IsTerminal as _;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// Logs to standard error: one line of text an event on a terminal, one JSON object an event elsewhere. `RUST_LOG`
/// chooses what is shown, `otherwise` where it does not; it has no say in what is traced.
pub fn start(otherwise: &str, tracer: Option<SdkTracer>) {
    let shown = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(otherwise));
    // A line says what it says by itself: spans are for the collector. Without a level of its own this part would have
    // libraries write lines that the other part then drops.
    let shown = shown.and(filter_fn(is_line).with_max_level_hint(LevelFilter::TRACE));
    let lines = layer().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() {
        lines.with_filter(shown).boxed()
    } else {
        let json = lines.json().with_current_span(false).with_span_list(false);
        json.map_event_format(Traced).with_filter(shown).boxed()
    };
    let spans = tracer.map(|tracer| {
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_error_records_to_exceptions(false)
            .with_filter(filter_fn(is_traced).with_max_level_hint(LevelFilter::DEBUG))
    });
    // A second call in one process: the first logger stays.
    drop(tracing_subscriber::registry().with(lines).with(spans).try_init());
}

/// What is logged, as opposed to what is traced.
fn is_line(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

/// Spans of this crate, and what is logged in them.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("bindery_agent") && (*metadata.level() <= Level::INFO || is_failure(metadata))
}

/// What `#[instrument(err(level = "debug"))]` notes of a function that fails: its span has failed. Whoever deals with the
/// error logs it, once.
fn is_failure(metadata: &Metadata<'_>) -> bool {
    *metadata.level() == Level::DEBUG
        && metadata.is_event()
        && metadata.fields().iter().map(|field| field.name()).eq(["error"])
}

/// The JSON of an event, with `trace_id` and `span_id` behind it where the event belongs to a trace that is sent.
struct Traced<F>(F);

impl<S, N, F> FormatEvent<S, N> for Traced<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let current = Context::current();
        let span = current.span().span_context().clone();
        match line.trim_end().strip_suffix('}') {
            Some(open) if span.is_valid() && span.is_sampled() => {
                writeln!(writer, r#"{open},"trace_id":"{}","span_id":"{}"}}"#, span.trace_id(), span.span_id())
            }
            _ => writer.write_str(&line),
        }
    }
}
