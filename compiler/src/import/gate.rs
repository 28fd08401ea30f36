//! The last word is the compiler's: the repository is compiled with the import in it, and a row whose files are in error
//! is refused with the finding's code. What `check` accepts and what an import writes are thereby one rule.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::Catalog;
use bindery_schema::value::MnoId;
use jiff::Timestamp;

use super::accept::{Admitted, Register};
use super::blame::{self, Fault};
use super::contracts::Terms;
use super::draft::Draft;
use super::header::Columns;
use super::report::{Outcome, Row};
use super::rows::{self, Refusal, Refused};
use super::sheet::Parsed;
use super::{Error, compile};
use crate::compile::Compiled;
use crate::diagnostic::Finding;
use crate::source::{Content, Loaded};

/// So many files may be compiled to find the very rows that are at fault; then all go that may be. Time must not grow with the
/// number of faults.
const PATIENCE: usize = 200_000;
/// So many compiles there are at least, however large the repository is.
const COMPILES: usize = 64;

/// What stands.
pub(super) struct Passed {
    /// What became of every row.
    pub(super) rows: Vec<Row>,
    /// New files by path.
    pub(super) files: BTreeMap<String, String>,
    pub(super) admitted: Vec<Admitted>,
    pub(super) to_do: Vec<String>,
}

/// Compiles until nothing that was imported is in error.
pub(super) fn pass(
    parsed: &[Parsed],
    columns: &Columns,
    existing: &BTreeMap<&str, &Loaded>,
    catalog: &Catalog,
    terms: Option<&Terms>,
    now: Timestamp,
) -> Result<Passed, Error> {
    let patience = (PATIENCE / (existing.len() + parsed.len() + 1)).max(COMPILES);
    let mut gate = Gate { existing, catalog, terms, columns, now, patience };
    let mut refused = Refused::new();
    loop {
        let register = Register::new(catalog, existing.keys().copied());
        let (rows, admitted) = rows::admit(parsed, &refused, register, columns);
        let (draft, compiled) = gate.compile(&admitted.iter().collect::<Vec<_>>());
        let faults = blame::faults(&compiled, &draft.owners);
        if faults.is_empty() {
            let mut to_do = draft.to_do;
            to_do.extend(warnings(&compiled, &draft.files));
            return Ok(Passed { rows, files: draft.files, admitted, to_do });
        }
        let mut more = blame::culprits(&faults, gate.patience > 0);
        if more.is_empty() {
            more = gate.one_too_many(&admitted, faults)?;
        }
        if gate.patience > 0 {
            rows::refuse(&mut refused, more);
        } else {
            // Whoever is refused by now stays so.
            let rows = rows.into_iter().filter(|row| row.outcome == Outcome::Refused);
            let stays = rows.map(|row| (row.record, Refusal { reasons: row.reasons, beside: BTreeSet::new() }));
            refused = stays.chain(more).collect();
        }
    }
}

/// Rows on trial.
struct Gate<'g> {
    existing: &'g BTreeMap<&'g str, &'g Loaded>,
    catalog: &'g Catalog,
    terms: Option<&'g Terms>,
    columns: &'g Columns,
    now: Timestamp,
    /// How many compiles are left.
    patience: usize,
}

/// The rows of a carrier among which the first that is one too many is looked for.
struct Search<'a> {
    rows: Vec<&'a Admitted>,
    /// So many of them are fine.
    fine: usize,
    /// So many of them are too many, and what is wrong then.
    wrong: usize,
    faults: Vec<Fault>,
}

impl Search<'_> {
    fn middle(&self) -> usize {
        self.fine + (self.wrong - self.fine) / 2
    }

    fn is_over(&self) -> bool {
        self.wrong - self.fine <= 1
    }
}

impl Gate<'_> {
    /// Compiles the repository with the files of these rows in it.
    fn compile(&mut self, admitted: &[&Admitted]) -> (Draft, Compiled) {
        self.patience = self.patience.saturating_sub(1);
        let draft = Draft::of(admitted, self.existing, self.catalog, self.terms, self.columns);
        let loaded = |(path, text): (&String, &String)| Loaded {
            path: path.as_str().into(),
            blob: None,
            content: Content::Text(text.as_str().into()),
        };
        let mut tree: Vec<Loaded> =
            self.existing.values().map(|file| (*file).clone()).chain(draft.files.iter().map(loaded)).collect();
        tree.sort_by(|a, b| a.path.cmp(&b.path));
        let compiled = compile(tree, self.now);
        (draft, compiled)
    }

    /// Of rows that are in error together, such as those that exceed a contract in sum, the first that is one too many: with
    /// those before it everything was fine. What one carrier sends has nothing to do with another, so that all are looked
    /// through at once.
    fn one_too_many(&mut self, admitted: &[Admitted], faults: Vec<Fault>) -> Result<Refused, Error> {
        if admitted.is_empty() {
            return Err(blame::nobody(&faults));
        }
        let carriers: BTreeMap<u32, &MnoId> = admitted.iter().map(|row| (row.record, &row.mno)).collect();
        // An error of no carrier, or of several, is looked for among all rows.
        let one = faults.iter().all(|fault| fault.carrier(&carriers).is_some());
        let key = |fault: &Fault| fault.carrier(&carriers).filter(|_| one);
        let mut searches: BTreeMap<Option<&MnoId>, Search<'_>> = BTreeMap::new();
        for fault in faults {
            let of = key(&fault);
            let new = || {
                let rows: Vec<_> = admitted.iter().filter(|row| of.is_none_or(|of| row.mno == *of)).collect();
                Search { fine: 0, wrong: rows.len(), rows, faults: Vec::new() }
            };
            searches.entry(of).or_insert_with(new).faults.push(fault);
        }
        while self.patience > 0 && !searches.values().all(Search::is_over) {
            let others = admitted.iter().filter(|row| one && !searches.contains_key(&Some(&row.mno)));
            let first = searches.values().flat_map(|search| &search.rows[..search.middle()]);
            let mut rows: Vec<&Admitted> = others.chain(first.copied()).collect();
            rows.sort_by_key(|row| row.record);
            let (draft, compiled) = self.compile(&rows);
            let mut found: BTreeMap<Option<&MnoId>, Vec<Fault>> = BTreeMap::new();
            for fault in blame::faults(&compiled, &draft.owners) {
                found.entry(key(&fault)).or_default().push(fault);
            }
            for (of, search) in searches.iter_mut().filter(|(_, search)| !search.is_over()) {
                match found.remove(of) {
                    Some(faults) => (search.wrong, search.faults) = (search.middle(), faults),
                    None => search.fine = search.middle(),
                }
            }
        }
        let mut refused = Refused::new();
        for search in searches.into_values() {
            if search.is_over() {
                let (before, row) = (&search.rows[..search.fine], search.rows[search.fine]);
                let reasons = search.faults.into_iter().map(|fault| fault.reason).collect();
                let beside = before.iter().map(|row| row.record).collect();
                refused.insert(row.record, Refusal { reasons, beside });
            } else {
                refused.extend(blame::everybody(&search.faults, &search.rows[search.fine..search.wrong]));
            }
        }
        Ok(refused)
    }
}

/// What `check` will warn of in the new files.
fn warnings(compiled: &Compiled, files: &BTreeMap<String, String>) -> Vec<String> {
    let line = |finding: &Finding| {
        let path = compiled.sources.path(finding.primary.file);
        files.contains_key(path).then(|| format!("{path}: {} {}", finding.code, finding.message))
    };
    compiled.findings.iter().filter_map(line).collect()
}
