//! From the cells of one row to an operator, its carrier and its rules, or every reason why not.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use bindery_schema::mno::Contact;
use bindery_schema::operator::{
    BindMode, DEFAULT_ENQUIRE_LINK_SECONDS, DEFAULT_WINDOW_SIZE, InterfaceVersion, Smpp, TpsLimits,
};
use bindery_schema::routes::{DEFAULT_PRIORITY, DEFAULT_WEIGHT, Rule};
use bindery_schema::secret::Secret;
use bindery_schema::value::{
    Amount, ContractRef, Cost, Country, E164Prefix, Host, MccMnc, Name, OperatorId, SystemId, SystemType, Tps,
    ValueError, shown,
};

use super::cell::{self, Decimal};
use super::contact;
use super::header::Columns;
use super::names::Field;
use super::report::{Change, Reason};
use crate::diagnostic::Code;
use crate::parse::is_suspicious;
use crate::seal::LONGEST_PASSWORD;

/// What a row without Max TPS may carry, in messages a second: what the default window of 10 sustains at a second a
/// round trip, so that nothing is promised that a slow carrier cannot keep.
pub const DEFAULT_TPS: Tps = 10;
/// Passwords shorter than this are common words and numbers that stand elsewhere by chance.
const TELLING_PASSWORD: usize = 5;

/// An operator as a row describes it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) id: OperatorId,
    pub(super) mno_name: Name,
    pub(super) country: Country,
    pub(super) mccmnc: Vec<MccMnc>,
    pub(super) smpp: Smpp,
    pub(super) tps: TpsLimits,
    pub(super) rules: Vec<Rule>,
    pub(super) password: Option<Secret>,
    pub(super) contract: Option<ContractRef>,
    pub(super) contact: Option<Contact>,
    pub(super) notes: Option<String>,
}

/// What a row lays claim to, as far as its cells can be read: what clashes is said beside what cannot be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    pub(super) id: Option<OperatorId>,
    pub(super) endpoint: Option<(Host, u16, SystemId)>,
    pub(super) prefixes: Vec<(E164Prefix, u16)>,
}

/// How the cells of a file are to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'f> {
    pub(super) columns: &'f Columns,
    pub(super) decimal: Decimal,
    pub(super) allow_long_passwords: bool,
}

/// What a row says.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) candidate: Option<Candidate>,
    pub(super) claims: Claims,
    pub(super) reasons: Vec<Reason>,
    pub(super) changes: Vec<Change>,
}

/// Reads a row whose cells are as many as the header's.
pub(super) fn read(cells: &[String], reading: Reading<'_>) -> Read {
    let claims = Claims::default();
    let mut row = Row { cells, reading, claims, reasons: Vec::new(), changes: Vec::new(), spoilt: BTreeSet::new() };
    row.formulas();
    let candidate = row.candidate();
    // What is refused for one reason has no candidate for another: a row is taken whole or not at all.
    let candidate = candidate.filter(|_| row.reasons.is_empty());
    Read { candidate, claims: row.claims, reasons: row.reasons, changes: row.changes }
}

struct Row<'r> {
    cells: &'r [String],
    reading: Reading<'r>,
    claims: Claims,
    reasons: Vec<Reason>,
    changes: Vec<Change>,
    /// Columns about which everything has been said.
    spoilt: BTreeSet<usize>,
}

impl<'r> Row<'r> {
    fn refuse(&mut self, field: Field, code: Code, message: impl Display) {
        let message = format!("{}: {message}", self.reading.columns.header(field));
        self.reasons.push(Reason { code, message });
    }

    fn change(&mut self, field: Field, from: &str, to: impl Display, why: &str) {
        let column = self.reading.columns.header(field).to_owned();
        self.changes.push(Change { column, from: short(from), to: short(&to.to_string()), why: why.to_owned() });
    }

    /// Refuses every cell a spreadsheet would run. Its content is not repeated: the report is opened in one too.
    fn formulas(&mut self) {
        for (column, cell) in self.cells.iter().enumerate() {
            if cell::is_formula(cell) {
                let header = self.reading.columns.headers.get(column).map_or("", |header| header.trim());
                let message = format!("{header}: the cell begins as a formula does");
                self.reasons.push(Reason { code: Code::FormulaCell, message });
                self.spoilt.insert(column);
            }
        }
    }

    fn is_spoilt(&self, field: Field) -> bool {
        self.reading.columns.column(field).is_some_and(|column| self.spoilt.contains(&column))
    }

    /// The content of a cell without blanks around it; none where it is empty or spoilt.
    fn text(&mut self, field: Field) -> Option<&'r str> {
        let column = self.reading.columns.column(field).filter(|column| !self.spoilt.contains(column))?;
        let cell = self.cells.get(column)?;
        let text = cell.trim();
        if text.len() != cell.len() && !text.is_empty() {
            let (from, to) = if field == Field::Password { ("", "") } else { (cell.as_str(), text) };
            self.change(field, from, to, "blanks around the value removed");
        }
        Some(text).filter(|text| !text.is_empty())
    }

    fn required(&mut self, field: Field) -> Option<&'r str> {
        let text = self.text(field);
        if text.is_none() && !self.is_spoilt(field) {
            self.refuse(field, Code::MissingField, "the cell is empty");
        }
        text
    }

    /// Takes what a value's own type says about a text.
    fn parse<T>(&mut self, field: Field, text: &str) -> Option<T>
    where
        T: FromStr<Err = ValueError>,
    {
        self.keep(field, text.parse())
    }

    fn keep<T>(&mut self, field: Field, result: Result<T, ValueError>) -> Option<T> {
        result.map_err(|error| self.error(field, error)).ok()
    }

    fn error(&mut self, field: Field, error: ValueError) {
        let code = Code::from(error.problem);
        let help = error.help.map(|help| format!("; {help}")).unwrap_or_default();
        self.refuse(field, code, format!("{}{help}", error.message));
    }

    /// A whole number within limits.
    fn number<T: TryFrom<u64>>(&mut self, field: Field, text: &str, least: u64, most: u64) -> Option<T> {
        let read = cell::whole(text).filter(|(number, _)| (least..=most).contains(number));
        let Some((number, grouped)) = read else {
            let message = format!("{} is no whole number from {least} to {most}", shown(text));
            self.refuse(field, Code::OutOfRange, message);
            return None;
        };
        if grouped {
            self.change(field, text, number, "thousands separators removed");
        }
        T::try_from(number).ok()
    }

    /// A whole number that may be left out.
    fn number_or<T: TryFrom<u64> + Display>(
        &mut self,
        field: Field,
        (least, most): (u64, u64),
        usual: T,
        what: &str,
    ) -> Option<T> {
        match self.text(field) {
            Some(text) => self.number(field, text, least, most),
            None if self.is_spoilt(field) => None,
            None => {
                self.change(field, "", &usual, what);
                Some(usual)
            }
        }
    }

    fn candidate(&mut self) -> Option<Candidate> {
        let id = self.required(Field::OperatorId).and_then(|text| self.parse(Field::OperatorId, text));
        let mno_name = self.required(Field::MnoName).and_then(|text| self.parse(Field::MnoName, text));
        let country = self.country();
        let mccmnc = self.mccmnc();
        let host = self.host();
        let port = self.required(Field::Port).and_then(|text| self.number(Field::Port, text, 1, u16::MAX.into()));
        let system_id: Option<SystemId> =
            self.required(Field::SystemId).and_then(|text| self.parse(Field::SystemId, text));
        let password = self.password();
        let system_type: Option<SystemType> =
            self.text(Field::SystemType).and_then(|text| self.parse(Field::SystemType, text));
        let bind_mode = self.bind_mode();
        let window = (1, u16::MAX.into());
        let window = self.number_or(Field::Window, window, DEFAULT_WINDOW_SIZE, "no window: the usual one");
        let rate = self.number_or(Field::MaxTps, (1, Tps::MAX.into()), DEFAULT_TPS, "no rate: a cautious one");
        let rules = self.rules(bind_mode);
        let contract = self.text(Field::ContractRef).and_then(|text| self.parse(Field::ContractRef, text));
        let noc = self.contact();
        let notes = self.text(Field::Notes).map(str::to_owned);
        if notes.iter().flat_map(|notes| notes.split_whitespace()).any(is_suspicious) {
            self.refuse(Field::Notes, Code::PlaintextSecret, "the cell holds what looks like a token");
        }
        self.repeated_password(password.as_ref());

        self.claims.id.clone_from(&id);
        let address = host.clone().zip(port).zip(system_id.clone());
        self.claims.endpoint = address.map(|((host, port), system_id)| (host, port, system_id));
        self.claims.prefixes = rules.iter().flatten().map(|rule| (rule.prefix, rule.priority)).collect();

        let (bind_mode, rate) = (bind_mode?, rate?);
        let tps = match bind_mode {
            BindMode::Receiver => TpsLimits { outbound: 0, inbound: rate },
            BindMode::Transceiver | BindMode::Transmitter => TpsLimits { outbound: rate, inbound: 0 },
        };
        let smpp = Smpp {
            host: host?,
            port: port?,
            system_id: system_id?,
            system_type,
            bind_mode,
            interface_version: InterfaceVersion::default(),
            tls: false,
            window_size: window?,
            enquire_link_seconds: DEFAULT_ENQUIRE_LINK_SECONDS,
            addr_ton: 0,
            addr_npi: 0,
            address_range: None,
        };
        let (id, mno_name, country, mccmnc, rules) = (id?, mno_name?, country?, mccmnc?, rules?);
        Some(Candidate { id, mno_name, country, mccmnc, smpp, tps, rules, password, contract, contact: noc, notes })
    }

    fn country(&mut self) -> Option<Country> {
        let text = self.required(Field::Country)?;
        let country = self.keep(Field::Country, cell::country(text))?;
        if country.as_str() != text {
            self.change(Field::Country, text, country, "ISO 3166-1 alpha-2");
        }
        Some(country)
    }

    fn mccmnc(&mut self) -> Option<Vec<MccMnc>> {
        let Some(text) = self.text(Field::MccMnc) else { return Some(Vec::new()) };
        let mut codes: Vec<MccMnc> = Vec::new();
        for piece in text.split(['|', ';', ',', '\n']).map(str::trim).filter(|piece| !piece.is_empty()) {
            let code: MccMnc = self.parse(Field::MccMnc, &cell::mcc_mnc(piece))?;
            let usual = piece == code.as_str() || piece.split('-').map(str::len).eq([3, code.as_str().len() - 3]);
            if !usual {
                self.change(Field::MccMnc, piece, &code, "digits alone");
            }
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        Some(codes)
    }

    fn host(&mut self) -> Option<Host> {
        let text = self.required(Field::Host)?;
        // Not repeated: a URL may carry user and password.
        if text.contains("://") || text.contains('@') {
            self.refuse(Field::Host, Code::BadHost, "the cell holds a URL; write the host alone");
            return None;
        }
        let host: Host = self.parse(Field::Host, text)?;
        if cell::is_link_local(host.as_str()) {
            let message = format!("`{host}` is link-local; no carrier can be reached there");
            self.refuse(Field::Host, Code::BadHost, message);
            return None;
        }
        if host.as_str() != text {
            self.change(Field::Host, text, &host, "lower case, without trailing dot");
        }
        Some(host)
    }

    fn bind_mode(&mut self) -> Option<BindMode> {
        let text = self.required(Field::BindMode)?;
        let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase();
        let (mode, short) = match letters.strip_prefix("BIND").unwrap_or(&letters) {
            "TRX" | "TXRX" | "TRANSCEIVER" => (BindMode::Transceiver, "TRX"),
            "TX" | "TRANSMITTER" => (BindMode::Transmitter, "TX"),
            "RX" | "RECEIVER" => (BindMode::Receiver, "RX"),
            _ => {
                let message = format!("{} is no bind mode; write TX, RX or TRX", shown(text));
                self.refuse(Field::BindMode, Code::BadCodeListValue, message);
                return None;
            }
        };
        if text != short {
            self.change(Field::BindMode, text, short, "short name");
        }
        Some(mode)
    }

    /// The password. Nothing of it goes into a reason or a change.
    fn password(&mut self) -> Option<Secret> {
        self.reading.columns.column(Field::Password)?;
        let text = self.required(Field::Password)?;
        let octets = text.len();
        if octets > LONGEST_PASSWORD && !self.reading.allow_long_passwords {
            let message = format!("the password has {octets} octets, SMPP 3.4 allows {LONGEST_PASSWORD}");
            self.refuse(Field::Password, Code::LongPasswordLimit, message);
            return None;
        }
        if !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            self.refuse(Field::Password, Code::OutOfRange, "the password has characters that are not printable ASCII");
            return None;
        }
        Some(Secret::new(text))
    }

    /// Notes go into the operator's file, and people write passwords there too.
    fn repeated_password(&mut self, password: Option<&Secret>) {
        let Some(password) = password.filter(|password| password.expose().len() >= TELLING_PASSWORD) else { return };
        let column = self.reading.columns.column(Field::Notes);
        if column.and_then(|column| self.cells.get(column)).is_some_and(|cell| cell.contains(password.expose())) {
            self.refuse(Field::Notes, Code::PlaintextSecret, "the cell repeats the password");
        }
    }

    fn contact(&mut self) -> Option<Contact> {
        let text = self.text(Field::NocContact)?;
        self.keep(Field::NocContact, contact::read(text))
    }

    fn rules(&mut self, bind_mode: Option<BindMode>) -> Option<Vec<Rule>> {
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
        let read = match cell::prefixes(text) {
            Ok(read) => read,
            Err(errors) => {
                for error in errors {
                    self.error(Field::Prefixes, error);
                }
                return None;
            }
        };
        if read.is_empty() {
            self.refuse(Field::Prefixes, Code::MissingField, "the cell holds no prefix");
            return None;
        }
        if !cell::is_plain_prefix_list(text) {
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
            self.refuse(Field::Cost, Code::OutOfRange, message);
            return None;
        };
        if departs || text.starts_with('+') {
            self.change(Field::Cost, text, plain, "decimal point, no thousands separators");
        }
        Some(Cost { amount, currency })
    }
}

/// A value short enough for a report, on one line.
pub(super) fn short(text: &str) -> String {
    let quoted = shown(text);
    quoted.trim_matches('`').to_owned()
}
