//! Traces of fixture folders: a repository, `numbers.txt` and perhaps `at.txt` (an instant); `human.snap` is what a
//! person reads, `json.snap` what a program does.

use std::fs;
use std::path::{Path, PathBuf};

use bindery_compiler::trace::{Refused, Table, number, text, trace};
use bindery_compiler::{Compiler, Options};
use bindery_schema::catalog::Catalog;
use bindery_schema::value::{E164Prefix, MnoId};
use jiff::Timestamp;

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
