//! Kind `Policy`.

use bindery_schema::policy::{
    Acknowledgement, Guardrails, Nesting, PolicySpec, RoutingPolicy, SecretsPolicy, Threshold, TpsPolicy,
};

use bindery_schema::value::{Day, shown};

use super::decode::{Fields, Report, items, list, text_of, text_that, value, whole, word};
use super::yaml::Node;
use super::{Body, UnreadAcknowledgements};
use crate::diagnostic::Code;

/// What counts where words cannot be read: the fault is said, and no rule is measured by a guess.
const UNREAD_ROUTING: RoutingPolicy =
    RoutingPolicy { same_operator_nesting: Nesting::Allow, cross_operator_nesting: Nesting::Allow };
const UNREAD_TPS: TpsPolicy = TpsPolicy { min_on_demand_pool_percent: 0 };
/// Stands for the reason of an entry that could not be read; a tree with such a fault is not applied.
const UNREAD: &str = "cannot be read";

const NESTING: &[(&str, Nesting)] =
    &[("allow", Nesting::Allow), ("declared", Nesting::Declared), ("deny", Nesting::Deny)];

pub(super) fn decode(fields: &mut Fields<'_, '_>, report: &mut Report) -> Body {
    match fields.required("spec", report, spec) {
        Some((spec, unread)) => Body::Policy { spec: Box::new(spec), unread },
        None => Body::Policy { spec: Box::default(), unread: UnreadAcknowledgements::Halves(Vec::new()) },
    }
}

/// A policy whose content could not be read: nothing is measured by it.
pub(super) fn unread() -> Body {
    let spec = PolicySpec { routing: UNREAD_ROUTING, tps: UNREAD_TPS, ..PolicySpec::default() };
    Body::Policy { spec: Box::new(spec), unread: UnreadAcknowledgements::All }
}

/// Whether a policy holds anything that was read.
pub(super) fn is_read(spec: &PolicySpec) -> bool {
    *spec != PolicySpec { routing: UNREAD_ROUTING, tps: UNREAD_TPS, ..PolicySpec::default() }
}

/// The content, and what it acknowledges that could not be read.
fn spec(node: &Node<'_>, report: &mut Report) -> Option<(PolicySpec, UnreadAcknowledgements)> {
    let mut fields = Fields::of(node, report)?;
    let mut halves = Vec::new();
    let mut policy = PolicySpec {
        routing: fields.optional("routing", report, routing).unwrap_or_default(),
        guardrails: fields.optional("guardrails", report, guardrails).unwrap_or_default(),
        tps: fields.optional("tps", report, tps).unwrap_or_default(),
        secrets: fields.optional("secrets", report, secrets).unwrap_or_default(),
        acknowledge: fields
            .optional("acknowledge", report, |node, report| {
                list(node, report, |node, report| acknowledgement(node, report, &mut halves))
            })
            .map(|list| list.items)
            .unwrap_or_default(),
    };
    let unread = fields.finish(report);
    policy.routing = unread.or("routing", UNREAD_ROUTING, policy.routing);
    policy.tps = unread.or("tps", UNREAD_TPS, policy.tps);
    let halves = UnreadAcknowledgements::Halves(halves);
    Some((policy, unread.or("acknowledge", UnreadAcknowledgements::All, halves)))
}

fn routing(node: &Node<'_>, report: &mut Report) -> Option<RoutingPolicy> {
    let mut fields = Fields::of(node, report)?;
    let usual = RoutingPolicy::default();
    let [same, cross] = ["sameOperatorNesting", "crossOperatorNesting"];
    let [same_word, cross_word] = [same, cross].map(|name| fields.optional(name, report, word(NESTING)));
    let unread = fields.finish(report);
    Some(RoutingPolicy {
        same_operator_nesting: unread.or(same, Nesting::Allow, same_word.unwrap_or(usual.same_operator_nesting)),
        cross_operator_nesting: unread.or(cross, Nesting::Allow, cross_word.unwrap_or(usual.cross_operator_nesting)),
    })
}

fn guardrails(node: &Node<'_>, report: &mut Report) -> Option<Guardrails> {
    let mut fields = Fields::of(node, report)?;
    let guardrails = Guardrails {
        max_deletes: fields.optional("maxDeletes", report, threshold).unwrap_or_default(),
        max_endpoint_changes: fields.optional("maxEndpointChanges", report, threshold).unwrap_or_default(),
        protect: fields.optional("protect", report, items(text)).unwrap_or_default().into_iter().collect(),
    };
    fields.finish(report);
    Some(guardrails)
}

fn threshold(node: &Node<'_>, report: &mut Report) -> Option<Threshold> {
    let mut fields = Fields::of(node, report)?;
    let usual = Threshold::default();
    let threshold = Threshold {
        count: fields.optional("count", report, whole(0, u32::MAX)).unwrap_or(usual.count),
        percent: fields.optional("percent", report, whole(0, 100)).unwrap_or(usual.percent),
    };
    fields.finish(report);
    Some(threshold)
}

fn tps(node: &Node<'_>, report: &mut Report) -> Option<TpsPolicy> {
    let mut fields = Fields::of(node, report)?;
    let percent = fields.optional("minOnDemandPoolPercent", report, whole(0, 100));
    let unread = fields.finish(report);
    let usual = percent.map_or_else(TpsPolicy::default, |percent| TpsPolicy { min_on_demand_pool_percent: percent });
    Some(unread.or("minOnDemandPoolPercent", UNREAD_TPS, usual))
}

fn secrets(node: &Node<'_>, report: &mut Report) -> Option<SecretsPolicy> {
    let mut fields = Fields::of(node, report)?;
    let help = "a recipient is an age public key, `age1` and 58 more characters";
    let recipient = |node: &Node<'_>, report: &mut Report| {
        let text = text_that(node, report, |text| crate::seal::check_recipient(text).is_ok(), help)?;
        if let Err(error) = crate::seal::check_recipient(text) {
            let message = format!("the recipient is no age public key: {error}");
            report.fault(Code::OutOfRange, node.span, message, Some(help.to_owned()));
            return None;
        }
        Some(text.to_owned())
    };
    let recipients = fields.optional("recipients", report, items(recipient)).unwrap_or_default();
    fields.finish(report);
    Some(SecretsPolicy { recipients })
}

fn acknowledgement(
    node: &Node<'_>,
    report: &mut Report,
    halves: &mut Vec<(Option<String>, Option<String>)>,
) -> Option<Acknowledgement> {
    let mut fields = Fields::of(node, report)?;
    let code = fields.required("code", report, |node, report| {
        let is_code = |text: &str| Code::ALL.iter().any(|code| code.number() == text);
        let help = "a code is BND and four digits, as a finding shows it";
        let text = text_that(node, report, is_code, help)?;
        if is_code(text) {
            return Some(text.to_owned());
        }
        let message = format!("{} is no finding code", shown(text));
        report.fault(Code::BadCodeListValue, node.span, message, Some(help.to_owned()));
        None
    });
    let object = fields.required("object", report, text);
    let reason = fields.required("reason", report, value);
    let expires = fields.required("expires", report, value);
    fields.finish(report);
    if code.is_some() != object.is_some() {
        halves.push((code, object));
        return None;
    }
    let (code, object) = (code?, object?);
    let Some((reason, expires)) = reason.zip(expires) else {
        // The entry is the fault, and not the warning it is about.
        return Some(Acknowledgement { code, object, reason: UNREAD.parse().ok()?, expires: Day::LAST });
    };
    Some(Acknowledgement { code, object, reason, expires })
}

fn text(node: &Node<'_>, report: &mut Report) -> Option<String> {
    text_of(node, report).map(str::to_owned)
}
