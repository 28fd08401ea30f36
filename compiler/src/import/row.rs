//! From the cells of one row to an operator, its carrier and its rules, or every reason why not.

mod fields;
mod guard;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use bindery_schema::mno::Contact;
use bindery_schema::operator::{
    BindMode, DEFAULT_ENQUIRE_LINK_SECONDS, DEFAULT_WINDOW_SIZE, InterfaceVersion, Smpp, TpsLimits,
};
use bindery_schema::routes::Rule;
use bindery_schema::secret::Secret;
use bindery_schema::value::{
    ContractRef, Country, E164Prefix, Host, MccMnc, Name, OperatorId, SystemId, SystemType, Tps, ValueError, shown,
};

use super::cell::{self, Decimal};
use super::header::Columns;
use super::names::Field;
use super::passwords::Passwords;
use super::report::{Change, Reason};
use crate::diagnostic::Code;

/// What a row without Max TPS may carry, in messages a second: what the default window of 10 sustains at a second a
/// round trip, so that nothing is promised that a slow carrier cannot keep.
pub const DEFAULT_TPS: Tps = 10;

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

/// How the cells of a row are to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'f> {
    /// The row's number.
    pub(super) record: u32,
    pub(super) columns: &'f Columns,
    pub(super) decimal: Decimal,
    pub(super) allow_long_passwords: bool,
    /// Those of all rows.
    pub(super) passwords: &'f Passwords,
}

/// What a row says.
#[derive(Debug)]
pub(super) struct Read {
    /// The operator's id as it stands, unless it may not be shown.
    pub(super) operator: Option<String>,
    pub(super) candidate: Option<Candidate>,
    pub(super) claims: Claims,
    pub(super) reasons: Vec<Reason>,
    pub(super) changes: Vec<Change>,
}

/// Reads a row whose cells are as many as the header's.
pub(super) fn read(cells: &[String], reading: Reading<'_>) -> Read {
    let claims = Claims::default();
    let (reasons, changes, unquoted) = (Vec::new(), Vec::new(), Vec::new());
    let (spoilt, unfit) = (BTreeSet::new(), BTreeSet::new());
    let mut row = Row { cells, reading, claims, reasons, changes, spoilt, unfit, moved: false, unquoted };
    row.formulas();
    row.url();
    row.secrets();
    let candidate = row.candidate();
    // What is refused for one reason has no candidate for another: a row is taken whole or not at all.
    let candidate = candidate.filter(|_| row.reasons.is_empty());
    row.hide_if_moved();
    let operator = row.operator();
    Read { operator, candidate, claims: row.claims, reasons: row.reasons, changes: row.changes }
}

struct Row<'r> {
    cells: &'r [String],
    reading: Reading<'r>,
    claims: Claims,
    reasons: Vec<Reason>,
    changes: Vec<Change>,
    /// Columns about which everything has been said. Nothing of what stands in them is shown or used.
    spoilt: BTreeSet<usize>,
    /// Fields whose cells are empty or hold something else than they should.
    unfit: BTreeSet<Field>,
    /// A password may stand in a cell that is not its own.
    moved: bool,
    /// What reasons that quote their cell say without, by their place.
    unquoted: Vec<(usize, String)>,
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

    fn is_spoilt(&self, field: Field) -> bool {
        self.reading.columns.column(field).is_some_and(|column| self.spoilt.contains(&column))
    }

    /// A cell as it stands; none where it is spoilt.
    fn cell(&self, field: Field) -> Option<&'r str> {
        let column = self.reading.columns.column(field).filter(|column| !self.spoilt.contains(column))?;
        self.cells.get(column).map(String::as_str)
    }

    /// The content of a cell without blanks around it; none where it is empty or spoilt.
    fn text(&mut self, field: Field) -> Option<&'r str> {
        let cell = self.cell(field)?;
        let text = cell.trim();
        if text.len() != cell.len() && !text.is_empty() {
            let (from, to) = if field == Field::Password { ("", "") } else { (cell, text) };
            self.change(field, from, to, "blanks around the value removed");
        }
        Some(text).filter(|text| !text.is_empty())
    }

    fn required(&mut self, field: Field) -> Option<&'r str> {
        let text = self.text(field);
        if text.is_none() && !self.is_spoilt(field) {
            self.misfit(field, Code::MissingField, "the cell is empty", "");
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
        self.misfit(field, code, &error.message, &help);
    }

    /// A whole number within limits.
    fn number<T: TryFrom<u64>>(&mut self, field: Field, text: &str, least: u64, most: u64) -> Option<T> {
        let read = cell::whole(text).filter(|(number, _)| (least..=most).contains(number));
        let Some((number, grouped)) = read else {
            let message = format!("{} is no whole number from {least} to {most}", shown(text));
            self.misfit(field, Code::OutOfRange, &message, "");
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
}

/// A value short enough for a report, on one line.
pub(super) fn short(text: &str) -> String {
    let quoted = shown(text);
    quoted.trim_matches('`').to_owned()
}
