//! Kind `Operator`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery_schema::operator::{
    BindMode, Credentials, DEFAULT_DRAIN_SECONDS, DEFAULT_ENQUIRE_LINK_SECONDS, DEFAULT_WINDOW_SIZE,
    EnvironmentOverlay, HealthThresholds, InterfaceVersion, OperatorMetadata, OperatorSpec, RenamedFrom, Smpp,
    SmppOverlay, Status, TpsLimits, TpsOverlay,
};

use super::Body;
use super::decode::{Fields, Report, Unread, boolean, number, text_that, value, whole, word};
use super::yaml::{Node, Value};
use crate::diagnostic::Code;

const STATUSES: &[(&str, Status)] = &[("ACTIVE", Status::Active), ("INACTIVE", Status::Inactive)];
const BIND_MODES: &[(&str, BindMode)] =
    &[("TRANSCEIVER", BindMode::Transceiver), ("TRANSMITTER", BindMode::Transmitter), ("RECEIVER", BindMode::Receiver)];
const VERSIONS: &[(&str, InterfaceVersion)] = &[("3.4", InterfaceVersion::V3_4), ("5.0", InterfaceVersion::V5_0)];
/// Largest rate a field holds; sums are taken in 64 bits.
pub(super) const MOST_TPS: u32 = u32::MAX;

pub(super) fn decode(fields: &mut Fields<'_, '_>, report: &mut Report) -> Body {
    let mut id = None;
    let metadata = fields.required("metadata", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        id = fields.required("id", report, value);
        let mno = fields.required("mno", report, value);
        let renamed_from = fields.optional("renamedFrom", report, renamed_from);
        fields.finish(report);
        Some(OperatorMetadata { id: id.clone()?, mno: mno?, renamed_from })
    });
    let spec = fields.required("spec", report, spec);
    Body::Operator { id, metadata, spec: spec.map(Arc::new) }
}

fn renamed_from(node: &Node<'_>, report: &mut Report) -> Option<RenamedFrom> {
    let mut fields = Fields::of(node, report)?;
    let id = fields.required("id", report, value);
    let effective_at = fields.required("effectiveAt", report, value);
    let drain_seconds = fields.optional("drainSeconds", report, whole(0, 86_400));
    fields.finish(report);
    Some(RenamedFrom {
        id: id?,
        effective_at: effective_at?,
        drain_seconds: drain_seconds.unwrap_or(DEFAULT_DRAIN_SECONDS),
    })
}

fn spec(node: &Node<'_>, report: &mut Report) -> Option<OperatorSpec> {
    let mut fields = Fields::of(node, report)?;
    let display_name = fields.required("displayName", report, value);
    let status = fields.optional("status", report, word(STATUSES));
    let smpp = fields.required("smpp", report, |node, report| base_smpp(node, report));
    let tps = fields.required("tps", report, |node, report| {
        let faults = report.faults.len();
        let (overlay, _) = tps(node, report)?;
        let tps = TpsLimits { outbound: overlay.outbound.unwrap_or(0), inbound: overlay.inbound.unwrap_or(0) };
        // Where a field could not be read, the rate may have been in it.
        if report.faults.len() == faults && tps == TpsLimits::default() {
            let help = Some("give the rate the carrier allows in the direction the bind carries".to_owned());
            report.fault(Code::OutOfRange, node.head(), "`tps` is 0 in both directions".to_owned(), help);
        }
        Some(tps)
    });
    let health = fields.optional("health", report, health);
    let credentials = fields.optional("credentials", report, credentials);
    let environments = fields.optional("environments", report, environments);
    let unread = fields.finish(report);
    Some(OperatorSpec {
        display_name: display_name?,
        status: unread.or("status", Status::Inactive, status.unwrap_or_default()),
        smpp: smpp?,
        tps: tps?,
        health: health.unwrap_or_default(),
        credentials,
        environments: environments.unwrap_or_default(),
    })
}

/// The base: an overlay of which three fields must be there.
fn base_smpp(node: &Node<'_>, report: &mut Report) -> Option<Smpp> {
    let read = smpp(node, report, &["host", "port", "systemId"])?;
    let defaults = Smpp {
        host: read.host.clone()?,
        port: read.port?,
        system_id: read.system_id.clone()?,
        system_type: None,
        bind_mode: BindMode::default(),
        interface_version: InterfaceVersion::default(),
        tls: false,
        window_size: DEFAULT_WINDOW_SIZE,
        enquire_link_seconds: DEFAULT_ENQUIRE_LINK_SECONDS,
        addr_ton: 0,
        addr_npi: 0,
        address_range: None,
    };
    Some(read.over(&defaults))
}

fn smpp(node: &Node<'_>, report: &mut Report, required: &[&'static str]) -> Option<SmppOverlay> {
    let mut fields = Fields::of(node, report)?;
    let mut overlay = SmppOverlay {
        host: fields.optional("host", report, value),
        port: fields.optional("port", report, whole(1, u16::MAX)),
        system_id: fields.optional("systemId", report, value),
        system_type: fields.optional("systemType", report, value),
        bind_mode: fields.optional("bindMode", report, word(BIND_MODES)),
        interface_version: fields.optional("interfaceVersion", report, word(VERSIONS)),
        tls: fields.optional("tls", report, boolean),
        window_size: fields.optional("windowSize", report, whole(1, u16::MAX)),
        enquire_link_seconds: fields.optional("enquireLinkSeconds", report, whole(1, u16::MAX)),
        addr_ton: fields.optional("addrTon", report, whole(0, u8::MAX)),
        addr_npi: fields.optional("addrNpi", report, whole(0, u8::MAX)),
        address_range: fields.optional("addressRange", report, value),
    };
    for name in required {
        fields.must_have(name, report);
    }
    let unread = fields.finish(report);
    if ["host", "port", "systemId"].iter().any(|name| unread.has(name)) {
        // With a part of the base's it would be an endpoint that nobody wrote.
        return None;
    }
    overlay.bind_mode = unread.or("bindMode", Some(BindMode::Transceiver), overlay.bind_mode);
    overlay.window_size = unread.or("windowSize", Some(u16::MAX), overlay.window_size);
    Some(overlay)
}

/// The rates, and which of them could not be read.
fn tps(node: &Node<'_>, report: &mut Report) -> Option<(TpsOverlay, Unread)> {
    let mut fields = Fields::of(node, report)?;
    let overlay = TpsOverlay {
        outbound: fields.optional("outbound", report, whole(0, MOST_TPS)),
        inbound: fields.optional("inbound", report, whole(0, MOST_TPS)),
    };
    Some((overlay, fields.finish(report)))
}

fn health(node: &Node<'_>, report: &mut Report) -> Option<HealthThresholds> {
    let mut fields = Fields::of(node, report)?;
    let usual = HealthThresholds::default();
    let rate = || number(0.0, 1.0);
    let millis = || whole(1, 3_600_000);
    let thresholds = HealthThresholds {
        degraded_error_rate: fields.optional("degradedErrorRate", report, rate()).unwrap_or(usual.degraded_error_rate),
        unhealthy_error_rate: fields
            .optional("unhealthyErrorRate", report, rate())
            .unwrap_or(usual.unhealthy_error_rate),
        degraded_p95_millis: fields
            .optional("degradedP95Millis", report, millis())
            .unwrap_or(usual.degraded_p95_millis),
        unhealthy_p95_millis: fields
            .optional("unhealthyP95Millis", report, millis())
            .unwrap_or(usual.unhealthy_p95_millis),
        confirm: fields.optional("confirm", report, whole(1, 1_000)).unwrap_or(usual.confirm),
        recover: fields.optional("recover", report, whole(1, 1_000)).unwrap_or(usual.recover),
        silence_seconds: fields.optional("silenceSeconds", report, whole(1, 60)).unwrap_or(usual.silence_seconds),
    };
    fields.finish(report);
    Some(thresholds)
}

fn credentials(node: &Node<'_>, report: &mut Report) -> Option<Credentials> {
    let mut fields = Fields::of(node, report)?;
    let sealed = fields.optional("sealed", report, |node, report| {
        let help = "seal the password again with `bindery seal --operator ID --write`";
        let text = text_that(node, report, crate::seal::is_whole, help)?;
        if !crate::seal::is_whole(text) {
            let message = "`sealed` is no whole age message".to_owned();
            report.fault(Code::SealedUnreadable, node.span, message, Some(help.to_owned()));
            return None;
        }
        Some(Arc::from(text))
    });
    let rotated_at = fields.optional("rotatedAt", report, value);
    fields.finish(report);
    Some(Credentials { sealed, rotated_at })
}

fn environments(node: &Node<'_>, report: &mut Report) -> Option<BTreeMap<String, EnvironmentOverlay>> {
    Fields::of(node, report)?;
    let Value::Mapping(entries) = &node.value else { return None };
    let mut environments = BTreeMap::new();
    for (key, node) in entries {
        // An environment is named as an id is: the name stands in configuration files and event sources.
        let name: Option<bindery_schema::value::TenantId> = value(key, report);
        let Some(mut fields) = Fields::of(node, report) else { continue };
        let mut overlay = EnvironmentOverlay {
            smpp: fields.optional("smpp", report, |node, report| smpp(node, report, &[])),
            tps: fields.optional("tps", report, |node, report| {
                let (rates, unread) = tps(node, report)?;
                unread.is_empty().then_some(rates)
            }),
            credentials: fields.optional("credentials", report, credentials),
        };
        let unread = fields.finish(report);
        if unread.has("smpp") || unread.has("tps") {
            // Half an overlay over the base would be a bind that nobody wrote.
            overlay = EnvironmentOverlay::default();
        }
        if let Some(name) = name.filter(|name| !report.is_twice(entries, name.as_str())) {
            environments.insert(name.as_str().to_owned(), overlay);
        }
    }
    Some(environments)
}
