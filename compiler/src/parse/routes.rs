//! Kind `Routes`.

use bindery_schema::routes::{DEFAULT_PRIORITY, DEFAULT_WEIGHT, Rule};
use bindery_schema::value::Cost;

use super::Body;
use super::decode::{Fields, Report, boolean, list, value, whole};
use super::yaml::Node;

pub(super) fn decode(fields: &mut Fields<'_, '_>, report: &mut Report) -> Body {
    let operator = fields.required("metadata", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        let operator = fields.required("operator", report, value);
        fields.finish(report);
        operator
    });
    let rules = fields.required("spec", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        let rules = fields.required("rules", report, |node, report| list(node, report, rule));
        fields.finish(report);
        rules
    });
    Body::Routes { operator, rules: rules.unwrap_or_default().into() }
}

fn rule(node: &Node<'_>, report: &mut Report) -> Option<Rule> {
    let mut fields = Fields::of(node, report)?;
    let prefix = fields.required("prefix", report, value);
    let priority = fields.optional("priority", report, whole(0, u16::MAX));
    let weight = fields.optional("weight", report, whole(0, u16::MAX));
    let cost = fields.optional("cost", report, cost);
    let active = fields.optional("active", report, boolean);
    let narrows = fields.optional("narrows", report, value);
    let split = fields.optional("split", report, value);
    fields.finish(report);
    Some(Rule {
        prefix: prefix?,
        priority: priority.unwrap_or(DEFAULT_PRIORITY),
        weight: weight.unwrap_or(DEFAULT_WEIGHT),
        cost,
        active: active.unwrap_or(true),
        narrows,
        split,
    })
}

/// A price, here and in fines.
pub(super) fn cost(node: &Node<'_>, report: &mut Report) -> Option<Cost> {
    let mut fields = Fields::of(node, report)?;
    let amount = fields.required("amount", report, value);
    let currency = fields.required("currency", report, value);
    fields.finish(report);
    Some(Cost { amount: amount?, currency: currency? })
}
