//! The files of the rows that stand so far, and whose they are.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::Catalog;
use bindery_schema::mno::{Contacts, MnoSpec};
use bindery_schema::operator::BindMode;
use bindery_schema::value::MnoId;

use super::accept::Admitted;
use super::contracts::{self, Terms};
use super::header::Columns;
use super::{contact, document, kept};
use crate::source::Loaded;

/// Whose file it is.
pub(super) enum Owner {
    Operator(u32),
    Carrier(Vec<u32>),
}

/// The files of all rows that stand so far.
pub(super) struct Draft {
    pub(super) files: BTreeMap<String, String>,
    pub(super) owners: BTreeMap<String, Owner>,
    pub(super) to_do: Vec<String>,
}

impl Draft {
    pub(super) fn of(
        admitted: &[&Admitted],
        existing: &BTreeMap<&str, &Loaded>,
        catalog: &Catalog,
        terms: Option<&Terms>,
        columns: &Columns,
    ) -> Self {
        let mut draft = Self { files: BTreeMap::new(), owners: BTreeMap::new(), to_do: Vec::new() };
        let mut carriers: BTreeMap<&MnoId, Vec<&Admitted>> = BTreeMap::new();
        for &row in admitted {
            carriers.entry(&row.mno).or_default().push(row);
            draft.to_do.extend(kept::told(row, existing, catalog, columns));
            if row.existing.is_some() {
                continue;
            }
            let (id, mode) = (&row.candidate.id, row.candidate.smpp.bind_mode);
            if mode == BindMode::Receiver && !row.candidate.rules.is_empty() {
                draft.to_do.push(format!(
                    "operator {id}: it binds as a receiver and has prefixes, and nothing can be sent over it; bind it as TRX, \
                     or take the prefixes out"
                ));
            }
            let [operator, routes] = document::paths(&row.mno, id);
            draft.add(operator, document::operator(row), Owner::Operator(row.record));
            if let Some(text) = document::routes(row) {
                draft.add(routes, text, Owner::Operator(row.record));
            }
        }
        let records = |rows: &[&Admitted]| Owner::Carrier(rows.iter().map(|row| row.record).collect());
        for (id, rows) in &carriers {
            if catalog.mnos.contains_key(*id) {
                continue;
            }
            let Some(spec) = carrier(rows) else { continue };
            if spec.contacts.t1.iter().all(|contact| contact.email.is_none() && contact.phone.is_none()) {
                draft.to_do.push(format!("carrier {id}: no mail address or telephone number of its NOC is known"));
            }
            draft.add(document::mno_path(id), document::mno(id, &spec), records(rows));
        }
        let (contracts, missing) = contracts::gather(admitted, catalog, terms);
        draft.to_do.extend(missing);
        for (id, contracts) in &contracts {
            let path = document::contract_path(id);
            if existing.contains_key(path.as_str()) {
                draft.to_do.push(format!("carrier {id}: no contract was written: {path} is there already"));
            } else if let Some(rows) = carriers.get(id) {
                draft.add(path, document::contracts(id, contracts), records(rows));
            }
        }
        draft
    }

    fn add(&mut self, path: String, text: String, owner: Owner) {
        self.files.insert(path.clone(), text);
        self.owners.insert(path, owner);
    }
}

/// A carrier as its rows describe it together.
fn carrier(rows: &[&Admitted]) -> Option<MnoSpec> {
    let first = &rows.first()?.candidate;
    let (mut mccmnc, mut seen, mut t1) = (Vec::new(), BTreeSet::new(), Vec::new());
    for row in rows {
        mccmnc.extend(row.candidate.mccmnc.iter().filter(|code| seen.insert(*code)).cloned());
        if let Some(contact) = row.candidate.contact.as_ref().filter(|contact| !t1.contains(*contact)) {
            t1.push(contact.clone());
        }
    }
    if t1.is_empty() {
        t1.extend(contact::unnamed());
    }
    Some(MnoSpec {
        name: rows.first()?.mno_name.clone(),
        country: first.country,
        mccmnc,
        contacts: Contacts { t1, t2: Vec::new(), t3: Vec::new() },
        sla: None,
        change_windows: Vec::new(),
        ip_allowlist: None,
        notes: None,
    })
}
