//! Every row beside the others, in order. A row that is refused holds nothing: what it would have claimed is free for the rows
//! behind it.

use std::collections::{BTreeMap, BTreeSet};

use super::accept::{Admitted, Register};
use super::header::Columns;
use super::names::Field;
use super::report::{Change, Outcome, Reason, Row};
use super::sheet::Parsed;

/// Why the compiler has a row refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) reasons: Vec<Reason>,
    /// The rows beside which it is refused, all of them before it.
    pub(super) beside: BTreeSet<u32>,
}

/// Rows the compiler has refused so far, by their number.
pub(super) type Refused = BTreeMap<u32, Refusal>;

/// Takes more rows back. Those that were refused beside one of them are considered again: the earliest row that is refused anew
/// was not before, so this ends.
pub(super) fn refuse(refused: &mut Refused, more: Refused) {
    let new: BTreeSet<u32> = more.keys().copied().collect();
    refused.extend(more);
    refused.retain(|_, refusal| refusal.beside.is_disjoint(&new));
}

/// What becomes of every row but for the compiler's word, and the operators of those that are taken.
pub(super) fn admit(
    parsed: &[Parsed],
    refused: &Refused,
    mut register: Register<'_>,
    columns: &Columns,
) -> (Vec<Row>, Vec<Admitted>) {
    let (mut rows, mut admitted) = (Vec::with_capacity(parsed.len()), Vec::new());
    for Parsed { row, said } in parsed {
        let mut row = row.clone();
        if let Some(refusal) = refused.get(&row.record) {
            (row.outcome, row.reasons) = (Outcome::Refused, refusal.reasons.clone());
        } else if let Some((candidate, claims)) = said {
            row.reasons.extend(register.clashes(claims));
            let candidate = candidate.clone().filter(|_| row.reasons.is_empty());
            let taken = candidate.and_then(|candidate| {
                let taken = register.admit(row.record, row.line, candidate, claims);
                taken.map_err(|reasons| row.reasons = reasons).ok()
            });
            if let Some(taken) = taken.as_ref().filter(|taken| taken.mno_name != taken.candidate.mno_name) {
                row.changes.push(Change {
                    column: columns.header(Field::MnoName).to_owned(),
                    from: taken.candidate.mno_name.to_string(),
                    to: taken.mno_name.to_string(),
                    why: format!("carrier {} is spelt so already", taken.mno),
                });
            }
            row.outcome = match (row.reasons.is_empty(), row.changes.is_empty()) {
                (false, _) => Outcome::Refused,
                (true, true) => Outcome::Imported,
                (true, false) => Outcome::Normalised,
            };
            admitted.extend(taken);
        }
        rows.push(row);
    }
    (rows, admitted)
}
