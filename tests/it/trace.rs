//! Traces of fixture folders: a repository, `numbers.txt` and perhaps `at.txt` (an instant); `human.snap` is what a
//! person reads, `json.snap` what a program does.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use bindery_compiler::trace::{Refused, Table, country, number, text, trace};
use bindery_compiler::{Compiler, Options};
use bindery_schema::catalog::Catalog;
use bindery_schema::value::{E164Prefix, MnoId};
use bindery_tests::program::{bindery, git};
use bindery_tests::stack::workspace;
use jiff::Timestamp;
use serde_json::{Value, json};

const TODAY: &str = "2026-11-24T00:00:00Z";

fn catalog(repository: &Path) -> Catalog {
    let options = Options { now: TODAY.parse().expect("an instant"), environment: None };
    let compiled = Compiler::default().compile_directory(repository, &options).expect("a readable repository");
    assert_eq!(compiled.error_count(), 0, "{}: {:#?}", repository.display(), compiled.findings);
    compiled.catalog().expect("a catalog").clone()
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/trace");
    let mut cases: Vec<_> = fs::read_dir(folder).expect("fixtures").flatten().map(|entry| entry.path()).collect();
    cases.sort();
    cases
}

#[test]
fn every_case_reads_as_it_should() {
    let cases = cases();
    assert!(cases.len() > 5, "only {} cases", cases.len());
    for case in cases {
        let catalog = catalog(&case);
        let at = fs::read_to_string(case.join("at.txt")).unwrap_or_else(|_| TODAY.to_owned());
        let at: Timestamp = at.trim().parse().expect("an instant");
        let table = Table::new(&catalog, at);
        let (mut people, mut programs) = (String::new(), String::new());
        for line in fs::read_to_string(case.join("numbers.txt")).expect("numbers.txt").lines() {
            match number::parse(line) {
                Ok(number) => {
                    let found = trace(number, &table, &catalog, at);
                    text::human(&found, at, &mut people).expect("a string takes any text");
                    programs.push_str(&serde_json::to_string_pretty(&found).expect("plain data"));
                }
                Err(error) => {
                    people.push_str(&format!("`{line}` is no number: {error}\n"));
                    let refused = Refused { number: line, error: error.to_string() };
                    programs.push_str(&serde_json::to_string_pretty(&refused).expect("plain data"));
                }
            }
            people.push('\n');
            programs.push('\n');
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&case);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            insta::assert_snapshot!("human", people);
            insta::assert_snapshot!("json", programs);
        });
    }
}

/// The example configuration is made of real numbering plans: each prefix is somebody's, whatever lies around it.
#[test]
fn every_prefix_of_the_examples_goes_to_its_carrier_first() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let catalog = catalog(root);
    let at = TODAY.parse().expect("an instant");
    let table = Table::new(&catalog, at);
    let mut traced = 0;
    for (id, operator) in &catalog.operators {
        for rule in operator.rules.iter() {
            let digits = rule.prefix.digits();
            let number = E164Prefix::from_digits(&format!("{digits:0<12}")).expect("a number");
            // The number may lie inside a narrower prefix too; the prefix itself lies inside none.
            for number in [rule.prefix, number] {
                let found = trace(number, &table, &catalog, at);
                let mut knows = found.rejected.iter().map(|rejected| rejected.operator);
                let mut serves = found.routes.iter().map(|route| route.operator);
                assert!(knows.any(|known| known == id) || serves.any(|known| known == id), "{number} and {id}");
                for route in &found.routes {
                    let winner = &catalog.operators[route.operator];
                    let country = catalog.mnos[&winner.mno].spec.country;
                    assert_eq!(found.country, Some(country.as_str()), "{number}");
                    let primary = lowest_priority(&catalog, &operator.mno, rule.prefix);
                    if number == rule.prefix {
                        assert_eq!((&winner.mno, Some(route.priority)), (&operator.mno, primary), "{number}");
                    }
                }
                assert!(!found.routes.is_empty(), "{number}");
                traced += 1;
            }
        }
    }
    assert!(traced > 1000, "only {traced} numbers");
}

fn lowest_priority(catalog: &Catalog, mno: &MnoId, prefix: E164Prefix) -> Option<u16> {
    let own = catalog.operators.values().filter(|operator| operator.mno == *mno);
    own.flat_map(|operator| operator.rules.iter().filter(|rule| rule.prefix == prefix)).map(|rule| rule.priority).min()
}

/// A rule as the lines of a routes file have it.
#[derive(Debug, Clone)]
struct Line {
    operator: String,
    priority: u16,
    weight: u16,
    active: bool,
}

/// Every rule of the example configuration by the digits of its prefix, read without the compiler.
fn read_by_lines(root: &Path) -> HashMap<String, Vec<Line>> {
    let mut rules: HashMap<String, Vec<Line>> = HashMap::new();
    for folder in fs::read_dir(root.join("operators")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let Some(operator) = name.strip_suffix(".routes.yaml") else { continue };
            let bind = fs::read_to_string(file.with_file_name(format!("{operator}.yaml"))).unwrap();
            let on = !bind.lines().any(|line| line == "  status: INACTIVE");
            let text = fs::read_to_string(&file).unwrap();
            for rule in text.split("    - prefix: \"+").skip(1) {
                let digits = rule.split('"').next().unwrap().to_owned();
                let field = |name: &str| {
                    let line = rule.lines().find_map(|line| line.strip_prefix(&format!("      {name}: ")));
                    line.map(str::to_owned)
                };
                let number = |name, usual| field(name).map_or(usual, |text| text.parse().unwrap());
                let line = Line {
                    operator: operator.to_owned(),
                    priority: number("priority", 100),
                    weight: number("weight", 100),
                    active: on && field("active").as_deref() != Some("false"),
                };
                rules.entry(digits).or_default().push(line);
            }
        }
    }
    rules
}

/// Shortening a number digit by digit until a hash map knows it: nothing of the table's way of searching is in this.
#[test]
fn thousands_of_numbers_go_where_the_files_say() {
    let root = workspace();
    let rules = read_by_lines(&root);
    let catalog = catalog(&root);
    assert_eq!(rules.values().map(Vec::len).sum::<usize>(), catalog.rule_count(), "every rule was read");
    let at = TODAY.parse().unwrap();
    let table = Table::new(&catalog, at);
    let mut prefixes: Vec<&String> = rules.keys().collect();
    prefixes.sort();
    let (mut numbers, mut served) = (0, 0);
    for (step, prefix) in prefixes.iter().enumerate() {
        for tail in 0..20_u64 {
            // Digits that are spread, and that do not change from run to run; one of ten leaves the prefix by a digit.
            let tail = tail.wrapping_mul(0x9E37_79B9).wrapping_add(step as u64 * 7_919) % 100_000;
            let head = if tail % 10 == 0 { &prefix[..prefix.len() - 1] } else { prefix };
            let number = format!("{head}{tail:05}");
            let longest = (1..=number.len()).rev().find_map(|length| {
                let active = rules.get(&number[..length])?.iter().filter(|rule| rule.active).collect::<Vec<_>>();
                let first = active.iter().map(|rule| rule.priority).min()?;
                let mut routes: Vec<_> = active
                    .iter()
                    .filter(|rule| rule.priority == first && rule.weight > 0)
                    .map(|rule| (rule.operator.clone(), number[..length].to_owned(), rule.priority, rule.weight))
                    .collect();
                routes.sort();
                Some(routes)
            });
            let found = trace(E164Prefix::from_digits(&number).unwrap(), &table, &catalog, at);
            let mut routes: Vec<_> = found
                .routes
                .iter()
                .map(|route| (route.operator.to_string(), route.prefix.digits(), route.priority, route.weight))
                .collect();
            routes.sort();
            assert_eq!(routes, longest.unwrap_or_default(), "{number}");
            let matching: usize =
                (1..=number.len()).filter_map(|length| rules.get(&number[..length])).map(Vec::len).sum();
            assert_eq!(found.routes.len() + found.rejected.len(), matching, "{number}: each rule is told of once");
            numbers += 1;
            served += usize::from(!routes.is_empty());
        }
    }
    assert!(numbers > 10_000 && served > 9_000, "{served} of {numbers} numbers are served");
}

/// Each calling code that is one country's, and an example number of every region, as libphonenumber has them.
#[test]
fn countries_agree_with_libphonenumber() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/numbering");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    for line in read("regions.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (code, regions) = line.split_once('\t').unwrap();
        // 672 is Norfolk Island's and that of the bases in Antarctica.
        if regions.contains(' ') || code == "672" {
            continue;
        }
        let expected = (regions != "001").then_some(regions);
        for tail in ["", "1234567", "7001234", "9001234"] {
            let number = E164Prefix::from_digits(&format!("{code}{tail}")).unwrap();
            assert_eq!(country::of(number), expected, "{number}");
        }
    }
    // Islands that share every range with their neighbours, and Western Sahara, which has Morocco's.
    let untold = ["BL", "MF", "EH", "NF"];
    for line in read("examples.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (number, region) = line.split_once('\t').unwrap();
        if !untold.contains(&region) {
            assert_eq!(country::of(number.parse().unwrap()), Some(region), "{number}");
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/trace").join(name)
}

/// Code, standard output and standard error of a run in a folder.
fn ended(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn objects(output: &Output) -> Vec<Value> {
    ended(output).1.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_file_is_answered_line_by_line() {
    let case = fixture("longest-prefix");
    let lines = "\u{feff}+93791234567\r\n0791234567\n\n+999 1\nnot a number\n00 93-79 1234567";
    let output = bindery(&["trace", "--file", "-", "--format", "json"], &case, Some(lines));
    assert_eq!(ended(&output).0, Some(0), "of a file each line carries its own answer: {output:?}");
    let answers = objects(&output);
    assert_eq!(answers.len(), 6, "{answers:#?}");
    assert_eq!((&answers[0]["number"], &answers[0]["country"]), (&json!("+93791234567"), &json!("AF")));
    assert!(answers[0]["routes"].as_array().is_some_and(|routes| !routes.is_empty()));
    assert_eq!((&answers[5]["number"], &answers[5]["routes"]), (&answers[0]["number"], &answers[0]["routes"]));
    for (answer, number) in [(1, "0791234567"), (2, ""), (4, "not a number")] {
        let keys: Vec<_> = answers[answer].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["number", "error"]);
        assert_eq!(answers[answer]["number"], number);
        assert!(answers[answer]["error"].as_str().is_some_and(|error| !error.is_empty()));
    }
    assert_eq!((&answers[3]["country"], &answers[3]["routes"]), (&json!(null), &json!([])));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("numbers.txt");
    fs::write(&file, lines).unwrap();
    let from_file = bindery(&["trace", "--file", file.to_str().unwrap(), "--format", "json"], &case, None);
    assert_eq!(ended(&from_file).1, ended(&output).1);
    let none = bindery(&["trace", "--file", "-", "--format", "json"], &case, Some(""));
    assert_eq!((ended(&none).0, ended(&none).1), (Some(0), String::new()));
}

#[test]
fn a_number_of_the_command_line_must_be_one() {
    let case = fixture("longest-prefix");
    let run = |arguments: &[&str]| ended(&bindery(&[&["trace"], arguments].concat(), &case, None));
    let (code, out, _) = run(&["+93791234567"]);
    assert!(code == Some(0) && out.contains("+93791234567"), "{out}");
    let (code, out, _) = run(&["+999123456"]);
    assert_eq!(code, Some(0), "nobody serving a number is an answer: {out}");
    let (code, out, _) = run(&["0791234567", "+93791234567"]);
    assert!(code == Some(1) && out.contains("`0791234567` is no number") && out.contains("+93791234567"), "{out}");
    let (code, out, _) = run(&["93x", "--format", "json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert!(code == Some(1) && answer["number"] == "93x" && answer["error"].is_string(), "{out}");
    for wrong in [
        &[][..],
        &["+9379", "--file", "-"],
        &["+9379", "--at", "yesterday"],
        &["--file", "no-such-file"],
        &["+9379", "--rev", "main"],
        &["+9379", "--format", "xml"],
    ] {
        let (code, out, err) = run(wrong);
        assert!(code == Some(1) && out.is_empty() && err.contains("error"), "{wrong:?}: {code:?} {out} {err}");
    }
    let broken = tempfile::tempdir().unwrap();
    fs::create_dir(broken.path().join("operators")).unwrap();
    fs::write(broken.path().join("operators/a.yaml"), "kind: [").unwrap();
    let (code, out, err) = ended(&bindery(&["trace", "+93791234567", "--format", "json"], broken.path(), None));
    assert!(code == Some(1) && out.is_empty() && err.contains("BND0101"), "{out} {err}");
}

#[test]
fn a_time_settles_which_id_and_which_contract_count() {
    let case = fixture("rename-before");
    let at = |time: &str| {
        let output = bindery(&["trace", "+93791234567", "--at", time, "--format", "json"], &case, None);
        assert_eq!(ended(&output).0, Some(0), "{output:?}");
        objects(&output).remove(0)
    };
    for (time, operator) in [
        ("2026-12-24T11:59:59Z", "one-old"),
        ("2026-12-24T12:00:00Z", "one-new"),
        ("2026-12-24T13:00:00+01:00", "one-new"),
        ("2026-12-24", "one-old"),
        ("2026-12-25", "one-new"),
    ] {
        assert_eq!(at(time)["routes"][0]["operator"], operator, "{time}");
    }
    assert_eq!(at("2025-12-31")["contracts"][0]["state"], "NOT_YET");
    assert_eq!(at("2026-01-01")["contracts"][0]["state"], "IN_FORCE");
}

#[test]
fn a_revision_and_an_environment_are_traced_in() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("operators")).unwrap();
    let yaml = fs::read_to_string(fixture("rename-after").join("operators/all.yaml")).unwrap();
    let yaml = yaml.replacen(
        "  tps:\n    outbound: 10\n",
        "  tps:\n    outbound: 10\n  environments:\n    staging:\n      tps:\n        outbound: 3\n",
        1,
    );
    assert!(yaml.contains("staging") && yaml.contains("{prefix: \"+9379\"}"));
    fs::write(root.join("operators/all.yaml"), &yaml).unwrap();
    for arguments in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "."],
        &["commit", "--quiet", "-m", "one"],
        &["tag", "v1"],
    ] {
        git(arguments, root);
    }
    fs::write(root.join("operators/all.yaml"), yaml.replace("\"+9379\"", "\"+9370\"")).unwrap();
    let routes = |more: &[&str]| {
        let output = bindery(&[&["trace", "+93791234567", "--format", "json"], more].concat(), root, None);
        assert_eq!(ended(&output).0, Some(0), "{output:?}");
        objects(&output).remove(0)
    };
    assert_eq!(routes(&[])["routes"], json!([]), "the working tree is what is traced in");
    let before = routes(&["--rev", "v1"]);
    assert_eq!(before["routes"][0]["prefix"], "+9379");
    assert_eq!(before["operators"][0]["tps"]["outbound"], 10);
    assert_eq!(routes(&["--rev", "HEAD", "--env", "staging"])["operators"][0]["tps"]["outbound"], 3);
    let (code, out, err) = ended(&bindery(&["trace", "+9379", "--rev", "v2"], root, None));
    assert!(code == Some(1) && out.is_empty() && err.contains("v2"), "{err}");
}
