//! Timelines of fixture folders: a repository and perhaps `window.txt` (first and last day); `table.snap` is what a
//! person reads, `json.snap` what a program does.

use std::fs;
use std::path::Path;

use bindery_compiler::diagnostic::Severity;
use bindery_compiler::timeline::{Window, text};
use bindery_compiler::{Compiler, Options};
use bindery_schema::value::Day;
use bindery_tests::program::{bindery, git};
use proptest::prelude::*;
use serde_json::Value;

fn window(case: &Path) -> Window {
    let text = fs::read_to_string(case.join("window.txt")).unwrap_or_else(|_| "2026-11-24".to_owned());
    let mut days = text.split_whitespace().map(|day| day.parse().expect("a day"));
    Window { from: days.next().expect("a first day"), until: days.next() }
}

#[test]
fn every_case_reads_as_it_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/timeline");
    let mut cases: Vec<_> = fs::read_dir(folder).expect("fixtures").flatten().map(|entry| entry.path()).collect();
    cases.sort();
    assert!(cases.len() > 8, "only {} cases", cases.len());
    for case in cases {
        let window = window(&case);
        let options = Options { now: window.from.midnight(), environment: None };
        let (compiled, events) =
            Compiler::default().timeline_directory(&case, &options, window).expect("a readable fixture");
        let mut table = String::new();
        text::table(&events, window, &compiled.sources, &mut table).expect("a string takes any text");
        let json = format!("{:#}", text::json(&events, &compiled.sources));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&case);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            insta::assert_snapshot!("table", table);
            insta::assert_snapshot!("json", json);
        });
        // What is announced for a day is there on that day.
        for event in events.iter().filter(|event| event.severity == Severity::Error) {
            let then = Options { now: event.date.midnight(), environment: None };
            let then = Compiler::default().compile_directory(&case, &then).expect("a readable fixture");
            let found = then.findings.iter().any(|f| Some(f.code) == event.code && f.primary == event.location);
            assert!(found, "{}: {event:?} is not found on that day", case.display());
        }
    }
}

const DAYS: usize = 40;

fn day(number: usize) -> Day {
    let first: Day = "2027-01-01".parse().unwrap();
    Day::of(first.midnight() + jiff::SignedDuration::from_hours(24 * i64::try_from(number).unwrap()))
}

fn write_carrier(root: &Path, reservations: &[(usize, usize, u32)]) {
    let carrier = "apiVersion: bindery/v1\nkind: Mno\nmetadata:\n  id: one\nspec:\n  name: One\n  country: EE\n  contacts:\n    t1:\n      - name: NOC\n";
    let contract = "apiVersion: bindery/v1\nkind: TpsContract\nmetadata:\n  mno: one\nspec:\n  contracts:\n    - ref: C-1\n      direction: OUTBOUND\n      contractedTps: 100\n      effectiveFrom: \"2026-01-01\"\n      document: s3://c.example/C-1.pdf\n  reservations:\n";
    let mut text = format!("{carrier}---\n{contract}");
    for (number, (from, to, tps)) in reservations.iter().enumerate() {
        let (from, to) = (day(*from), day(*to));
        text += &format!(
            "    - tenant: t-{number}\n      direction: OUTBOUND\n      reservedTps: {tps}\n      effectiveFrom: \"{from}\"\n      effectiveTo: \"{to}\"\n"
        );
    }
    fs::create_dir_all(root.join("contracts")).unwrap();
    fs::write(root.join("contracts/one.yaml"), text).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Sums day by day tell when a contract becomes over-reserved, and when its pool runs low; no day is missed or told
    /// twice, however reservations begin and end in between.
    #[test]
    fn pools_are_told_on_the_day_they_run_low(spans in prop::collection::vec((1..DAYS, 1..12usize, 1..60u32), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let reservations: Vec<_> = spans.iter().map(|(from, length, tps)| (*from, from + length, *tps)).collect();
        write_carrier(folder.path(), &reservations);
        let reserved = |day: usize| -> u32 {
            reservations.iter().filter(|(from, to, _)| (*from..*to).contains(&day)).map(|(.., tps)| tps).sum()
        };
        // The policy's usual minimum: 10 %.
        let level = |day: usize| match reserved(day) { 0..=90 => 0, 91..=100 => 1, _ => 2 };
        let days = || 1..DAYS + 12;
        let last_over = days().rev().find(|day| level(*day) == 2).unwrap_or(0);
        let wanted = |code: &str| match code {
            "over" => days().filter(|day| level(*day) == 2 && level(day - 1) != 2).map(day).collect::<Vec<_>>(),
            // Where more is to come, what is low is not told beside it.
            _ => days().filter(|day| *day > last_over && level(*day) == 1 && level(day - 1) != 1).map(day).collect(),
        };
        let window = Window { from: day(0), until: None };
        let options = Options { now: window.from.midnight(), environment: None };
        let (_, events) = Compiler::default().timeline_directory(folder.path(), &options, window).unwrap();
        let told = |number: &str| -> Vec<Day> {
            events.iter().filter(|event| event.code.is_some_and(|code| code.number() == number)).map(|event| event.date).collect()
        };
        prop_assert_eq!(told("BND0604"), wanted("over"), "{:?}", reservations);
        prop_assert_eq!(told("BND0608"), wanted("low"), "{:?}", reservations);
    }
}

#[test]
fn the_program_lists_what_the_flags_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_carrier(root, &[(1, 5, 95), (20, 25, 50)]);
    let run = |arguments: &[&str]| {
        let output = bindery(&[&["timeline"], arguments].concat(), root, None);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let dates = |arguments: &[&str]| -> Vec<String> {
        let (code, out, err) = run(&[arguments, &["--format", "json"]].concat());
        assert_eq!(code, Some(0), "whatever comes: {err}");
        let answer: Value = serde_json::from_str(&out).unwrap();
        let events = answer.as_array().or_else(|| answer["events"].as_array()).unwrap();
        events.iter().map(|event| event["date"].as_str().unwrap().to_owned()).collect()
    };
    let all = dates(&["--from", "2027-01-01"]);
    assert_eq!(all, ["2027-01-02", "2027-01-02", "2027-01-06", "2027-01-21", "2027-01-26"]);
    assert_eq!(dates(&["--at", "2027-01-03"]), all[2..]);
    assert_eq!(dates(&["--from", "2027-01-01", "--until", "2027-01-06"]), all[..3]);
    assert_eq!(dates(&["--from", "2027-01-01", "--problems"]), all[..1]);
    let (code, out, _) = run(&["--from", "2027-01-01"]);
    assert!(code == Some(0) && out.contains("BND0608") && out.contains("contracts/one.yaml"), "{out}");

    for arguments in
        [&["init", "--quiet", "--initial-branch=main"][..], &["add", "."], &["commit", "--quiet", "-m", "one"]]
    {
        git(arguments, root);
    }
    write_carrier(root, &[(20, 25, 50)]);
    assert_eq!(dates(&["--from", "2027-01-01"]), all[3..]);
    assert_eq!(dates(&["--from", "2027-01-01", "--rev", "main"]), all);
    let reversed = ["--from", "2027-01-02", "--until", "2027-01-01"];
    for wrong in [
        &["--from", "tomorrow"][..],
        &["--rev", "v9"],
        &["--format", "yaml"],
        &["--until", "2027-13-01"],
        &reversed,
        &["--until", "2026-01-01"],
    ] {
        let (code, out, err) = run(wrong);
        assert!(code == Some(1) && out.is_empty() && err.contains("error"), "{wrong:?}: {code:?} {out} {err}");
    }
}
