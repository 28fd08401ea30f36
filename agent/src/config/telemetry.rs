//! Where spans go.

use serde::Deserialize;

use super::{SecretSource, Tls};

/// Where spans go, and how many are made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Base URL of a collector that takes OTLP over HTTP; spans go to `/v1/traces` below it. Without one, and without
    /// OpenTelemetry's own variables, no span is made.
    pub otlp_endpoint: Option<String>,
    /// Headers for it: `name=value`, separated by commas.
    pub otlp_headers: Option<SecretSource>,
    /// The part of the traces that begin here which is sent, 0 to 1. Of others their beginning decides.
    pub sample_ratio: f64,
    /// Files for TLS.
    pub tls: Tls,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { otlp_endpoint: None, otlp_headers: None, sample_ratio: 1.0, tls: Tls::default() }
    }
}

impl Telemetry {
    /// Where spans are posted to; the environment, as OpenTelemetry has it, where the configuration says nothing.
    pub fn traces(&self) -> Option<String> {
        self.traces_or(|name| std::env::var(name).ok())
    }

    fn traces_or(&self, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
        let below = |base: &str| format!("{}/v1/traces", base.trim_end_matches('/'));
        let said = |name| variable(name).filter(|url| !url.is_empty());
        let configured = self.otlp_endpoint.as_deref().map(below);
        configured
            .or_else(|| said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
            .or_else(|| said("OTEL_EXPORTER_OTLP_ENDPOINT").as_deref().map(below))
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        if let Some(url) = &self.otlp_endpoint {
            let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
                return Err("telemetry.otlp_endpoint is an address such as http://collector.example:4318");
            };
            if rest.split('/').next().is_some_and(|host| host.contains('@')) {
                return Err("telemetry.otlp_endpoint is shown in logs: put credentials into telemetry.otlp_headers");
            }
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err("telemetry.sample_ratio is a number from 0 to 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_comes_before_the_environment() {
        let at = |endpoint: Option<&str>, variables: &[(&str, &str)]| {
            let telemetry = Telemetry { otlp_endpoint: endpoint.map(str::to_owned), ..Telemetry::default() };
            let found =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, url)| (*url).to_owned());
            telemetry.traces_or(found)
        };
        let (all, traces) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        assert_eq!(at(None, &[]), None);
        assert_eq!(at(None, &[(all, "")]), None);
        assert_eq!(at(None, &[(all, "http://c:4318")]).as_deref(), Some("http://c:4318/v1/traces"));
        assert_eq!(at(None, &[(all, "http://c:4318"), (traces, "http://t/in")]).as_deref(), Some("http://t/in"));
        assert_eq!(at(Some("https://o/otlp/"), &[(traces, "http://t")]).as_deref(), Some("https://o/otlp/v1/traces"));
    }
}
