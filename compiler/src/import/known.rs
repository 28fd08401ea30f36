//! From what a column is called to what it means. People write one name in many ways: in any case, with dots, dashes or
//! brackets, with its unit or what it is part of, and they abbreviate. Names are told apart by their words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bindery_schema::value::Currency;

use super::names::{Field, NAMES};
use crate::slug::{letters, plain};

/// Bytes of the longest name; what is longer is a text.
const LONGEST: usize = 120;
/// Signs that mean one currency in the header of a cost column. A bare `$` is many countries', and most often this one's.
const SIGNS: [(&str, &str); 5] = [("US$", " USD "), ("$", " USD "), ("€", " EUR "), ("£", " GBP "), ("₹", " INR ")];
/// Standards that say how a column is written, and nothing about what it is.
const STANDARDS: [&str; 5] = ["iso 3166-1", "3166-1", "alpha-2", "e.164", "e.212"];
/// Words that say nothing about what a column is.
const FILLERS: [&str; 7] = ["pro", "je", "per", "optional", "pflicht", "pflichtfeld", "required"];
/// Words that are written in several ways.
const SAME: [(&str, &str); 8] = [
    ("sek", "s"),
    ("sekunde", "s"),
    ("sec", "s"),
    ("second", "s"),
    ("maximum", "max"),
    ("maximal", "max"),
    ("maximale", "max"),
    ("maximaler", "max"),
];

/// What a column is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) field: Field,
    /// What a cost column is in.
    pub(super) currency: Option<Currency>,
}

/// The field of a name. A cost column may name its currency.
pub(super) fn known(name: &str) -> Option<Target> {
    if name.len() > LONGEST {
        return None;
    }
    let name = SIGNS.iter().fold(name.to_owned(), |name, (sign, code)| name.replace(sign, code));
    let mut words = words_of(&name);
    if let Some(field) = field(&words) {
        return Some(Target { field, currency: None });
    }
    let currency = take_currency(&mut words)?;
    (field(&words) == Some(Field::Cost)).then_some(Target { field: Field::Cost, currency: Some(currency) })
}

/// The field that is called so, or so without words that go without saying. None where that could be two.
fn field(words: &[String]) -> Option<Field> {
    static KNOWN: LazyLock<BTreeMap<String, Field>> = LazyLock::new(|| {
        let of = |(field, key, names): &(Field, &str, &[&str])| {
            let field = *field;
            names.iter().chain([key]).map(|name| (joined(&words_of(name)), field)).collect::<Vec<_>>()
        };
        NAMES.iter().flat_map(of).collect()
    });
    let named = |words: &[String]| KNOWN.get(&joined(words)).copied();
    let mut briefly = NAMES.iter().map(|(field, ..)| *field).filter(|field| {
        let says = |word: &&String| !field.goes_without_saying().contains(&word.as_str());
        named(&words.iter().filter(says).cloned().collect::<Vec<_>>()) == Some(*field)
    });
    named(words).or_else(|| briefly.next().filter(|_| briefly.next().is_none()))
}

/// Takes the currency out of a name: a word of its own, or how the last one ends.
fn take_currency(words: &mut Vec<String>) -> Option<Currency> {
    let code = |word: &str| if word == "euro" { "EUR" } else { word }.to_ascii_uppercase().parse::<Currency>().ok();
    let found = words.iter().enumerate().rev().find_map(|(at, word)| Some((at, code(word)?)));
    let currency = if let Some((at, currency)) = found {
        words.remove(at);
        currency
    } else {
        let last = words.last_mut()?;
        let (head, tail) = last.split_at_checked(last.len().checked_sub(3)?)?;
        let currency = code(tail)?;
        *last = head.to_owned();
        currency
    };
    words.retain(|word| word != "in");
    Some(currency)
}

/// Whether a name that means no field is one of costs: with a word for them, or a currency alone.
pub(super) fn names_cost(name: &str) -> bool {
    const WORDS: [&str; 6] = ["cost", "costs", "kosten", "preis", "price", "tarif"];
    let words = words_of(name);
    let alone = |word: &String| take_currency(&mut vec![word.clone()]).is_some_and(|_| word.len() == 3);
    words.iter().any(|word| WORDS.contains(&&**word)) || matches!(&words[..], [word] if word == "euro" || alone(word))
}

/// The words of a name that say something, without case and accents.
fn words_of(name: &str) -> Vec<String> {
    let name = STANDARDS.iter().fold(name.to_lowercase(), |name, standard| name.replace(standard, " "));
    let words = name.split(|c: char| !c.is_alphanumeric()).map(letters);
    let usual = |word: String| match word.strip_suffix("nr") {
        Some(head) => format!("{head}nummer"),
        None => SAME.iter().find(|(other, _)| *other == word).map_or(word, |(_, usual)| (*usual).to_owned()),
    };
    words.filter(|word| !word.is_empty() && !FILLERS.contains(&word.as_str())).map(usual).collect()
}

/// Where one word ends and the next begins does not count: `Port-Nummer` is `Portnummer`.
fn joined(words: &[String]) -> String {
    plain(&words.concat())
}

#[cfg(test)]
mod tests {
    use super::Field::*;
    use super::*;

    #[test]
    fn no_name_means_two_fields() {
        let mut seen: BTreeMap<String, Field> = BTreeMap::new();
        for (field, key, names) in NAMES {
            for name in names.iter().chain([key]) {
                let before = seen.insert(joined(&words_of(name)), *field);
                assert!(before.is_none_or(|before| before == *field), "{name}");
            }
        }
    }

    #[test]
    fn headers_match_in_any_spelling() {
        for (field, headers) in [
            (OperatorId, &["operator_id", " ANBIETER-ID ", "Operator-Nr.", "Betreibernummer", "operatorId *"][..]),
            (MnoName, &["Netzbetreibername", "Name (MNO)", "Name MNO", "Mobilfunknetzbetreiber", "MNO", "Carrier*"]),
            (
                Country,
                &["Land (ISO)", "ISO-Code", "Länderkennzeichen", "Ländercode [ISO]", "Country (ISO 3166-1 alpha-2)"],
            ),
            (MccMnc, &["MCC/MNC", "MCC+MNC", "Netzkennzahl (MCC-MNC)", "PLMN (E.212)"]),
            (
                Host,
                &[
                    "IP-Adresse",
                    "IP address",
                    "SMSC address",
                    "SMSC-Adresse",
                    "Host/IP",
                    "Server (SMPP)",
                    "SMPP-Hostname",
                    "IP / Host",
                ],
            ),
            (Port, &["Portnr.", "Port (TCP)", "SMPP-Port-Nr", "TCP Port Number", "Port*"]),
            (SystemId, &["SMPP-Benutzer", "Benutzer-ID", "SMPP-System-ID", "Login-Name", "User ID", "Bind-Benutzer"]),
            (Password, &["SMPP-Kennwort", "Passwort:", "PW", "Bind Password", "System-Passwort", "Kennwort (SMPP)"]),
            (SystemType, &["SMPP-Typ", "System-Typ"]),
            (BindMode, &["SMPP-Modus", "Bindtyp", "Bind Mode (TX/RX/TRX)"]),
            (Window, &["Fenstergrösse", "Window-Größe", "Fenster (max.)"]),
            (
                MaxTps,
                &[
                    "Durchsatz (TPS)",
                    "Max. Nachrichten/s",
                    "Max. Durchsatz (TPS)",
                    "Nachrichten je Sekunde",
                    "SMS/s",
                    "Maximale SMS pro Sek.",
                    "Messages per second",
                    "TPS maximal",
                    "Maximale TPS",
                    "TPS (max.)",
                ],
            ),
            (
                Prefixes,
                &["Praefixe", "Präfixe", "Rufnummernpräfix", "Rufnummernbereiche", "Prefixes (E.164)", "Zielvorwahlen"],
            ),
            (Weight, &["Gewicht (%)", "Gewichtung (optional)"]),
            (
                Cost,
                &[
                    "Kosten USD",
                    "Preis in EUR",
                    "Cost (USD)",
                    "Cost AED",
                    "Kosten (€)",
                    "Kosten pro Nachricht",
                    "Preis/SMS",
                    "Kosten/SMS [USD]",
                    "USD-Kosten",
                    "SMS-Preis in €",
                    "Stückpreis USD",
                    "Kosten je Nachricht USD",
                ],
            ),
            (ContractRef, &["Vertrag Nr", "Vertrags-Nr.", "Vertragsnr.", "Contract No."]),
            (NocContact, &["Kontakt (NOC)", "Ansprechpartner NOC", "NOC-E-Mail"]),
        ] {
            for header in headers {
                assert_eq!(known(header).map(|target| target.field), Some(field), "{header}");
            }
        }
        let currency = |header: &str| known(header).and_then(|target| target.currency).map(|code| code.to_string());
        let headers = ["Kosten in €", "Price (US$)", "costGBP", "USD-Kosten", "Preis/SMS (EUR)", "Kosten"];
        assert_eq!(headers.map(currency).map(Option::unwrap_or_default), ["EUR", "USD", "GBP", "USD", "EUR", ""]);
    }

    #[test]
    fn what_could_be_something_else_is_not_known() {
        for header in [
            "",
            "-",
            "SMPP",
            "SMPP ID",
            "MNO ID",
            "SMPP Name",
            "NOC Name",
            "MNC",
            "Host 2",
            "Port (TLS)",
            "Host (Backup)",
            "Max",
            "SMS",
            "EUR",
            "Verkaufspreis",
            "Kosten pro Monat",
            "Farbe",
            "TPS (inbound)",
            "Passwort 2",
        ] {
            assert!(known(header).is_none(), "{header}: {:?}", known(header));
        }
        assert!(known(&"Port ".repeat(40)).is_none());
    }
}
