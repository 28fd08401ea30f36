//! The YAML documents of an import, in the order and quoting of the repository's own files.

use std::fmt::Display;

use bindery_schema::contract::Contract;
use bindery_schema::mno::{Contact, MnoSpec};
use bindery_schema::operator::BindMode;
use bindery_schema::value::{MnoId, OperatorId};

use super::accept::Admitted;
use crate::format::needs_quotes;

/// Where a carrier's document goes.
pub(super) fn mno_path(mno: &MnoId) -> String {
    format!("operators/{mno}/mno.yaml")
}

/// Where an operator's two documents go.
pub(super) fn paths(mno: &MnoId, operator: &OperatorId) -> [String; 2] {
    // Only one operator can be called as the carrier's file is.
    let stem = if operator.as_str() == "mno" { "mno-operator" } else { operator.as_str() };
    [format!("operators/{mno}/{stem}.yaml"), format!("operators/{mno}/{stem}.routes.yaml")]
}

/// Where a carrier's contracts go.
pub(super) fn contract_path(mno: &MnoId) -> String {
    format!("contracts/{mno}.yaml")
}

fn head(up: &str, kind: &str) -> String {
    format!("# yaml-language-server: $schema={up}schema/json/{kind}.json\napiVersion: bindery/v1\nkind: {kind}\n")
}

/// The carrier.
pub(super) fn mno(id: &MnoId, spec: &MnoSpec) -> String {
    let mut text = head("../../", "Mno");
    text += &format!("metadata:\n  id: {}\nspec:\n  name: {}\n", scalar(id), scalar(&spec.name));
    text += &format!("  country: {}\n", spec.country);
    if !spec.mccmnc.is_empty() {
        text += "  mccmnc:\n";
        spec.mccmnc.iter().for_each(|code| text += &format!("    - {}\n", quoted(code)));
    }
    text += "  contacts:\n    t1:\n";
    spec.contacts.t1.iter().for_each(|contact| text += &self::contact(contact));
    text
}

fn contact(contact: &Contact) -> String {
    let mut text = format!("      - name: {}\n", scalar(&contact.name));
    if let Some(email) = &contact.email {
        text += &format!("        email: {}\n", scalar(email));
    }
    if let Some(phone) = &contact.phone {
        text += &format!("        phone: {}\n", scalar(phone));
    }
    text
}

/// The comment that notes become, line by line.
pub(super) fn notes(notes: &str) -> impl Iterator<Item = String> {
    let lines = notes.split(|c: char| c.is_control()).map(str::trim).filter(|line| !line.is_empty());
    let shown = |c: &char| !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    lines.map(move |line| format!("# {}\n", line.chars().filter(shown).collect::<String>()))
}

/// The operator, without its password.
pub(super) fn operator(row: &Admitted) -> String {
    let (candidate, smpp) = (&row.candidate, &row.candidate.smpp);
    let notes_text: String = notes(candidate.notes.as_deref().unwrap_or_default()).collect();
    // Behind the first line, which is the editor's.
    let mut text = head("../../", "Operator").replacen('\n', &format!("\n{notes_text}"), 1);
    text += &format!("metadata:\n  id: {}\n  mno: {}\n", scalar(&candidate.id), scalar(&row.mno));
    text += &format!("spec:\n  displayName: {}\n  status: ACTIVE\n", scalar(display_name(row)));
    text += &format!("  smpp:\n    host: {}\n    port: {}\n", scalar(&smpp.host), smpp.port);
    text += &format!("    systemId: {}\n", scalar(&smpp.system_id));
    if let Some(system_type) = &smpp.system_type {
        text += &format!("    systemType: {}\n", scalar(system_type));
    }
    let mode = match smpp.bind_mode {
        BindMode::Transceiver => "TRANSCEIVER",
        BindMode::Transmitter => "TRANSMITTER",
        BindMode::Receiver => "RECEIVER",
    };
    text += &format!("    bindMode: {mode}\n    interfaceVersion: \"3.4\"\n    windowSize: {}\n", smpp.window_size);
    text += "  tps:\n";
    for (direction, rate) in [("outbound", candidate.tps.outbound), ("inbound", candidate.tps.inbound)] {
        if rate > 0 {
            text += &format!("    {direction}: {rate}\n");
        }
    }
    text
}

/// The carrier's name and the operator's id, or the id alone where both are too long.
fn display_name(row: &Admitted) -> String {
    let (name, id) = (&row.candidate.mno_name, &row.candidate.id);
    let both = format!("{name} ({id})");
    if both.parse::<bindery_schema::value::Name>().is_ok() { both } else { id.to_string() }
}

/// The rules of an operator; none where it has none.
pub(super) fn routes(row: &Admitted) -> Option<String> {
    let rules = Some(&row.candidate.rules).filter(|rules| !rules.is_empty())?;
    let mut text = head("../../", "Routes");
    text += &format!("metadata:\n  operator: {}\nspec:\n  rules:\n", scalar(&row.candidate.id));
    for rule in rules {
        text += &format!("    - prefix: {}\n", quoted(rule.prefix));
        text += &format!("      priority: {}\n      weight: {}\n", rule.priority, rule.weight);
        if let Some(cost) = &rule.cost {
            text += &format!("      cost:\n        amount: {}\n", quoted(cost.amount));
            text += &format!("        currency: {}\n", cost.currency.as_str());
        }
        if let Some(narrows) = rule.narrows {
            text += &format!("      narrows: {}\n", quoted(narrows));
        }
    }
    Some(text)
}

/// A carrier's contracts.
pub(super) fn contracts(mno: &MnoId, contracts: &[Contract]) -> String {
    let mut text = head("../", "TpsContract");
    text += &format!("metadata:\n  mno: {}\nspec:\n  contracts:\n", scalar(mno));
    for contract in contracts {
        text += &format!("    - ref: {}\n      direction: {}\n", scalar(&contract.reference), contract.direction);
        text += &format!("      contractedTps: {}\n", contract.contracted_tps);
        text += &format!("      effectiveFrom: {}\n", quoted(contract.effective_from));
        text += &format!("      document: {}\n", scalar(&contract.document));
    }
    text
}

/// A text in the form `bindery fmt` gives it: without quotes where every reader of YAML, old ones included, takes it for
/// that text.
fn scalar(text: impl Display) -> String {
    let text = text.to_string();
    if needs_quotes(&text, false) { quoted(text) } else { text }
}

/// A text in double quotes. JSON's escapes are YAML's too.
fn quoted(text: impl Display) -> String {
    serde_json::Value::String(text.to_string()).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parse::to_json;

    proptest! {
        #[test]
        fn every_text_comes_back(text in "[ -~äß:#'\"\\\\\u{a0}-]{1,12}") {
            prop_assert_eq!(to_json(&format!("{}\n", scalar(&text))), vec![serde_json::json!(text)]);
            prop_assert_eq!(to_json(&format!("a: {}\n", scalar(&text))), vec![serde_json::json!({"a": text})]);
        }
    }

    #[test]
    fn quotes_only_what_needs_them() {
        for text in ["af-roshan", "Alpha Mobile", "s3://contracts/x.pdf", "noc@x.example", "Ärger"] {
            assert_eq!(scalar(text), text);
        }
        for text in ["no", "9379", "a: b", "a #b", "", "2001:db8::71", "x ", "+93", "a:"] {
            assert!(scalar(text).starts_with('"'), "{text}");
        }
    }
}
