//! From the spreadsheet of carrier relations to a configuration repository (US-OPS-07).
//!
//! Bytes become records ([`records`], [`decode`]), columns get a meaning ([`known`], [`header`], [`sheet`]), each row becomes an
//! operator or the reasons why not ([`row`], [`cell`]), and what would tell a password goes no further ([`secret`],
//! [`passwords`]). Rows are held against each other and the repository ([`rows`], [`accept`]). What stands is written as YAML
//! ([`draft`], [`document`], [`contracts`]) and compiled together with the repository ([`gate`]): what `check` would refuse is
//! refused here, with the same code. What a row says otherwise than files that stay is told ([`kept`]). Every row ends in the
//! [`report`].
//!
//! Nothing is read or written here: files come in and go out as texts. A password leaves a row only as a sealed value; no
//! report, error or document holds it.

mod accept;
mod blame;
mod cell;
mod contact;
mod contracts;
mod country;
mod decode;
mod document;
mod draft;
mod error;
mod gate;
mod header;
mod kept;
mod known;
mod names;
mod passwords;
mod prefixes;
mod records;
mod report;
mod row;
mod rows;
mod seal;
mod secret;
mod sheet;

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::compile::{self, Compiled, Compiler};
use crate::diagnostic::Severity;
use crate::source::Loaded;

pub use contracts::Terms;
pub use error::Error;
pub use header::Mapping;
pub use report::{Change, Outcome, Reason, Report, Row, Summary};
pub use row::DEFAULT_TPS;

use sheet::Sheet;

/// Which passwords are sealed into the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// None: they are set later.
    None,
    /// Those of operators that have none yet.
    Missing,
    /// All of them.
    All,
}

/// How to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// The present moment.
    pub now: Timestamp,
    /// Name of the spreadsheet, for the report.
    pub source: String,
    /// What the headers mean that are not known.
    pub mapping: Mapping,
    /// What completes contracts.
    pub terms: Option<Terms>,
    /// Take passwords of more than 8 octets.
    pub allow_long_passwords: bool,
    /// Which passwords are sealed.
    pub sealing: Sealing,
    /// Say in the report that nothing is written.
    pub dry_run: bool,
    /// Say in the report that this is the production run.
    pub production: bool,
    /// Who signed the import off.
    pub signed_off_by: Option<String>,
}

/// What an import comes to.
#[derive(Debug)]
pub struct Import {
    /// What became of every row.
    pub report: Report,
    /// The files to write, by path in the repository.
    pub files: BTreeMap<String, String>,
}

/// Reads a spreadsheet against what a repository holds.
pub fn import(bytes: &[u8], existing: &[Loaded], options: &Options) -> Result<Import, Error> {
    let sheet = Sheet::read(bytes, &options.mapping)?;
    // Before anything is read for nothing.
    let recipients = crate::seal::recipients(existing);
    if options.sealing != Sealing::None && recipients.is_empty() {
        return Err(crate::seal::Error::NoRecipients.into());
    }
    let base = compile(existing.to_vec(), options.now);
    if let Some(first) = base.findings.iter().find(|finding| finding.severity() == Severity::Error) {
        let first = format!("{} {}: {}", first.code, base.sources.path(first.primary.file), first.message);
        return Err(Error::Broken { count: base.error_count(), first });
    }
    let nothing = bindery_schema::catalog::Catalog::default();
    let catalog = base.catalog().unwrap_or(&nothing);

    let passwords = sheet.passwords();
    let records = sheet.records.iter().zip(1..);
    let parsed: Vec<_> = records.map(|(record, number)| sheet.row(record, number, options, &passwords)).collect();
    let there: BTreeMap<&str, &Loaded> = existing.iter().map(|file| (&*file.path, file)).collect();
    let gate::Passed { rows, mut files, admitted, mut to_do } =
        gate::pass(&parsed, &sheet.columns, &there, catalog, options.terms.as_ref(), options.now)?;
    match options.sealing {
        Sealing::None => to_do.extend(unsealed(&admitted, catalog)),
        sealing => seal::put(&admitted, &mut files, &there, catalog, &recipients, sealing == Sealing::All)?,
    }
    to_do.extend(header::told(&sheet.columns, &options.mapping));
    let held = |path: &&String| there.contains_key(path.as_str());
    let report = Report {
        source: options.source.clone(),
        sha256: hex::encode(Sha256::digest(bytes)),
        encoding: sheet.encoding.name(),
        delimiter: char::from(sheet.delimiter),
        dry_run: options.dry_run,
        production: options.production,
        summary: Report::count(&rows),
        rows,
        unused_columns: sheet.columns.unused(),
        created: files.keys().filter(|path| !held(path)).cloned().collect(),
        updated: files.keys().filter(held).cloned().collect(),
        to_do,
        signed_off_by: options.signed_off_by.clone(),
    };
    Ok(Import { report, files })
}

/// Passwords that are still to be sealed.
fn unsealed(admitted: &[accept::Admitted], catalog: &bindery_schema::catalog::Catalog) -> Option<String> {
    let is_sealed = |row: &accept::Admitted| {
        catalog.operators.get(&row.candidate.id).is_some_and(|operator| operator.spec.sealed().is_some())
    };
    let left = admitted.iter().filter(|row| row.candidate.password.is_some() && !is_sealed(row)).count();
    let what = if left == 1 { "1 password was".to_owned() } else { format!("{left} passwords were") };
    (left > 0).then(|| format!("{what} not written: import with --seal, or use `bindery seal`"))
}

fn compile(files: Vec<Loaded>, now: Timestamp) -> Compiled {
    Compiler::default().compile(files, &compile::Options { now, environment: None })
}
