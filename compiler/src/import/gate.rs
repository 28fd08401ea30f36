//! The last word is the compiler's: the repository is compiled with the import in it, and a row whose files are in error
//! is refused with the finding's code. What `check` accepts and what an import writes are thereby one rule.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::Catalog;
use bindery_schema::mno::{Contacts, MnoSpec};
use bindery_schema::operator::BindMode;
use bindery_schema::value::MnoId;
use jiff::Timestamp;

use super::accept::Admitted;
use super::contracts::{self, Terms};
use super::report::{Outcome, Reason, Row};
use super::{Error, compile, contact, document};
use crate::compile::Compiled;
use crate::diagnostic::{Finding, Severity};
use crate::source::{Content, Loaded};

/// After so many compiles all rows of a finding go, not only the last: time must not grow with the number of faults.
const PATIENCE: usize = 8;

/// What stands.
pub(super) struct Passed {
    /// New files by path.
    pub(super) files: BTreeMap<String, String>,
    pub(super) admitted: Vec<Admitted>,
    pub(super) to_do: Vec<String>,
}

/// Compiles until nothing that was imported is in error.
pub(super) fn pass(
    mut admitted: Vec<Admitted>,
    rows: &mut [Row],
    existing: &BTreeMap<&str, &Loaded>,
    catalog: &Catalog,
    terms: Option<&Terms>,
    now: Timestamp,
) -> Result<Passed, Error> {
    for attempt in 0.. {
        let Draft { files, owners, mut to_do } = Draft::of(&admitted, existing, catalog, terms);
        let loaded = |(path, text): (&String, &String)| Loaded {
            path: path.as_str().into(),
            blob: None,
            content: Content::Text(text.as_str().into()),
        };
        let mut tree: Vec<Loaded> =
            existing.values().map(|file| (*file).clone()).chain(files.iter().map(loaded)).collect();
        tree.sort_by(|a, b| a.path.cmp(&b.path));
        let compiled = compile(tree, now);
        let mut refused: BTreeMap<u32, Vec<Reason>> = BTreeMap::new();
        for finding in compiled.findings.iter().filter(|finding| finding.severity() == Severity::Error) {
            let guilty = guilty(finding, &compiled, &owners);
            let Some(last) = guilty.last() else {
                let path = compiled.sources.path(finding.primary.file);
                return Err(Error::Clash { finding: format!("{} {path}: {}", finding.code, finding.message) });
            };
            for record in guilty.iter().filter(|record| attempt >= PATIENCE || *record == last) {
                let reason = Reason { code: finding.code, message: finding.message.clone() };
                refused.entry(*record).or_default().push(reason);
            }
        }
        if refused.is_empty() {
            to_do.extend(warnings(&compiled, &files));
            return Ok(Passed { files, admitted, to_do });
        }
        admitted.retain(|row| !refused.contains_key(&row.record));
        for row in rows.iter_mut() {
            if let Some(reasons) = refused.remove(&row.record) {
                (row.outcome, row.reasons) = (Outcome::Refused, reasons);
            }
        }
    }
    Ok(Passed { files: BTreeMap::new(), admitted, to_do: Vec::new() })
}

/// The rows a finding is about, in order: those of the operators it names, else those of the carrier.
fn guilty(finding: &Finding, compiled: &Compiled, owners: &BTreeMap<String, Owner>) -> BTreeSet<u32> {
    let places = std::iter::once(finding.primary).chain(finding.related.iter().map(|related| related.location));
    let owners: Vec<&Owner> = places.filter_map(|place| owners.get(compiled.sources.path(place.file))).collect();
    let operators = owners.iter().filter_map(|owner| match owner {
        Owner::Operator(record) => Some(*record),
        Owner::Carrier(_) => None,
    });
    let operators: BTreeSet<u32> = operators.collect();
    if !operators.is_empty() {
        return operators;
    }
    let carriers = owners.iter().flat_map(|owner| match owner {
        Owner::Operator(_) => [].iter(),
        Owner::Carrier(records) => records.iter(),
    });
    carriers.copied().collect()
}

/// What `check` will warn of in the new files.
fn warnings(compiled: &Compiled, files: &BTreeMap<String, String>) -> Vec<String> {
    let line = |finding: &Finding| {
        let path = compiled.sources.path(finding.primary.file);
        files.contains_key(path).then(|| format!("{path}: {} {}", finding.code, finding.message))
    };
    compiled.findings.iter().filter_map(line).collect()
}

/// Whose file it is.
enum Owner {
    Operator(u32),
    Carrier(Vec<u32>),
}

/// The files of all rows that stand so far.
struct Draft {
    files: BTreeMap<String, String>,
    owners: BTreeMap<String, Owner>,
    to_do: Vec<String>,
}

impl Draft {
    fn of(admitted: &[Admitted], existing: &BTreeMap<&str, &Loaded>, catalog: &Catalog, terms: Option<&Terms>) -> Self {
        let mut draft = Self { files: BTreeMap::new(), owners: BTreeMap::new(), to_do: Vec::new() };
        let mut carriers: BTreeMap<&MnoId, Vec<&Admitted>> = BTreeMap::new();
        for row in admitted {
            carriers.entry(&row.mno).or_default().push(row);
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
        let (contracts, missing) = contracts::gather(&admitted.iter().collect::<Vec<_>>(), catalog, terms);
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
