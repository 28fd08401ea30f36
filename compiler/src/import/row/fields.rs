//! The fields of a row that take more than their type says: each read in the spellings people use.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bindery_schema::mno::Contact;
use bindery_schema::operator::BindMode;
use bindery_schema::routes::{DEFAULT_PRIORITY, DEFAULT_WEIGHT, Rule};
use bindery_schema::secret::Secret;
use bindery_schema::value::{Amount, Cost, Country, E164Prefix, Host, MccMnc, shown};

use super::super::names::Field;
use super::super::{cell, contact, country, prefixes};
use super::Row;
use crate::diagnostic::Code;
use crate::seal::LONGEST_PASSWORD;
use crate::slug::plain;

impl Row<'_> {
    pub(super) fn country(&mut self) -> Option<Country> {
        let text = self.required(Field::Country)?;
        let country = self.keep(Field::Country, country::read(text))?;
        if country.as_str() != text {
            self.change(Field::Country, text, country, "ISO 3166-1 alpha-2");
        }
        Some(country)
    }

    pub(super) fn mccmnc(&mut self) -> Option<Vec<MccMnc>> {
        let Some(text) = self.text(Field::MccMnc) else { return Some(Vec::new()) };
        let (mut codes, mut seen) = (Vec::new(), BTreeSet::new());
        for piece in text.split(['|', ';', ',', '\n']).map(str::trim).filter(|piece| !piece.is_empty()) {
            let code: MccMnc = self.parse(Field::MccMnc, &cell::mcc_mnc(piece))?;
            let usual = piece == code.as_str() || piece.split('-').map(str::len).eq([3, code.as_str().len() - 3]);
            if !usual {
                self.change(Field::MccMnc, piece, &code, "digits alone");
            }
            if seen.insert(code.clone()) {
                codes.push(code);
            }
        }
        Some(codes)
    }

    pub(super) fn host(&mut self) -> Option<Host> {
        let text = self.required(Field::Host)?;
        let host: Host = self.parse(Field::Host, text)?;
        if cell::is_link_local(host.as_str()) {
            let message = format!("`{host}` is link-local; no carrier can be reached there");
            self.misfit(Field::Host, Code::BadHost, &message, "");
            return None;
        }
        if host.as_str() != text {
            let is_address = host.as_str().parse::<IpAddr>().is_ok();
            let why = if is_address { "the address in its usual form" } else { "lower case, without trailing dot" };
            self.change(Field::Host, text, &host, why);
        }
        Some(host)
    }

    pub(super) fn bind_mode(&mut self) -> Option<BindMode> {
        let text = self.required(Field::BindMode)?;
        let (mode, short) = match plain(text).trim_start_matches("bind") {
            "trx" | "txrx" | "rxtx" | "transceiver" | "sendeempfanger" | "senderempfanger" | "sendenundempfangen"
            | "sendenempfangen" => (BindMode::Transceiver, "TRX"),
            "tx" | "transmitter" | "sender" | "senden" => (BindMode::Transmitter, "TX"),
            "rx" | "receiver" | "empfanger" | "empfangen" | "empfang" => (BindMode::Receiver, "RX"),
            _ => {
                let message = format!("{} is no bind mode; write TX, RX or TRX", shown(text));
                self.misfit(Field::BindMode, Code::BadCodeListValue, &message, "");
                return None;
            }
        };
        if text != short {
            self.change(Field::BindMode, text, short, "short name");
        }
        Some(mode)
    }

    /// The password. Nothing of it goes into a reason or a change.
    pub(super) fn password(&mut self) -> Option<Secret> {
        self.reading.columns.column(Field::Password)?;
        let text = self.required(Field::Password)?;
        let octets = text.len();
        if octets > LONGEST_PASSWORD && !self.reading.allow_long_passwords {
            let message = format!("the password has {octets} octets, SMPP 3.4 allows {LONGEST_PASSWORD}");
            self.misfit(Field::Password, Code::LongPasswordLimit, &message, "");
            return None;
        }
        if !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            self.misfit(
                Field::Password,
                Code::OutOfRange,
                "the password has characters that are not printable ASCII",
                "",
            );
            return None;
        }
        Some(Secret::new(text))
    }

    pub(super) fn contact(&mut self) -> Option<Contact> {
        let text = self.text(Field::NocContact)?;
        self.keep(Field::NocContact, contact::read(text))
    }

    pub(super) fn rules(&mut self, bind_mode: Option<BindMode>) -> Option<Vec<Rule>> {
        let whole = (0, u16::MAX.into());
        let priority = self.number_or(Field::Priority, whole, DEFAULT_PRIORITY, "no priority: the usual one");
        let weight = self.number_or(Field::Weight, whole, DEFAULT_WEIGHT, "no weight: the usual one");
        let cost = self.cost();
        // A receiver takes no traffic to any destination.
        let prefixes = match bind_mode {
            Some(BindMode::Receiver) => self.text(Field::Prefixes),
            _ => self.required(Field::Prefixes),
        };
        let prefixes = prefixes.map(|text| self.prefixes(text));
        let prefixes = if let Some(prefixes) = prefixes { prefixes? } else { Vec::new() };
        let (priority, weight) = (priority?, weight?);
        let rule = |prefix, narrows| Rule { prefix, priority, weight, cost, active: true, narrows, split: None };
        let mut rules = Vec::with_capacity(prefixes.len());
        // Sorted, each prefix stands behind those that contain it.
        let mut above: Vec<E164Prefix> = Vec::new();
        for prefix in prefixes {
            while above.last().is_some_and(|broader| !broader.contains(prefix)) {
                above.pop();
            }
            let narrows = above.last().copied();
            if let Some(broader) = narrows {
                self.change(
                    Field::Prefixes,
                    &prefix.to_string(),
                    format!("narrows {broader}"),
                    "it lies inside another",
                );
            }
            above.push(prefix);
            rules.push(rule(prefix, narrows));
        }
        Some(rules)
    }

    /// Prefixes in order, each once.
    fn prefixes(&mut self, text: &str) -> Option<Vec<E164Prefix>> {
        let read = match prefixes::read(text) {
            Ok(read) => read,
            Err(errors) => {
                for error in errors {
                    self.error(Field::Prefixes, error);
                }
                return None;
            }
        };
        if read.is_empty() {
            self.misfit(Field::Prefixes, Code::MissingField, "the cell holds no prefix", "");
            return None;
        }
        if !prefixes::is_plain(text) {
            let list = read.iter().map(|prefix| prefix.digits()).collect::<Vec<_>>().join("|");
            self.change(Field::Prefixes, text, list, "digits separated by |");
        }
        let mut prefixes = read.clone();
        prefixes.sort_unstable();
        prefixes.dedup();
        if prefixes.len() < read.len() {
            let list = prefixes.iter().map(|prefix| prefix.digits()).collect::<Vec<_>>().join("|");
            self.change(Field::Prefixes, text, list, "each prefix once");
        }
        Some(prefixes)
    }

    fn cost(&mut self) -> Option<Cost> {
        let currency = self.reading.columns.currency?;
        let text = self.text(Field::Cost)?;
        let (amount, departs) = self.reading.decimal.amount(text);
        let plain = amount.strip_prefix('+').unwrap_or(&amount);
        let Ok(amount) = plain.parse::<Amount>() else {
            let message = format!("{} is no amount of at least 0 with at most six places", shown(text));
            self.misfit(Field::Cost, Code::OutOfRange, &message, "");
            return None;
        };
        if departs || text.starts_with('+') {
            self.change(Field::Cost, text, plain, "decimal point, no thousands separators");
        }
        Some(Cost { amount, currency })
    }
}
