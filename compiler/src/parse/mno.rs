//! Kind `Mno`.

use std::sync::Arc;

use bindery_schema::mno::{ChangeWindow, Contact, Contacts, IpAllowlist, MnoSpec, ResponseMinutes, Sla};
use bindery_schema::value::Weekday;

use super::Body;
use super::decode::{Fields, Report, items, number, text_of, value, whole, word};
use super::yaml::{Node, Value};

const DAYS: &[(&str, Weekday)] = &[
    ("MON", Weekday::Mon),
    ("TUE", Weekday::Tue),
    ("WED", Weekday::Wed),
    ("THU", Weekday::Thu),
    ("FRI", Weekday::Fri),
    ("SAT", Weekday::Sat),
    ("SUN", Weekday::Sun),
];

pub(super) fn decode(fields: &mut Fields<'_, '_>, report: &mut Report) -> Body {
    let id = fields.required("metadata", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        let id = fields.required("id", report, value);
        fields.finish(report);
        id
    });
    let mut missing_tiers = Vec::new();
    let spec = fields.required("spec", report, |node, report| spec(node, report, &mut missing_tiers));
    Body::Mno { id, spec: spec.map(Arc::new), missing_tiers }
}

fn spec(node: &Node<'_>, report: &mut Report, missing_tiers: &mut Vec<&'static str>) -> Option<MnoSpec> {
    let mut fields = Fields::of(node, report)?;
    let name = fields.required("name", report, value);
    let country = fields.required("country", report, value);
    let mccmnc = fields.optional("mccmnc", report, items(value));
    let contacts = fields.required("contacts", report, |node, report| contacts(node, report, missing_tiers));
    let sla = fields.optional("sla", report, sla);
    let change_windows = fields.optional("changeWindows", report, items(change_window));
    let ip_allowlist = fields.optional("ipAllowlist", report, ip_allowlist);
    let notes = fields.optional("notes", report, |node, report| text_of(node, report).map(str::to_owned));
    fields.finish(report);
    Some(MnoSpec {
        name: name?,
        country: country?,
        mccmnc: mccmnc.unwrap_or_default(),
        contacts: contacts?,
        sla,
        change_windows: change_windows.unwrap_or_default(),
        ip_allowlist,
        notes,
    })
}

fn contacts(node: &Node<'_>, report: &mut Report, missing_tiers: &mut Vec<&'static str>) -> Option<Contacts> {
    let mut fields = Fields::of(node, report)?;
    let mut tier = |name: &'static str, fields: &mut Fields<'_, '_>, report: &mut Report| {
        let tier = fields.node(name);
        if tier.is_none_or(|node| matches!(&node.value, Value::Sequence(items) if items.is_empty())) {
            missing_tiers.push(name);
        }
        tier.and_then(|node| items(contact)(node, report))
    };
    let t2 = tier("t2", &mut fields, report);
    let t3 = tier("t3", &mut fields, report);
    let t1 = fields.required("t1", report, |node, report| {
        if matches!(&node.value, Value::Sequence(items) if items.is_empty()) {
            missing_tiers.insert(0, "t1");
        }
        items(contact)(node, report)
    });
    let unread = fields.finish(report);
    missing_tiers.retain(|tier| !unread.has(tier));
    Some(Contacts { t1: t1?, t2: t2.unwrap_or_default(), t3: t3.unwrap_or_default() })
}

fn contact(node: &Node<'_>, report: &mut Report) -> Option<Contact> {
    let mut fields = Fields::of(node, report)?;
    let name = fields.required("name", report, value);
    let role = fields.optional("role", report, value);
    let email = fields.optional("email", report, value);
    let phone = fields.optional("phone", report, value);
    fields.finish(report);
    Some(Contact { name: name?, role, email, phone })
}

fn sla(node: &Node<'_>, report: &mut Report) -> Option<Sla> {
    let mut fields = Fields::of(node, report)?;
    let availability_percent = fields.optional("availabilityPercent", report, number(0.0, 100.0));
    let response_minutes = fields.optional("responseMinutes", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        let [p1, p2, p3] = ["p1", "p2", "p3"].map(|priority| fields.optional(priority, report, whole(1, u32::MAX)));
        fields.finish(report);
        Some(ResponseMinutes { p1, p2, p3 })
    });
    fields.finish(report);
    Some(Sla { availability_percent, response_minutes })
}

fn change_window(node: &Node<'_>, report: &mut Report) -> Option<ChangeWindow> {
    let mut fields = Fields::of(node, report)?;
    let days = fields.required("days", report, items(word(DAYS)));
    let from = fields.required("from", report, value);
    let to = fields.required("to", report, value);
    let timezone = fields.required("timezone", report, value);
    fields.finish(report);
    Some(ChangeWindow { days: days?, from: from?, to: to?, timezone: timezone? })
}

fn ip_allowlist(node: &Node<'_>, report: &mut Report) -> Option<IpAllowlist> {
    let mut fields = Fields::of(node, report)?;
    let ours = fields.optional("ours", report, items(value)).unwrap_or_default();
    let theirs = fields.optional("theirs", report, items(value)).unwrap_or_default();
    fields.finish(report);
    Some(IpAllowlist { ours, theirs })
}
