//! The way of spans to the collector: a bounded queue, a thread of its own, time limits, and a count of what is lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bindery_schema::secret::Secret;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanProcessor};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity};

use super::{Error, log};
use crate::config;

/// Spans that may wait for the collector: a few seconds of a busy agent, a few megabytes.
const QUEUE: usize = 4_096;
/// Spans of one request.
const BATCH: usize = 512;
/// How long a span may wait for company.
const DELAY: Duration = Duration::from_secs(1);
/// Longest wait for the collector's answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the last request at the end; a little more than one takes.
pub(super) const LAST: Duration = Duration::from_secs(6);

/// One label, `reason`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Dropped {
    /// `queue_full` or `export_failed`.
    pub reason: &'static str,
}

const QUEUE_FULL: Dropped = Dropped { reason: "queue_full" };
const EXPORT_FAILED: Dropped = Dropped { reason: "export_failed" };

/// Spans that were not sent. Of the process, as its log and its exporter are.
pub fn dropped() -> &'static Family<Dropped, Counter> {
    static DROPPED: LazyLock<Family<Dropped, Counter>> = LazyLock::new(|| {
        let family = Family::default();
        for reason in [QUEUE_FULL, EXPORT_FAILED] {
            drop(family.get_or_create(&reason));
        }
        family
    });
    &DROPPED
}

/// What ended spans are handed to.
pub(super) fn processor(config: &config::Telemetry, url: &str) -> Result<Bounded, Error> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url)
        .with_timeout(TIMEOUT)
        .with_http_client(client(config, url)?)
        .with_headers(
            config.otlp_headers.as_ref().map(|source| headers(&source.read()?)).transpose()?.unwrap_or_default(),
        )
        .build()
        .map_err(Error::Exporter)?;
    let waiting = Arc::new(AtomicUsize::new(0));
    let exporter = Watched { exporter, waiting: waiting.clone(), failing: AtomicBool::new(false) };
    let settings = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(DELAY)
        .build();
    Ok(Bounded { waiting, batches: BatchSpanProcessor::builder(exporter).with_batch_config(settings).build() })
}

/// A client for the processor's thread, which blocks. Made on a thread too: the runtime's may not block.
fn client(config: &config::Telemetry, url: &str) -> Result<Client, Error> {
    // Only the first call in a process counts, and another provider that is there already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // No collector sends elsewhere, and whoever does so is not to have the headers.
    let mut builder = Client::builder().timeout(TIMEOUT).connect_timeout(TIMEOUT).redirect(Policy::none());
    let files = config.tls.read()?;
    if let Some(ca) = files.ca {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&ca).map_err(Error::Tls)?);
    } else if url.starts_with("http://") {
        // Reading the system's certificates takes long and fails where there are none.
        builder = builder.tls_certs_only(Vec::new());
    }
    if let Some((cert, key)) = files.identity {
        let pem = Secret::new([&String::from_utf8_lossy(&cert), key.expose()].join("\n"));
        builder = builder.identity(Identity::from_pem(pem.expose().as_bytes()).map_err(Error::Tls)?);
    }
    std::thread::spawn(move || builder.build()).join().map_err(|_| Error::Cut)?.map_err(Error::Tls)
}

/// Reads headers as `OTEL_EXPORTER_OTLP_HEADERS` has them.
fn headers(text: &Secret) -> Result<HashMap<String, String>, Error> {
    let pairs = text.expose().split(',').filter(|pair| !pair.trim().is_empty());
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_header = name.parse::<reqwest::header::HeaderName>().is_ok()
            && reqwest::header::HeaderValue::from_str(value).is_ok();
        is_header.then(|| (name.to_owned(), value.to_owned()))
    };
    pairs.map(|pair| header(pair).ok_or(Error::Headers)).collect()
}

/// A queue that tells what it does not take. The library's own counts that too and keeps it to itself; since this one is
/// never longer, that one is never full.
#[derive(Debug)]
pub(super) struct Bounded {
    waiting: Arc<AtomicUsize>,
    batches: BatchSpanProcessor,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        // What RUST_LOG shows of libraries is for the log alone.
        span.events.events.retain(|event| event.attributes.iter().any(is_our_target));
        let room = |waiting: usize| (waiting < QUEUE).then_some(waiting + 1);
        if self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok() {
            self.batches.on_end(span);
        } else {
            dropped().get_or_create(&QUEUE_FULL).inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Whether an event's attribute says that this crate has logged it.
fn is_our_target(attribute: &KeyValue) -> bool {
    attribute.key.as_str() == "target" && log::is_ours(&attribute.value.as_str())
}

/// An exporter that counts what it could not send, and says once that the collector is away and once that it is back.
#[derive(Debug)]
struct Watched {
    exporter: SpanExporter,
    waiting: Arc<AtomicUsize>,
    failing: AtomicBool,
}

impl opentelemetry_sdk::trace::SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        let failed = result.is_err();
        if failed {
            dropped().get_or_create(&EXPORT_FAILED).inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
        }
        match (self.failing.swap(failed, Ordering::Relaxed), &result) {
            (false, Err(error)) => tracing::warn!(%error, "the collector does not take spans; they are dropped"),
            (true, Ok(())) => tracing::info!("the collector takes spans again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// A collector that takes everything.
    #[derive(Debug)]
    struct Anything;

    impl opentelemetry_sdk::trace::SpanExporter for Anything {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            Ok(())
        }
    }

    #[test]
    fn what_the_queue_does_not_take_is_counted() {
        let waiting = Arc::new(AtomicUsize::new(QUEUE - 1));
        let processor = Bounded { waiting: waiting.clone(), batches: BatchSpanProcessor::builder(Anything).build() };
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let count = || dropped().get_or_create(&QUEUE_FULL).get();
        for expected in [0, 1, 2] {
            provider.tracer("test").start("span").end();
            assert_eq!((count(), waiting.load(Ordering::Relaxed)), (expected, QUEUE));
        }
    }

    #[test]
    fn events_of_libraries_stay_here() {
        let leaves = |target: &'static str| is_our_target(&KeyValue::new("target", target));
        assert!(leaves("bindery_agent") && leaves("bindery_agent::sync::step"));
        assert!(!leaves("sqlx::query") && !leaves("bindery_agents") && !leaves("log"));
    }

    #[test]
    fn headers_are_pairs_and_what_is_none_is_not_repeated() {
        let read = headers(&Secret::new("authorization=Bearer a=b, x-tenant=t,")).unwrap();
        assert_eq!((read["authorization"].as_str(), read["x-tenant"].as_str()), ("Bearer a=b", "t"));
        for bad in ["k3y7pq2x", "na me=k3y7pq2x", "name=k3y7pq2x\u{1}"] {
            let error = headers(&Secret::new(format!("a=b,{bad},c=d"))).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("k3y7pq2x"), "{error:?}");
        }
    }
}
