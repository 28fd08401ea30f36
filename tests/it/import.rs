//! Imports of fixture folders: what becomes of every row, and what holds of every import.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bindery_compiler::format::format;
use bindery_compiler::import::{Import, Mapping, Options, Outcome, Sealing, Terms, import};
use bindery_compiler::source::{self, Loaded};
use bindery_compiler::{Compiler, diagnostic::Code, diagnostic::Severity};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How every password of the fixtures begins.
const CANARY: &str = "cn4ry";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import")
}

fn now() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

fn options(case: &Path) -> Options {
    let wishes = fs::read_to_string(case.join("options.json")).unwrap_or_else(|_| "{}".to_owned());
    let wishes: Value = serde_json::from_str(&wishes).unwrap();
    let mapping = fs::read_to_string(case.join("mapping.yaml")).unwrap_or_default();
    let terms = wishes["contractFrom"].as_str().zip(wishes["documentPrefix"].as_str());
    Options {
        now: now(),
        source: "legacy.csv".to_owned(),
        mapping: Mapping::read(&mapping).unwrap(),
        terms: terms.map(|(from, prefix)| Terms::new(from.parse().unwrap(), prefix).unwrap()),
        allow_long_passwords: wishes["allowLongPasswords"] == true,
        sealing: Sealing::None,
        dry_run: false,
        production: false,
        signed_off_by: None,
    }
}

fn load(root: &Path) -> Vec<Loaded> {
    source::load_directory(root).unwrap_or_default()
}

fn write(root: &Path, files: &BTreeMap<String, String>) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    for file in load(from) {
        let text = fs::read_to_string(from.join(&*file.path)).unwrap();
        write(to, &BTreeMap::from([(file.path.to_string(), text)]));
    }
}

/// Every text an import hands out.
fn outputs(import: &Import) -> Vec<String> {
    let files = import.files.values().cloned();
    files.chain([import.report.json().unwrap(), import.report.markdown(), format!("{import:?}")]).collect()
}

/// Rows as `expect.json` has them.
fn verdicts(import: &Import) -> Vec<Value> {
    let rows = import.report.rows.iter().map(|row| {
        let mut codes: Vec<_> = row.reasons.iter().map(|reason| reason.code.number()).collect();
        codes.sort_unstable();
        let outcome = serde_json::to_value(row.outcome).unwrap();
        json!({"record": row.record, "line": row.line, "operator": row.operator, "outcome": outcome, "codes": codes})
    });
    rows.collect()
}

#[test]
fn every_case_ends_as_it_should() {
    let mut cases: Vec<_> = fs::read_dir(fixtures()).unwrap().flatten().map(|entry| entry.path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    assert!(cases.len() >= 9);
    for case in cases {
        let name = case.display();
        let folder = tempfile::tempdir().unwrap();
        copy(&case.join("repo"), folder.path());
        let bytes = fs::read(case.join("legacy.csv")).unwrap();
        let done = import(&bytes, &load(folder.path()), &options(&case)).unwrap();
        let expected: Vec<Value> =
            serde_json::from_str(&fs::read_to_string(case.join("expect.json")).unwrap()).unwrap();
        for (have, want) in verdicts(&done).iter().zip(&expected) {
            let row = done.report.rows.iter().find(|row| row.record == want["record"]);
            assert_eq!(have, want, "{name}: {row:#?}");
        }
        assert_eq!(done.report.rows.len(), expected.len(), "{name}");
        for text in outputs(&done) {
            assert!(!text.contains(CANARY), "{name} repeats a password:\n{text}");
        }
        // Changes are said of every row that was changed, reasons of every row that was refused.
        for row in &done.report.rows {
            assert_eq!(row.outcome == Outcome::Refused, !row.reasons.is_empty(), "{name}: {row:?}");
            assert!(row.outcome != Outcome::Normalised || !row.changes.is_empty(), "{name}: {row:?}");
        }
        for (path, text) in &done.files {
            assert_eq!(format(text).as_deref(), Ok(&**text), "{name}: {path} is not as `bindery fmt` would have it");
        }
        write(folder.path(), &done.files);
        let check = bindery_compiler::Options { now: now(), environment: None };
        let compiled = Compiler::default().compile_directory(folder.path(), &check).unwrap();
        let errors: Vec<_> = compiled.findings.iter().filter(|finding| finding.severity() == Severity::Error).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        let again = import(&bytes, &load(folder.path()), &options(&case)).unwrap();
        assert!(again.files.is_empty(), "{name}: a second run changes {:?}", again.files.keys());
        assert_eq!(verdicts(&again), expected, "{name}: the second run");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&case);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let written: Vec<_> = done.files.iter().map(|(path, text)| format!("--- {path}\n{text}")).collect();
        settings.bind(|| insta::assert_snapshot!("report", done.report.markdown()));
        settings.bind(|| insta::assert_snapshot!("written", written.concat()));
    }
}

/// The same rows as Excel in English and in German saves them, or under headers only a mapping knows, come to the same.
#[test]
fn twins_have_the_same_verdicts() {
    let verdicts = |name: &str| {
        let case = fixtures().join(name);
        let done = import(&fs::read(case.join("legacy.csv")).unwrap(), &[], &options(&case)).unwrap();
        (verdicts(&done), done.files)
    };
    assert_eq!(verdicts("every-rule"), verdicts("german-excel"));
    let english = verdicts("seventy-one");
    for twin in ["seventy-one-german", "seventy-one-mapped"] {
        assert_eq!(verdicts(twin), english, "{twin}");
    }
}

#[test]
fn passwords_are_sealed_once() {
    let case = fixtures().join("template");
    let folder = tempfile::tempdir().unwrap();
    let key = age::x25519::Identity::generate();
    let policy = format!(
        "apiVersion: bindery/v1\nkind: Policy\nspec:\n  secrets:\n    recipients:\n      - {}\n",
        key.to_public()
    );
    let bytes = fs::read(case.join("legacy.csv")).unwrap();
    let sealing = Options { sealing: Sealing::Missing, ..options(&case) };
    assert!(import(&bytes, &[], &sealing).is_err(), "without a recipient nobody could open them");
    write(folder.path(), &BTreeMap::from([("policy.yaml".to_owned(), policy)]));

    let plain = import(&bytes, &load(folder.path()), &options(&case)).unwrap();
    write(folder.path(), &plain.files);
    let sealed = import(&bytes, &load(folder.path()), &sealing).unwrap();
    assert_eq!(sealed.report.updated.len(), 2);
    assert!(outputs(&sealed).iter().all(|text| !text.contains(CANARY)));
    write(folder.path(), &sealed.files);
    let identities = folder.path().join("identities");
    fs::write(&identities, age::secrecy::ExposeSecret::expose_secret(&key.to_string())).unwrap();
    let identities = bindery_compiler::seal::Identities::read(&identities).unwrap();
    let check = bindery_compiler::Options { now: now(), environment: None };
    let compiled = Compiler::default().compile_directory(folder.path(), &check).unwrap();
    let id = "zz-alpha".parse().unwrap();
    let operator = &compiled.catalog().unwrap().operators[&id];
    let password = bindery_compiler::seal::open(operator.spec.sealed().unwrap(), &id, None, &identities).unwrap();
    assert_eq!(password.expose(), "cn4ry7pq");

    let again = import(&bytes, &load(folder.path()), &sealing).unwrap();
    assert!(again.files.is_empty(), "what is sealed stays");
    let anew = Options { sealing: Sealing::All, ..sealing };
    assert_eq!(import(&bytes, &load(folder.path()), &anew).unwrap().report.updated.len(), 2);
}

/// A repository of so many carriers with a contract of 100 messages a second each.
fn contracted(carriers: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for carrier in 0..carriers {
        let id = format!("ee-carrier-{carrier}");
        let mno = format!(
            "apiVersion: bindery/v1\nkind: Mno\nmetadata: {{id: {id}}}\nspec: {{name: Carrier {carrier}, country: EE, \
             contacts: {{t1: [{{name: a}}]}}}}\n"
        );
        let contract = format!(
            "apiVersion: bindery/v1\nkind: TpsContract\nmetadata: {{mno: {id}}}\nspec:\n  contracts:\n    - {{ref: C1, \
             direction: OUTBOUND, contractedTps: 100, effectiveFrom: \"2026-01-01\", document: s3://c/1.pdf}}\n"
        );
        let files = [(format!("operators/{id}/mno.yaml"), mno), (format!("contracts/{id}.yaml"), contract)];
        write(folder.path(), &BTreeMap::from(files));
    }
    folder
}

/// What becomes of rows given by operator, carrier, host, rate and prefix. A second run writes nothing.
fn outcomes(folder: &Path, rows: &[(String, usize, String, u32, String)]) -> Vec<(Outcome, Vec<Code>)> {
    let header = fs::read_to_string(fixtures().join("template/legacy.csv")).unwrap();
    let mut sheet = format!("{}\n", header.lines().next().unwrap());
    for (id, carrier, host, rate, prefix) in rows {
        sheet +=
            &format!("{id},Carrier {carrier},EE,,{host}.example,2775,gw,cn4ry001,,TX,100,{rate},{prefix},10,100,,,,\n");
    }
    let run = || import(sheet.as_bytes(), &load(folder), &options(&fixtures().join("none"))).unwrap();
    let done = run();
    write(folder, &done.files);
    assert!(run().files.is_empty());
    let codes = |row: &bindery_compiler::import::Row| row.reasons.iter().map(|reason| reason.code).collect();
    done.report.rows.iter().map(|row| (row.outcome, codes(row))).collect()
}

/// Carriers have nothing to do with each other: each of many is searched for the row that is one too many.
#[test]
fn of_many_carriers_over_contract_only_the_rows_at_fault_are_refused() {
    const CARRIERS: usize = 40;
    let row = |n: usize| (format!("zz-{n}"), n / 3, format!("s{n}"), [60, 60, 40][n % 3], format!("3725{n:03}"));
    let rows: Vec<_> = (0..3 * CARRIERS).map(row).collect();
    let taken = (Outcome::Imported, Vec::new());
    let expected = [taken.clone(), (Outcome::Refused, vec![Code::TpsOverContract]), taken];
    for (carrier, rows) in outcomes(contracted(CARRIERS).path(), &rows).chunks(3).enumerate() {
        assert_eq!(rows, expected, "{carrier}");
    }
}

/// The first row is beyond the contract, and what it would have had is free for those behind it.
#[test]
fn a_row_over_contract_holds_nothing() {
    let row = |id: &str, carrier, host: &str, rate, prefix: &str| {
        (id.to_owned(), carrier, host.to_owned(), rate, prefix.to_owned())
    };
    let rows = [
        row("zz-1", 0, "s1", 150, "37251"),
        row("zz-1", 0, "s2", 50, "37252"),
        row("zz-3", 0, "s1", 60, "37253"),
        row("zz-4", 0, "s1", 50, "37254"),
        row("zz-5", 1, "s5", 1, "37251"),
        row("zz-5", 1, "s6", 1, "37256"),
    ];
    let (taken, over) = ((Outcome::Imported, Vec::new()), (Outcome::Refused, vec![Code::TpsOverContract]));
    let twice = (Outcome::Refused, vec![Code::DuplicateObject]);
    assert_eq!(outcomes(contracted(2).path(), &rows), [over.clone(), taken.clone(), over, taken.clone(), taken, twice]);
}

#[test]
fn a_long_password_is_taken_where_it_is_allowed() {
    let case = fixtures().join("every-rule");
    let long = Options { allow_long_passwords: true, ..options(&case) };
    let done = import(&fs::read(case.join("legacy.csv")).unwrap(), &[], &long).unwrap();
    assert!(done.report.rows.iter().flat_map(|row| &row.reasons).all(|reason| reason.code != Code::LongPasswordLimit));
}

#[test]
fn what_is_no_spreadsheet_is_an_error_that_repeats_nothing() {
    let case = fixtures().join("template");
    let bytes = fs::read(case.join("legacy.csv")).unwrap();
    let end_of_header = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    for bytes in [&b""[..], b"\n\n", b"\xff\xfea\0", b"a,b\n", &bytes[end_of_header + 1..], b"\"a"] {
        let error = import(bytes, &[], &options(&case)).unwrap_err();
        assert!(!error.to_string().contains(CANARY), "{error}");
    }
}

#[test]
fn more_rows_than_a_sheet_has_are_no_spreadsheet() {
    let case = fixtures().join("template");
    let header =
        fs::read(case.join("legacy.csv")).unwrap().split_inclusive(|byte| *byte == b'\n').next().unwrap().to_vec();
    let with = |blank: usize| import(&[header.clone(), vec![b'\n'; blank]].concat(), &[], &options(&case));
    assert_eq!(with(1000).unwrap().report.summary.ignored, 1000);
    assert!(matches!(with((1 << 20) + 1), Err(bindery_compiler::import::Error::TooManyRecords)));
}

mod any_input {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Vec<u8> {
        let bytes = fs::read(fixtures().join("template/legacy.csv")).unwrap();
        bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap().to_vec()
    }

    /// Cells near what is right, so that some rows get far.
    fn cell() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => prop::sample::select(vec![
                "zz-1", "zz-2", "Alpha", "EE", "248-98", "a.example", "2775", "gw", "cn4ry1", "SMPP", "TRX", "RX", "10",
                "37258|372581", "+372 59", "0.01", "", "=x", "\"", "é", "mno", "no", "a: b # c", "\u{85}", "'", "- x",
            ]).prop_map(str::to_owned),
            1 => ".{0,8}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn is_read_and_compiles(rows in prop::collection::vec(prop::collection::vec(cell(), 19), 0..6)) {
            let mut bytes = header();
            for row in &rows {
                let cells: Vec<_> = row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
                bytes.extend(format!("{}\n", cells.join(",")).into_bytes());
            }
            let done = import(&bytes, &[], &options(&fixtures().join("none"))).unwrap();
            prop_assert_eq!(done.report.rows.len(), rows.len());
            prop_assert!(done.report.json().is_ok());
        }

        /// A row that is right but for one free text must compile whatever the text is.
        #[test]
        fn any_name_and_note_is_quoted(name in "[^\"\\p{Cc}]{1,20}", note in "[^\"]{0,20}", noc in "[^\"]{0,20}") {
            let mut bytes = header();
            let row = format!(
                "zz-1,\"{name}\",EE,248-98,a.example,2775,gw,cn4ry001,SMPP,TX,10,10,37258,10,100,0.01,\"{name}\",\"{noc}\",\"{note}\"\n"
            );
            bytes.extend(row.into_bytes());
            let terms = Terms::new("2026-01-01".parse().unwrap(), "s3://c").unwrap();
            let options = Options { terms: Some(terms), ..options(&fixtures().join("none")) };
            let done = import(&bytes, &[], &options).unwrap();
            let row = &done.report.rows[0];
            prop_assert!(row.reasons.iter().all(|reason| [Code::FormulaCell, Code::OutOfRange, Code::MissingField].contains(&reason.code)), "{row:?}");
        }

        /// Wherever else a password stands, and wherever a stray line ending or delimiter tears its row, it is shown nowhere.
        #[test]
        fn no_password_is_told(
            places in prop::collection::vec((0..19_usize, ".{0,6}", ".{0,6}", any::<bool>()), 0..3),
            torn in prop::option::of((0..19_usize, prop::sample::select(vec!["\n", ",", "\""]))),
        ) {
            let row = "zz-1,Alpha,EE,248-98,a.example,2775,gw,cn4ry001,SMPP,TX,10,10,37258,10,100,0.01,CTR-1,noc@a.example,";
            let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
            for (column, before, after, upper) in &places {
                // An id that is the password of a torn row cannot be told from any other.
                if *column != 7 && (*column > 0 || torn.is_none()) {
                    let password = if *upper { "CN4RY001" } else { "cn4ry001" };
                    cells[*column] = format!("\"{before}{password}{after}\"");
                }
            }
            if let Some((column, by)) = torn {
                cells[column].insert_str(0, by);
            }
            let bytes = [header(), cells.join(",").into_bytes(), b"\n".to_vec()].concat();
            let terms = Terms::new("2026-01-01".parse().unwrap(), "s3://c").unwrap();
            let options = Options { terms: Some(terms), ..options(&fixtures().join("none")) };
            let done = import(&bytes, &[], &options).unwrap();
            for text in outputs(&done) {
                prop_assert!(!text.to_lowercase().contains(CANARY), "{text}");
            }
        }

        #[test]
        fn bytes_are_read(tail in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [header(), tail.clone()].concat();
            let _ = import(&bytes, &[], &options(&fixtures().join("none")));
            let _ = import(&tail, &[], &options(&fixtures().join("none")));
        }
    }
}
