//! Kind `Routes`.

use std::collections::BTreeMap;

use bindery_schema::routes::{DEFAULT_PRIORITY, DEFAULT_WEIGHT, Rule};
use bindery_schema::value::Cost;

use super::decode::{Fields, Report, boolean, list, value, whole};
use super::yaml::Node;
use super::{Body, Doubt, Lost, Rules};

pub(super) fn decode(fields: &mut Fields<'_, '_>, report: &mut Report) -> Body {
    let operator = fields.required("metadata", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        let operator = fields.required("operator", report, value);
        fields.finish(report);
        operator
    });
    let (mut doubts, mut lost) = (BTreeMap::new(), Lost::default());
    let rules = fields.required("spec", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        let mut place = 0..;
        let rules = fields.required("rules", report, |node, report| {
            list(node, report, |node, report| {
                let place = place.next()?;
                let (rule, doubt) = rule(node, report, &mut lost)?;
                if doubt != Doubt::default() {
                    doubts.insert(place, doubt);
                }
                Some(rule)
            })
        });
        fields.finish(report);
        rules
    });
    if rules.is_none() {
        lost = Lost::Anything;
    }
    Body::Routes { operator, rules: Rules::of(rules.unwrap_or_default(), doubts, lost) }
}

/// A rule. One without a prefix is lost.
fn rule(node: &Node<'_>, report: &mut Report, lost: &mut Lost) -> Option<(Rule, Doubt)> {
    let Some(mut fields) = Fields::of(node, report) else {
        lost.add(None, true);
        return None;
    };
    let prefix = fields.required("prefix", report, value);
    let priority = fields.optional("priority", report, whole(0, u16::MAX));
    let weight = fields.optional("weight", report, whole(0, u16::MAX));
    let cost = fields.optional("cost", report, cost);
    let active = fields.optional("active", report, boolean);
    let narrows = fields.optional("narrows", report, value);
    let split = fields.optional("split", report, value);
    let unread = fields.finish(report);
    let doubt = Doubt {
        share: ["priority", "weight", "split"].iter().any(|name| unread.has(name)),
        active: unread.has("active"),
        narrows: unread.has("narrows"),
    };
    let Some(prefix) = prefix else {
        lost.add(split, unread.has("split"));
        return None;
    };
    let rule = Rule {
        prefix,
        priority: priority.unwrap_or(DEFAULT_PRIORITY),
        weight: weight.unwrap_or(DEFAULT_WEIGHT),
        cost,
        active: unread.or("active", false, active.unwrap_or(true)),
        narrows,
        split,
    };
    Some((rule, doubt))
}

/// A price, here and in fines.
pub(super) fn cost(node: &Node<'_>, report: &mut Report) -> Option<Cost> {
    let mut fields = Fields::of(node, report)?;
    let amount = fields.required("amount", report, value);
    let currency = fields.required("currency", report, value);
    fields.finish(report);
    Some(Cost { amount: amount?, currency: currency? })
}
