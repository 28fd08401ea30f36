//! `bindery import`: the legacy spreadsheet into a configuration repository.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bindery_compiler::diagnostic::render::shown;
use bindery_compiler::import::{
    self, Import, Mapping, Options, Outcome as RowOutcome, Report, Sealing, Summary, Terms,
};
use bindery_compiler::source::{self, Loaded};
use bindery_schema::value::Day;
use clap::Args;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Outcome, whole};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery import legacy.csv --into . --dry-run --report import.md
  bindery import legacy.csv --into . --seal --report import.json
  bindery import legacy.csv --into . --seal \\
    --contract-from 2026-01-01 --document-prefix s3://contracts/legacy

A mapping file names columns bindery does not know, one `Header: field` a line; `ignore` leaves a column out.
Recipients of --seal are spec.secrets.recipients of policy.yaml below --into.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Arguments {
    /// The spreadsheet, exported as CSV
    #[arg(value_name = "FILE")]
    spreadsheet: PathBuf,
    /// Root of the configuration repository the operators go into; made where it is not there
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// What headers mean that bindery does not know, as YAML
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Seal the passwords into the operators' files; one that is sealed already stays
    #[arg(long)]
    seal: bool,
    /// Replace sealed passwords too
    #[arg(long, requires = "seal")]
    reseal: bool,
    /// Write nothing below --into
    #[arg(long)]
    dry_run: bool,
    /// Write the report of every row, as Markdown or JSON
    #[arg(long, value_name = "FILE.md|.json")]
    report: Option<PathBuf>,
    /// First day of the contracts the rows refer to
    #[arg(long, value_name = "YYYY-MM-DD", requires = "document_prefix")]
    contract_from: Option<Day>,
    /// Where the contract documents lie
    #[arg(long, value_name = "s3://…", requires = "contract_from")]
    document_prefix: Option<String>,
    /// Take passwords of more than 8 octets
    #[arg(long)]
    allow_long_passwords: bool,
    /// The production run, after staging was signed off
    #[arg(long, requires = "signed_off_by")]
    production: bool,
    /// Who signed the configuration off in staging
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    signed_off_by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Markdown,
    Json,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let form = arguments.report.as_deref().map(form_of).transpose()?;
    let options = options(arguments)?;
    let spreadsheet = &arguments.spreadsheet;
    let unreadable = || format!("cannot read {}", spreadsheet.display());
    let bytes = Zeroizing::new(fs::read(spreadsheet).with_context(unreadable)?);
    let existing = existing(&arguments.into)?;
    let Import { report, files } = import::import(&bytes, &existing, &options)?;

    let mut writes: Vec<(PathBuf, String)> = Vec::new();
    if !arguments.dry_run {
        writes.extend(files.into_iter().map(|(path, text)| (arguments.into.join(path), text)));
    }
    if let Some((path, form)) = arguments.report.as_ref().zip(form) {
        let text = if form == Form::Json { report.json()? } else { report.markdown() };
        writes.push((path.clone(), text));
    }
    whole::write_all(&writes)?;
    summarise(&report, arguments.dry_run, out)?;
    Ok(if report.summary.refused > 0 { Outcome::Findings } else { Outcome::Clean })
}

fn form_of(path: &Path) -> anyhow::Result<Form> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("md") => Ok(Form::Markdown),
        Some("json") => Ok(Form::Json),
        _ => bail!("{}: a report ends in .md or .json", path.display()),
    }
}

fn options(arguments: &Arguments) -> anyhow::Result<Options> {
    let mapping = match &arguments.mapping {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Mapping::read(&text).with_context(|| path.display().to_string())?
        }
        None => Mapping::default(),
    };
    let terms = arguments.contract_from.zip(arguments.document_prefix.as_deref());
    let terms = terms.map(|(from, prefix)| Terms::new(from, prefix)).transpose().context("--document-prefix")?;
    let name = arguments.spreadsheet.file_name().unwrap_or(arguments.spreadsheet.as_os_str());
    Ok(Options {
        now: Timestamp::now(),
        source: name.to_string_lossy().into_owned(),
        mapping,
        terms,
        allow_long_passwords: arguments.allow_long_passwords,
        sealing: match (arguments.seal, arguments.reseal) {
            (false, _) => Sealing::None,
            (true, false) => Sealing::Missing,
            (true, true) => Sealing::All,
        },
        dry_run: arguments.dry_run,
        production: arguments.production,
        signed_off_by: arguments.signed_off_by.clone(),
    })
}

/// What the repository holds; nothing where it is still to be made.
fn existing(into: &Path) -> anyhow::Result<Vec<Loaded>> {
    match source::load_directory(into) {
        Ok(files) => Ok(files),
        Err(source::Error::NoConfiguration { .. }) => Ok(Vec::new()),
        Err(source::Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound && !into.exists() => {
            Ok(Vec::new())
        }
        Err(error) => Err(error.into()),
    }
}

fn summarise(report: &Report, dry_run: bool, out: &mut impl Write) -> anyhow::Result<()> {
    for row in report.rows.iter().filter(|row| row.outcome == RowOutcome::Refused) {
        let operator = shown(row.operator.as_deref().unwrap_or("-"));
        for reason in &row.reasons {
            let message = shown(&reason.message);
            writeln!(out, "row {} (line {}) {operator}: {} {message}", row.record, row.line, reason.code)?;
        }
    }
    for line in &report.to_do {
        writeln!(out, "to do: {}", shown(line))?;
    }
    let Summary { records, imported, normalised, refused, ignored } = report.summary;
    writeln!(
        out,
        "{records} rows: {imported} imported, {normalised} normalised, {refused} refused, {ignored} blank; {} files {}, {} {}",
        report.created.len(),
        if dry_run { "would be created" } else { "created" },
        report.updated.len(),
        if dry_run { "would be changed" } else { "changed" },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    const HEADER: &str =
        "Operator ID,MNO Name,Country,Host,Port,System ID,Password,Bind Mode,Window,Max TPS,Prefixes\n";

    /// Runs an import of these rows with these arguments; how it ended and what it printed.
    fn import(folder: &Path, rows: &str, more: &[&str]) -> anyhow::Result<(bool, String)> {
        let (csv, into) = (folder.join("legacy.csv"), folder.join("into"));
        fs::write(&csv, format!("{HEADER}{rows}")).unwrap();
        let fixed = ["import".into(), csv.into_os_string(), "--into".into(), into.into_os_string()];
        let line = Line::try_parse_from(fixed.into_iter().chain(more.iter().map(Into::into)))?;
        let mut out = Vec::new();
        let outcome = run(&line.arguments, &mut out)?;
        Ok((matches!(outcome, Outcome::Clean), String::from_utf8(out).unwrap()))
    }

    const GOOD: &str = "zz-1,Alpha,EE,a.example,2775,gw,cn4ry001,TX,10,10,37258\n";
    const BAD: &str = "zz-2,Alpha,EE,b.example,0,gw,cn4ry002,TX,10,10,37259\n";

    #[test]
    fn a_dry_run_writes_its_report_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.json");
        let more = ["--dry-run", "--report", report.to_str().unwrap()];
        let (clean, out) = import(folder.path(), GOOD, &more).unwrap();
        assert!(clean && out.contains("would be created"), "{out}");
        assert!(!folder.path().join("into").exists());
        let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
        assert_eq!(report["rows"][0]["outcome"], "normalised", "priority and weight are the usual ones");
    }

    #[test]
    fn a_refused_row_fails_the_run_and_keeps_no_other_back() {
        let folder = tempfile::tempdir().unwrap();
        let (clean, out) = import(folder.path(), &format!("{GOOD}{BAD}"), &[]).unwrap();
        assert!(!clean && out.contains("row 2 (line 3) zz-2: BND0203") && !out.contains("cn4ry"), "{out}");
        assert!(folder.path().join("into/operators/ee-alpha/zz-1.yaml").exists());
        assert!(!folder.path().join("into/operators/ee-alpha/zz-2.yaml").exists());
    }

    #[test]
    fn what_turns_or_hides_writing_is_escaped() {
        let folder = tempfile::tempdir().unwrap();
        let row = "zz\u{200b}1,Alpha,EE,\u{202e}b.example,2775,gw,cn4ry002,TX,10,10,37259\n";
        let (_, out) = import(folder.path(), row, &[]).unwrap();
        assert!(out.contains("zz\\u{200b}1") && !out.contains(['\u{200b}', '\u{202e}']), "{out}");
    }

    #[test]
    fn nothing_is_written_when_one_file_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        // A folder stands where the report goes.
        let report = folder.path().join("report.md");
        fs::create_dir(&report).unwrap();
        assert!(import(folder.path(), GOOD, &["--report", report.to_str().unwrap()]).is_err());
        assert!(!folder.path().join("into").exists());
    }

    #[test]
    fn a_production_run_is_signed_off() {
        let folder = tempfile::tempdir().unwrap();
        assert!(import(folder.path(), GOOD, &["--production"]).is_err());
        assert!(import(folder.path(), GOOD, &["--production", "--signed-off-by", ""]).is_err());
        let report = folder.path().join("report.md");
        let more = ["--production", "--signed-off-by", "Jane Doe", "--report", report.to_str().unwrap()];
        assert!(import(folder.path(), GOOD, &more).unwrap().0);
        let text = fs::read_to_string(report).unwrap();
        assert!(text.contains("production run") && text.ends_with("| Jane Doe | | |\n"), "{text}");
    }

    #[test]
    fn sealing_needs_a_recipient_and_a_report_a_known_form() {
        let folder = tempfile::tempdir().unwrap();
        for more in [&["--seal"][..], &["--report", "x.pdf"], &["--reseal"], &["--contract-from", "2026-01-01"]] {
            assert!(import(folder.path(), GOOD, more).is_err(), "{more:?}");
        }
        assert!(!folder.path().join("into").exists());
    }
}
