//! What the repository keeps. An import makes files and changes none: what a row says otherwise than they do about its carrier,
//! or in its notes, is told.

use std::collections::BTreeMap;

use bindery_schema::catalog::{Catalog, Mno};
use bindery_schema::mno::Contact;

use super::accept::Admitted;
use super::header::Columns;
use super::names::Field;
use super::{contact, document};
use crate::source::{Content, Loaded};

/// A line for each file that says otherwise than a row, and stays.
pub(super) fn told(
    row: &Admitted,
    existing: &BTreeMap<&str, &Loaded>,
    catalog: &Catalog,
    columns: &Columns,
) -> Vec<String> {
    let candidate = &row.candidate;
    let mut kept: BTreeMap<&str, Vec<Field>> = BTreeMap::new();
    if let Some(mno) = catalog.mnos.get(&row.mno) {
        if candidate.mccmnc.iter().any(|code| !mno.spec.mccmnc.contains(code)) {
            kept.entry(&mno.source).or_default().push(Field::MccMnc);
        }
        if candidate.contact.as_ref().is_some_and(|contact| !knows(mno, contact)) {
            kept.entry(&mno.source).or_default().push(Field::NocContact);
        }
        let contracts = &mno.contracts.contracts;
        let has = |contract: &_| contracts.iter().any(|known| known.reference == *contract);
        let another = candidate.contract.as_ref().is_some_and(|contract| !contracts.is_empty() && !has(contract));
        if let Some(path) = mno.contracts_source.as_ref().filter(|_| another) {
            kept.entry(path).or_default().push(Field::ContractRef);
        }
    }
    if let Some(path) = &row.existing {
        let text = match existing.get(&**path).map(|file| &file.content) {
            Some(Content::Text(text)) => text,
            _ => "",
        };
        let mut notes = document::notes(candidate.notes.as_deref().unwrap_or_default());
        if !notes.all(|line| text.contains(line.trim_end())) {
            kept.entry(path).or_default().push(Field::Notes);
        }
    }
    let line = |(path, fields): (&str, Vec<Field>)| {
        let names: Vec<&str> = fields.into_iter().map(|field| columns.header(field)).collect();
        format!("row {}, operator {}: {path} says otherwise and stays: {}", row.record, candidate.id, names.join(", "))
    };
    kept.into_iter().map(line).collect()
}

/// Whether a carrier's contacts have everything a row says of one, whatever else they have.
fn knows(mno: &Mno, contact: &Contact) -> bool {
    let contacts = &mno.spec.contacts;
    let mut all = contacts.t1.iter().chain(&contacts.t2).chain(&contacts.t3);
    all.any(|known| {
        (contact.name.as_str() == contact::UNNAMED || known.name == contact.name)
            && (contact.email.is_none() || known.email == contact.email)
            && (contact.phone.is_none() || known.phone == contact.phone)
    })
}
