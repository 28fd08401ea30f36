//! The log, and spans over OTLP.
//!
//! Spans are made with `tracing` where the flow is, each with a name of OBSERVABILITY.md; [`export`] brings them to a
//! collector, [`trace`] carries where something belongs over HTTP, NATS and the outbox, [`log`] writes each line with the
//! trace it belongs to. Only this crate's spans leave: those of libraries would say what nobody has looked through for
//! secrets.
//!
//! Guarantees: without a collector no span is made; one that is slow or away holds up nothing and costs spans, which are
//! counted; no attribute holds a secret, a body or what a caller wrote freely.

pub mod export;
pub mod log;
pub mod messaging;
pub mod trace;

pub use export::{Dropped, dropped};
pub use trace::Trace;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::level_filters::LevelFilter;

use crate::config;

/// What the agent calls itself, unless `OTEL_SERVICE_NAME` has another name for it.
const SERVICE: &str = "bindery-agent";

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the configuration cannot be used.
    #[error(transparent)]
    File(#[from] config::ReadError),
    /// Certificates that are none.
    #[error("the certificates in telemetry.tls cannot be used")]
    Tls(#[source] reqwest::Error),
    /// Headers that are none. What they hold is a secret.
    #[error("telemetry.otlp_headers is no list such as `authorization=Bearer …, x-tenant=…`")]
    Headers,
    /// The exporter does not take its settings.
    #[error("the exporter of spans cannot be set up; is telemetry.otlp_endpoint an address?")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// The thread that sets it up has ended.
    #[error("the exporter of spans was not set up")]
    Cut,
}

/// Whose spans they are.
#[derive(Debug)]
pub struct Identity<'a> {
    /// Name of the environment.
    pub environment: &'a str,
    /// Tells this agent from others.
    pub instance: String,
}

/// The log and the way of spans to the collector. The first one in a process counts.
#[derive(Debug)]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Starts both. Where the configuration names no collector, spans are never made.
    pub fn start(config: &config::Telemetry, identity: &Identity<'_>, shown: LevelFilter) -> Result<Self, Error> {
        let Some(url) = config.traces() else {
            log::start(shown, None);
            return Ok(Self(None));
        };
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(identity))
            .with_sampler(sampler)
            .with_span_processor(export::processor(config, &url)?)
            .build();
        log::start(shown, Some(provider.tracer(SERVICE)));
        Ok(Self(Some(provider)))
    }

    /// Sends what waits, for a few seconds at most.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(export::LAST)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be sent");
        }
    }
}

fn resource(identity: &Identity<'_>) -> Resource {
    let named = std::env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty());
    let resource = Resource::builder().with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", identity.instance.clone()),
        KeyValue::new("deployment.environment.name", identity.environment.to_owned()),
    ]);
    if named { resource.build() } else { resource.with_service_name(SERVICE).build() }
}
