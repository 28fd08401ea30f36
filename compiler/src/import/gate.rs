//! The last word is the compiler's: the repository is compiled with the import in it, and a row whose files are in error
//! is refused with the finding's code. What `check` accepts and what an import writes are thereby one rule.

use std::collections::BTreeMap;

use bindery_schema::catalog::Catalog;
use jiff::Timestamp;

use super::accept::Admitted;
use super::blame::{self, Fault};
use super::contracts::Terms;
use super::draft::Draft;
use super::report::{Outcome, Reason, Row};
use super::{Error, compile};
use crate::compile::Compiled;
use crate::diagnostic::Finding;
use crate::source::{Content, Loaded};

/// So many compiles may go into finding the very rows that are at fault; then all go that may be. Time must not grow with
/// the number of faults.
const PATIENCE: usize = 64;

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
    let mut gate = Gate { existing, catalog, terms, now, patience: PATIENCE, sound: 0 };
    loop {
        let (draft, compiled) = gate.compile(&admitted);
        let faults = blame::faults(&compiled, &draft.owners);
        if faults.is_empty() {
            let mut to_do = draft.to_do;
            to_do.extend(warnings(&compiled, &draft.files));
            return Ok(Passed { files: draft.files, admitted, to_do });
        }
        let mut refused = blame::culprits(&faults, gate.patience > 0);
        if refused.is_empty() {
            refused = gate.one_too_many(&admitted, faults)?;
        }
        admitted.retain(|row| !refused.contains_key(&row.record));
        for row in rows.iter_mut() {
            if let Some(reasons) = refused.remove(&row.record) {
                (row.outcome, row.reasons) = (Outcome::Refused, reasons);
            }
        }
    }
}

/// Rows on trial.
struct Gate<'g> {
    existing: &'g BTreeMap<&'g str, &'g Loaded>,
    catalog: &'g Catalog,
    terms: Option<&'g Terms>,
    now: Timestamp,
    /// How many compiles are left.
    patience: usize,
    /// The rows up to this record stand, whatever comes behind them.
    sound: u32,
}

impl Gate<'_> {
    /// Compiles the repository with the files of these rows in it.
    fn compile(&mut self, admitted: &[Admitted]) -> (Draft, Compiled) {
        self.patience = self.patience.saturating_sub(1);
        let draft = Draft::of(admitted, self.existing, self.catalog, self.terms);
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
    /// those before it everything was fine.
    fn one_too_many(
        &mut self,
        admitted: &[Admitted],
        mut faults: Vec<Fault>,
    ) -> Result<BTreeMap<u32, Vec<Reason>>, Error> {
        let (mut fine, mut wrong) = (admitted.partition_point(|row| row.record <= self.sound), admitted.len());
        if fine >= wrong {
            return Err(blame::nobody(&faults));
        }
        while wrong - fine > 1 {
            if self.patience == 0 {
                return Ok(blame::everybody(&faults, &admitted[fine..wrong]));
            }
            let middle = fine + (wrong - fine) / 2;
            let (draft, compiled) = self.compile(&admitted[..middle]);
            let found = blame::faults(&compiled, &draft.owners);
            if found.is_empty() {
                fine = middle;
            } else {
                (wrong, faults) = (middle, found);
            }
        }
        let row = &admitted[fine];
        self.sound = row.record;
        Ok(BTreeMap::from([(row.record, faults.into_iter().map(|fault| fault.reason).collect())]))
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
