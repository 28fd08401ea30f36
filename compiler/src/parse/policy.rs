//! Kind `Policy`.

use bindery_schema::policy::{
    Acknowledgement, Guardrails, Nesting, PolicySpec, RoutingPolicy, SecretsPolicy, Threshold, TpsPolicy,
};

use super::Body;
use super::decode::{Fields, Report, items, text_of, value, whole, word};
use super::yaml::Node;
use crate::diagnostic::Code;

const NESTING: &[(&str, Nesting)] =
    &[("allow", Nesting::Allow), ("declared", Nesting::Declared), ("deny", Nesting::Deny)];

pub(super) fn decode(fields: &mut Fields<'_, '_>, report: &mut Report) -> Body {
    let spec = fields.required("spec", report, spec);
    Body::Policy(Box::new(spec.unwrap_or_default()))
}

fn spec(node: &Node<'_>, report: &mut Report) -> Option<PolicySpec> {
    let mut fields = Fields::of(node, report)?;
    let policy = PolicySpec {
        routing: fields.optional("routing", report, routing).unwrap_or_default(),
        guardrails: fields.optional("guardrails", report, guardrails).unwrap_or_default(),
        tps: fields.optional("tps", report, tps).unwrap_or_default(),
        secrets: fields.optional("secrets", report, secrets).unwrap_or_default(),
        acknowledge: fields.optional("acknowledge", report, items(acknowledgement)).unwrap_or_default(),
    };
    fields.finish(report);
    Some(policy)
}

fn routing(node: &Node<'_>, report: &mut Report) -> Option<RoutingPolicy> {
    let mut fields = Fields::of(node, report)?;
    let usual = RoutingPolicy::default();
    // A word that cannot be read allows: the wrong word is the fault, and no rule is measured by a guess.
    let mut nesting = |name, usual, report: &mut Report| match fields.node(name) {
        Some(node) => word(NESTING)(node, report).unwrap_or(Nesting::Allow),
        None => usual,
    };
    let policy = RoutingPolicy {
        same_operator_nesting: nesting("sameOperatorNesting", usual.same_operator_nesting, report),
        cross_operator_nesting: nesting("crossOperatorNesting", usual.cross_operator_nesting, report),
    };
    fields.finish(report);
    Some(policy)
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
    let percent = match fields.node("minOnDemandPoolPercent") {
        // As with nesting: what cannot be read measures nothing.
        Some(node) => whole(0, 100)(node, report).unwrap_or(0),
        None => TpsPolicy::default().min_on_demand_pool_percent,
    };
    fields.finish(report);
    Some(TpsPolicy { min_on_demand_pool_percent: percent })
}

fn secrets(node: &Node<'_>, report: &mut Report) -> Option<SecretsPolicy> {
    let mut fields = Fields::of(node, report)?;
    let recipient = |node: &Node<'_>, report: &mut Report| {
        let text = text_of(node, report)?;
        if let Err(error) = crate::seal::check_recipient(text) {
            let help = "a recipient is an age public key, `age1` and 58 more characters".to_owned();
            report.fault(
                Code::OutOfRange,
                node.span,
                format!("the recipient is no age public key: {error}"),
                Some(help),
            );
            return None;
        }
        Some(text.to_owned())
    };
    let recipients = fields.optional("recipients", report, items(recipient)).unwrap_or_default();
    fields.finish(report);
    Some(SecretsPolicy { recipients })
}

fn acknowledgement(node: &Node<'_>, report: &mut Report) -> Option<Acknowledgement> {
    let mut fields = Fields::of(node, report)?;
    let code = fields.required("code", report, |node, report| {
        let text = text_of(node, report)?;
        if Code::ALL.iter().any(|code| code.number() == text) {
            return Some(text.to_owned());
        }
        let help = "a code is BND and four digits, as a finding shows it".to_owned();
        report.fault(Code::BadCodeListValue, node.span, format!("`{text}` is no finding code"), Some(help));
        None
    });
    let object = fields.required("object", report, text);
    let reason = fields.required("reason", report, value);
    let expires = fields.required("expires", report, value);
    fields.finish(report);
    Some(Acknowledgement { code: code?, object: object?, reason: reason?, expires: expires? })
}

fn text(node: &Node<'_>, report: &mut Report) -> Option<String> {
    text_of(node, report).map(str::to_owned)
}
