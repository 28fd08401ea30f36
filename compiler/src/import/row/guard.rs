//! What a row does not tell: cells that a spreadsheet would run, cells that hold a secret, and where cells have moved, any.

use super::super::names::Field;
use super::super::report::Reason;
use super::super::{cell, passwords, secret};
use super::{Row, short};
use crate::diagnostic::Code;

/// So many cells that do not fit make it likely that cells have moved, as they do when one is deleted in a spreadsheet.
const MOVED: usize = 2;

/// Fields of free text.
const FREE: [Field; 5] = [Field::MnoName, Field::SystemType, Field::ContractRef, Field::NocContact, Field::Notes];

impl Row<'_> {
    /// Refuses every cell a spreadsheet would run. Its content is not repeated: the report is opened in one too.
    pub(super) fn formulas(&mut self) {
        for (column, cell) in self.cells.iter().enumerate() {
            if cell::is_formula(cell) {
                let header = self.reading.columns.headers.get(column).map_or("", |header| header.trim());
                let message = format!("{header}: the cell begins as a formula does");
                self.reasons.push(Reason { code: Code::FormulaCell, message });
                self.spoilt.insert(column);
            }
        }
    }

    /// Refuses a URL in place of a host. It is not repeated: a URL may carry user and password.
    pub(super) fn url(&mut self) {
        let is_url = self.cell(Field::Host).is_some_and(|cell| cell.contains("://") || cell.contains('@'));
        if let Some(column) = self.reading.columns.column(Field::Host).filter(|_| is_url) {
            self.misfit(Field::Host, Code::BadHost, "the cell holds a URL; write the host alone", "");
            self.spoilt.insert(column);
        }
    }

    /// Refuses every cell that would tell a secret, before anything is made of any.
    pub(super) fn secrets(&mut self) {
        let columns = self.reading.columns;
        for (field, column) in columns.known().filter(|(_, column)| !columns.secret().contains(column)) {
            let Some(cell) = self.cells.get(column) else { continue };
            let tells = |of: &&usize| self.cells.get(**of).is_some_and(|password| secret::repeats(cell, password));
            let why = match columns.secret().iter().find(tells) {
                Some(of) if Some(*of) == columns.column(Field::Password) => "the cell repeats the password".to_owned(),
                Some(of) => format!("the cell repeats what stands under `{}`", columns.headers[*of].trim()),
                None if self.reading.passwords.is_repeated(cell, self.reading.record) => {
                    "the cell repeats the password of another row".to_owned()
                }
                None if secret::holds_token(cell) => "the cell holds what looks like a token".to_owned(),
                None if FREE.contains(&field) && secret::names_password(cell) => "the cell names a password".to_owned(),
                None => continue,
            };
            self.refuse(field, Code::PlaintextSecret, why);
            self.spoilt.insert(column);
        }
    }

    /// Refuses a cell that does not hold what it should. Where the message quotes the cell, it begins with it.
    pub(super) fn misfit(&mut self, field: Field, code: Code, message: &str, help: &str) {
        self.unfit.insert(field);
        let is_likely = self.cell(field).is_some_and(|cell| passwords::is_likely(field, cell));
        self.moved |= field == Field::Password || is_likely || self.unfit.len() >= MOVED;
        if let Some((_, rest)) = message.strip_prefix('`').and_then(|quoted| quoted.rsplit_once('`')) {
            let header = self.reading.columns.header(field);
            self.unquoted.push((self.reasons.len(), format!("{header}: the cell{rest}{help}")));
        }
        self.refuse(field, code, format!("{message}{help}"));
    }

    /// Where cells have moved, a password may stand in any of them, and what stands under its header is none: then nothing
    /// is quoted.
    pub(super) fn hide_if_moved(&mut self) {
        if self.moved {
            for (place, message) in std::mem::take(&mut self.unquoted) {
                self.reasons[place].message = message;
            }
            self.changes.clear();
        }
    }

    /// The operator's id as it stands; none where it may be a password that has moved there.
    pub(super) fn operator(&self) -> Option<String> {
        let id = self.cell(Field::OperatorId).map(str::trim).filter(|id| !id.is_empty())?;
        let likely = match self.claims.id {
            Some(_) => passwords::is_random(id),
            None => passwords::is_likely(Field::OperatorId, id),
        };
        Some(short(id)).filter(|_| !self.moved || !likely)
    }
}
