//! Kind `Operator`.

use std::sync::Arc;

use bindery_schema::operator::{
    BindMode, Credentials, EnvironmentOverlay, HealthThresholds, InterfaceVersion, SmppOverlay, Status, TpsOverlay,
};
use bindery_schema::value::OperatorId;

use super::decode::{Fields, Report, boolean, number, text_that, value, whole, word};
use super::partial::{PartialOperator, PartialRename};
use super::yaml::{Node, Value};
use super::{Body, ReadOperator, Unread};
use crate::diagnostic::Code;

const STATUSES: &[(&str, Status)] = &[("ACTIVE", Status::Active), ("INACTIVE", Status::Inactive)];
const BIND_MODES: &[(&str, BindMode)] =
    &[("TRANSCEIVER", BindMode::Transceiver), ("TRANSMITTER", BindMode::Transmitter), ("RECEIVER", BindMode::Receiver)];
const VERSIONS: &[(&str, InterfaceVersion)] = &[("3.4", InterfaceVersion::V3_4), ("5.0", InterfaceVersion::V5_0)];
/// Largest rate a field holds; sums are taken in 64 bits.
pub(super) const MOST_TPS: u32 = u32::MAX;

pub(super) fn decode(fields: &mut Fields<'_, '_>, report: &mut Report) -> Body {
    let mut id: Option<OperatorId> = None;
    let metadata = fields.required("metadata", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        id = fields.required("id", report, value);
        let mno = fields.required("mno", report, value);
        let renamed_from = fields.optional("renamedFrom", report, renamed_from);
        fields.finish(report);
        Some((mno, renamed_from))
    });
    let (mno, renamed_from) = metadata.unwrap_or_default();
    let read = fields.required("spec", report, spec).unwrap_or_else(unread_spec);
    let read = PartialOperator { mno, renamed_from, ..read };
    let read = match &id {
        Some(id) if !report.partial => read.whole(id.clone()),
        _ => ReadOperator::Partial(Box::new(read)),
    };
    Body::Operator { id, read }
}

fn renamed_from(node: &Node<'_>, report: &mut Report) -> Option<PartialRename> {
    let mut fields = Fields::of(node, report)?;
    let id = fields.required("id", report, value);
    let effective_at = fields.required("effectiveAt", report, value);
    let drain_seconds = fields.optional("drainSeconds", report, whole(0, 86_400));
    fields.finish(report);
    Some(PartialRename { id, effective_at, drain_seconds })
}

fn spec(node: &Node<'_>, report: &mut Report) -> Option<PartialOperator> {
    let mut fields = Fields::of(node, report)?;
    let mut unread = Unread::default();
    let display_name = fields.required("displayName", report, value);
    let status = fields.optional("status", report, word(STATUSES));
    let smpp =
        fields.required("smpp", report, |node, report| smpp(node, report, &["host", "port", "systemId"], &mut unread));
    let tps = fields.required("tps", report, |node, report| {
        let faults = report.faults.len();
        let tps = tps(node, report, &mut unread)?;
        // Where a field could not be read, the rate may have been in it.
        if report.faults.len() == faults && tps.outbound.unwrap_or(0) == 0 && tps.inbound.unwrap_or(0) == 0 {
            let help = Some("give the rate the carrier allows in the direction the bind carries".to_owned());
            report.fault(Code::OutOfRange, node.head(), "`tps` is 0 in both directions".to_owned(), help);
        }
        Some(tps)
    });
    let health = fields.optional("health", report, health);
    let credentials = fields.optional("credentials", report, credentials);
    // A field that must be there and is not is unread too: what it would say, nobody knows.
    if smpp.is_none() {
        unread.add("smpp");
    }
    if tps.is_none() {
        unread.add("tps");
    }
    let mut operator = PartialOperator {
        display_name,
        health: health.unwrap_or_default(),
        base: EnvironmentOverlay { smpp, tps, credentials },
        ..PartialOperator::default()
    };
    fields.optional("environments", report, |node, report| environments(node, report, &mut operator));
    let unread_here = fields.finish(report);
    operator.status = unread_here.or("status", None, Some(status.unwrap_or_default()));
    operator.may_have_more |= unread_here.has("environments");
    operator.unread = unread;
    Some(operator)
}

/// What is known where there is no `spec`, or none that can be read.
fn unread_spec() -> PartialOperator {
    let unread = Unread::of(vec!["smpp", "tps"]);
    PartialOperator { unread, may_have_more: true, ..PartialOperator::default() }
}

/// A bind, or what differs in one. What could not be read of it goes to `unread`.
fn smpp(node: &Node<'_>, report: &mut Report, required: &[&'static str], unread: &mut Unread) -> Option<SmppOverlay> {
    let mut fields = Fields::of(node, report)?;
    let overlay = SmppOverlay {
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
    unread.append(fields.finish(report));
    Some(overlay)
}

/// The rates. What could not be read of them goes to `unread`.
fn tps(node: &Node<'_>, report: &mut Report, unread: &mut Unread) -> Option<TpsOverlay> {
    let mut fields = Fields::of(node, report)?;
    let overlay = TpsOverlay {
        outbound: fields.optional("outbound", report, whole(0, MOST_TPS)),
        inbound: fields.optional("inbound", report, whole(0, MOST_TPS)),
    };
    unread.append(fields.finish(report));
    Some(overlay)
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

fn environments(node: &Node<'_>, report: &mut Report, operator: &mut PartialOperator) -> Option<()> {
    Fields::of(node, report)?;
    let Value::Mapping(entries) = &node.value else { return None };
    for (key, node) in entries {
        // An environment is named as an id is: the name stands in configuration files and event sources.
        let name: Option<bindery_schema::value::TenantId> = value(key, report);
        let (mut overlay, mut unread) = (EnvironmentOverlay::default(), Unread::default());
        match Fields::of(node, report) {
            Some(mut fields) => {
                overlay = EnvironmentOverlay {
                    smpp: fields.optional("smpp", report, |node, report| smpp(node, report, &[], &mut unread)),
                    tps: fields.optional("tps", report, |node, report| tps(node, report, &mut unread)),
                    credentials: fields.optional("credentials", report, credentials),
                };
                unread.append(fields.finish(report));
            }
            None => ["smpp", "tps"].into_iter().for_each(|name| unread.add(name)),
        }
        match name.filter(|name| !report.is_twice(entries, name.as_str())) {
            Some(name) => {
                if !unread.is_empty() {
                    operator.unread_in.insert(name.as_str().to_owned(), unread);
                }
                operator.environments.insert(name.as_str().to_owned(), overlay);
            }
            None => operator.may_have_more = true,
        }
    }
    Some(())
}
