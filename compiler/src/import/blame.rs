//! Which rows an error of the compiler is about. Of rows that clash the first stands.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::value::MnoId;

use super::Error;
use super::accept::Admitted;
use super::draft::Owner;
use super::report::Reason;
use super::rows::{Refusal, Refused};
use crate::compile::Compiled;
use crate::diagnostic::{Code, Finding, Severity};

/// An error, and the rows it names.
pub(super) struct Fault {
    pub(super) reason: Reason,
    path: String,
    /// The rows whose operators it names, in order.
    operators: BTreeSet<u32>,
    /// The rows of the carriers it names.
    carriers: BTreeSet<u32>,
}

/// The errors of a compile.
pub(super) fn faults(compiled: &Compiled, owners: &BTreeMap<String, Owner>) -> Vec<Fault> {
    let errors = compiled.findings.iter().filter(|finding| finding.severity() == Severity::Error);
    errors.map(|finding| Fault::of(finding, compiled, owners)).collect()
}

impl Fault {
    fn of(finding: &Finding, compiled: &Compiled, owners: &BTreeMap<String, Owner>) -> Self {
        let (mut operators, mut carriers) = (BTreeSet::new(), BTreeSet::new());
        let places = std::iter::once(finding.primary).chain(finding.related.iter().map(|related| related.location));
        for owner in places.filter_map(|place| owners.get(compiled.sources.path(place.file))) {
            match owner {
                Owner::Operator(record) => _ = operators.insert(*record),
                Owner::Carrier(records) => carriers.extend(records),
            }
        }
        let reason = Reason { code: finding.code, message: finding.message.clone() };
        Self { reason, path: compiled.sources.path(finding.primary.file).to_owned(), operators, carriers }
    }

    /// The one carrier whose rows it names; none where there are several or none.
    pub(super) fn carrier<'m>(&self, carriers: &BTreeMap<u32, &'m MnoId>) -> Option<&'m MnoId> {
        let mut named = self.operators.iter().chain(&self.carriers).filter_map(|row| carriers.get(row).copied());
        let first = named.next()?;
        named.all(|other| other == first).then_some(first)
    }

    /// The row at fault, where the error is about a row, or about one beside another. Which of those is at fault that add to
    /// one sum, or to one carrier, it does not tell.
    fn culprit(&self) -> Option<u32> {
        let is_sum = self.reason.code == Code::TpsOverContract;
        self.operators.last().copied().filter(|_| !is_sum)
    }
}

/// Rows that are at fault, each with its reasons; where there is time to look again, only those that are for certain.
pub(super) fn culprits(faults: &[Fault], again: bool) -> Refused {
    let mut by_culprit: BTreeMap<u32, Vec<&Fault>> = BTreeMap::new();
    for fault in faults {
        if let Some(culprit) = fault.culprit() {
            by_culprit.entry(culprit).or_default().push(fault);
        }
    }
    let mut refused = Refused::new();
    // Rows that may not be there any more when the others are looked at next.
    let mut unsure = BTreeSet::new();
    for (culprit, faults) in by_culprit {
        let stands =
            |fault: &&&Fault| !fault.operators.iter().any(|row| again && *row != culprit && unsure.contains(row));
        let stand: Vec<&&Fault> = faults.iter().filter(stands).collect();
        unsure.insert(culprit);
        if !stand.is_empty() {
            let reasons = stand.iter().map(|fault| fault.reason.clone()).collect();
            let others = stand.iter().flat_map(|fault| &fault.operators).filter(|row| **row != culprit);
            refused.insert(culprit, Refusal { reasons, beside: others.copied().collect() });
        }
    }
    refused
}

/// Every one of these rows that an error names; all of them where none is named.
pub(super) fn everybody(faults: &[Fault], rows: &[&Admitted]) -> Refused {
    let mut refused = Refused::new();
    for fault in faults {
        let is_named = |row: &&&Admitted| fault.operators.contains(&row.record) || fault.carriers.contains(&row.record);
        let named: Vec<&&Admitted> = rows.iter().filter(is_named).collect();
        let blamed = if named.is_empty() { rows.iter().collect() } else { named };
        for row in blamed {
            let new = || Refusal { reasons: Vec::new(), beside: BTreeSet::new() };
            refused.entry(row.record).or_insert_with(new).reasons.push(fault.reason.clone());
        }
    }
    refused
}

/// There are errors and no row.
pub(super) fn nobody(faults: &[Fault]) -> Error {
    let line = |fault: &Fault| format!("{} {}: {}", fault.reason.code, fault.path, fault.reason.message);
    Error::Clash { finding: faults.first().map(line).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: Code, operators: &[u32], carriers: &[u32]) -> Fault {
        let reason = Reason { code, message: format!("{operators:?}") };
        let [operators, carriers] = [operators, carriers].map(|rows| rows.iter().copied().collect());
        Fault { reason, path: "x.yaml".to_owned(), operators, carriers }
    }

    fn refused(faults: &[Fault]) -> Vec<(u32, usize)> {
        culprits(faults, true).into_iter().map(|(record, refusal)| (record, refusal.reasons.len())).collect()
    }

    #[test]
    fn of_clashing_rows_the_later_goes_unless_the_earlier_does() {
        let clash = |rows: &[u32]| fault(Code::PrefixConflictAcrossOperators, rows, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(refused(&[clash(&[3])]), [(3, 1)]);
        // What becomes of 3 and 4 shows when 2 is gone.
        assert_eq!(refused(&[clash(&[3, 4]), clash(&[2, 3]), clash(&[1, 2]), clash(&[1, 2])]), [(2, 2)]);
        assert_eq!(
            refused(&[clash(&[2, 3]), clash(&[1, 2]), clash(&[1, 3]), clash(&[5, 6])]),
            [(2, 1), (3, 1), (6, 1)]
        );
    }

    #[test]
    fn an_error_of_many_rows_is_certain_of_none() {
        let faults = [fault(Code::TpsOverContract, &[1, 2, 3], &[]), fault(Code::OutOfRange, &[], &[1, 2, 3])];
        assert!(culprits(&faults, true).is_empty());
        let error = nobody(&faults).to_string();
        assert!(error.contains("BND0603 x.yaml"), "{error}");
    }
}
