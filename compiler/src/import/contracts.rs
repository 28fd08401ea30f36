//! Contracts out of the one reference a row has. Begin and document come from the command line; without them nothing is
//! written and the report says what is missing.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::Catalog;
use bindery_schema::contract::{Contract, Direction};
use bindery_schema::operator::Status;
use bindery_schema::value::{ContractRef, Day, DocumentUri, MnoId, ValueError};

use super::accept::Admitted;

/// What completes every contract.
#[derive(Debug, Clone)]
pub struct Terms {
    from: Day,
    prefix: String,
}

impl Terms {
    /// The first day, and where the documents lie: `s3://bucket` or a folder in it.
    pub fn new(from: Day, prefix: &str) -> Result<Self, ValueError> {
        let terms = Self { from, prefix: prefix.trim_end_matches('/').to_owned() };
        format!("{}/x.pdf", terms.prefix).parse::<DocumentUri>()?;
        Ok(terms)
    }

    fn document(&self, mno: &MnoId, reference: &ContractRef) -> Option<DocumentUri> {
        let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let name: String = reference.as_str().chars().map(safe).collect();
        format!("{}/{mno}/{name}.pdf", self.prefix).parse().ok()
    }
}

/// Contracts to write by carrier, and what keeps others from being written.
pub(super) fn gather(
    rows: &[&Admitted],
    catalog: &Catalog,
    terms: Option<&Terms>,
) -> (BTreeMap<MnoId, Vec<Contract>>, Vec<String>) {
    let mut by_direction: BTreeMap<(&MnoId, Direction), Vec<&Admitted>> = BTreeMap::new();
    for row in rows {
        for direction in Direction::ALL.into_iter().filter(|direction| row.candidate.tps.of(*direction) > 0) {
            by_direction.entry((&row.mno, direction)).or_default().push(row);
        }
    }
    let (mut contracts, mut missing) = (BTreeMap::<MnoId, Vec<Contract>>::new(), Vec::new());
    for ((mno, direction), rows) in by_direction {
        // A carrier's contracts are one document: where there is one, people have taken over.
        if catalog.mnos.get(mno).is_some_and(|mno| !mno.contracts.contracts.is_empty()) {
            continue;
        }
        let references: BTreeSet<_> = rows.iter().map(|row| row.candidate.contract.as_ref()).collect();
        let mut no = |why: &str| missing.push(format!("carrier {mno}, {direction}: no contract was written: {why}"));
        let Some(terms) = terms else {
            no("--contract-from and --document-prefix are missing");
            continue;
        };
        let [Some(reference)] = references.iter().copied().collect::<Vec<_>>()[..] else {
            no(if references.contains(&None) {
                "a row has no contract reference"
            } else {
                "its rows name several contracts, which may not overlap in time; write when each is in force"
            });
            continue;
        };
        let imported = rows.iter().filter(|row| row.existing.is_none()).map(|row| &row.candidate.tps);
        let active = catalog.operators.values().filter(|operator| operator.mno == *mno);
        let active =
            active.filter(|operator| operator.spec.status == Status::Active).map(|operator| &operator.spec.tps);
        let sum = imported.chain(active).fold(0_u32, |sum, tps| sum.saturating_add(tps.of(direction)));
        let Some(document) = terms.document(mno, reference) else {
            no("its reference is too long for a document's name");
            continue;
        };
        contracts.entry(mno.clone()).or_default().push(Contract {
            reference: reference.clone(),
            direction,
            contracted_tps: sum,
            effective_from: terms.from,
            effective_to: None,
            document,
            fine_schedule: Vec::new(),
        });
    }
    (contracts, missing)
}
