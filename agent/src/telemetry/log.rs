//! The log: text on a terminal, elsewhere JSON with the ids of the trace a line belongs to.
//!
//! What is shown and what is traced are told apart by pure functions of an event's target and level. The filters of single
//! layers that `tracing-subscriber` has are not used: they note their decision for the event that comes next on the
//! thread, so that a library that only asks whether it should log, as `sqlx` does with each statement, makes the line or
//! span after it disappear.

use std::fmt;
use std::io::IsTerminal as _;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{self, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What records of the crate `log` have as their target once they are events; by then they have passed by their own.
const LOG: &str = "log";

/// Logs to standard error: one line of text an event on a terminal, one JSON object an event elsewhere. `RUST_LOG`
/// chooses what is shown, `otherwise` where it does not; it has no say in what is traced.
pub fn start(otherwise: LevelFilter, tracer: Option<SdkTracer>) {
    let said = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let shown = said.and_then(|text| text.parse().ok()).unwrap_or_else(|| Targets::new().with_default(otherwise));
    // A second call in one process: the first logger stays.
    drop(subscriber(shown, !std::io::stderr().is_terminal(), std::io::stderr, tracer).try_init());
}

fn subscriber<W>(shown: Targets, json: bool, writer: W, tracer: Option<SdkTracer>) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (is_shown, spans_too) = (shown.clone(), tracer.is_some());
    let wanted = move |metadata: &Metadata<'_>| {
        let line = metadata.is_event() && is_shown.would_enable(metadata.target(), metadata.level());
        line || (spans_too && is_traced(metadata))
    };
    // Of what is above this level libraries do not even ask.
    let most = if spans_too { LevelFilter::DEBUG } else { LevelFilter::OFF };
    let most = most.max(Layer::<tracing_subscriber::Registry>::max_level_hint(&shown).unwrap_or(LevelFilter::TRACE));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = if json {
        lines.json().with_current_span(false).with_span_list(false).map_event_format(Traced).boxed()
    } else {
        lines.boxed()
    };
    let spans = tracer.map(|tracer| {
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_error_records_to_exceptions(false)
    });
    tracing_subscriber::registry()
        .with(filter_fn(wanted).with_max_level_hint(most))
        .with(Lines { layer: lines, shown })
        .with(spans)
}

/// Spans of this crate, and what is logged in them.
pub(super) fn is_traced(metadata: &Metadata<'_>) -> bool {
    is_ours(metadata.target()) && (*metadata.level() <= Level::INFO || is_failure(metadata))
}

/// Whether something is said by this crate.
pub(super) fn is_ours(target: &str) -> bool {
    target.split("::").next() == Some("bindery_agent")
}

/// What `#[instrument(err(level = "debug"))]` notes of a function that fails: its span has failed. Whoever deals with the
/// error logs it, once.
fn is_failure(metadata: &Metadata<'_>) -> bool {
    *metadata.level() == Level::DEBUG
        && metadata.is_event()
        && metadata.fields().iter().map(|field| field.name()).eq(["error"])
}

/// The layer that writes lines, which sees of all that is wanted what is shown, and no spans.
struct Lines<L> {
    layer: L,
    shown: Targets,
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Lines<L> {
    fn on_event(&self, event: &Event<'_>, context: layer::Context<'_, S>) {
        let (target, level) = (event.metadata().target(), event.metadata().level());
        if target == LOG || self.shown.would_enable(target, level) {
            self.layer.on_event(event, context);
        }
    }
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use serde_json::Value;
    use tracing::{debug, info, info_span, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, some: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(some)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The lines that something leaves.
    fn lines(shown: &str, sampler: Option<Sampler>, what: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let provider = sampler.map(|sampler| SdkTracerProvider::builder().with_sampler(sampler).build());
        let (writer, tracer) = (written.clone(), provider.map(|provider| provider.tracer("test")));
        let subscriber = subscriber(shown.parse().unwrap(), true, move || writer.clone(), tracer);
        tracing::subscriber::with_default(subscriber, what);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_names_the_span_it_belongs_to_where_that_is_sent() {
        let what = || {
            info!("outside");
            info_span!("span", id = "i").in_scope(|| info!(count = 1, "inside"));
        };
        let sent = lines("info", Some(Sampler::AlwaysOn), what);
        assert_eq!((&sent[0]["fields"]["message"], sent[0].get("trace_id")), (&"outside".into(), None));
        assert_eq!((&sent[1]["fields"]["message"], &sent[1]["fields"]["count"]), (&"inside".into(), &1.into()));
        let length = |key: &str| sent[1][key].as_str().unwrap().len();
        assert_eq!((length("trace_id"), length("span_id")), (32, 16));
        for other in [Some(Sampler::AlwaysOff), None] {
            let lines = lines("info", other, what);
            assert!(lines.len() == 2 && lines.iter().all(|line| line.get("trace_id").is_none()), "{lines:?}");
        }
    }

    #[test]
    fn what_is_traced_is_not_shown_for_that_and_what_is_shown_is_not_lost() {
        let what = || {
            info_span!("span").in_scope(|| info!("an info"));
            debug!(target: "sqlx::query", "a statement");
            warn!(target: "other", "a warning");
        };
        let messages = |shown: &str| {
            let lines = lines(shown, Some(Sampler::AlwaysOn), what).into_iter();
            lines.map(|line| line["fields"]["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(messages("warn"), ["a warning"]);
        assert_eq!(messages("info,other=off"), ["an info"]);
        assert_eq!(messages("off,sqlx=debug"), ["a statement"]);
    }
}
