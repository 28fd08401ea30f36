//! One fault, one finding: every line of a repository that uses the whole vocabulary is spoilt in several ways, and each
//! time exactly one thing is found, at that line. What a spoilt field was for must not be measured without it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bindery_compiler::source::{Content, Loaded};
use bindery_compiler::{Compiled, Compiler, Options};

/// Keys that are names of the repository's own.
const FREE: [&str; 2] = ["staging", "prod"];

/// The files by path.
pub(crate) fn repository() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/one-fault");
    let (mut folders, mut files): (Vec<PathBuf>, _) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("below the root").to_str().expect("a name").to_owned();
                files.push((name, fs::read_to_string(path).expect("text")));
            }
        }
    }
    files.sort();
    files
}

pub(crate) fn compile(files: &[(String, String)]) -> Compiled {
    let now = "2026-11-24T00:00:00Z".parse().expect("an instant");
    let loaded = files.iter().map(|(path, text)| Loaded {
        path: Arc::from(path.as_str()),
        blob: None,
        content: Content::Text(text.as_str().into()),
    });
    Compiler::default().compile(loaded.collect(), &Options { now, environment: None })
}

/// What was found, by file, line and code.
pub(crate) fn found(compiled: &Compiled) -> BTreeSet<(String, usize, String)> {
    let found = compiled.findings.iter().map(|finding| {
        let place = finding.place().expect("a place");
        let path = compiled.sources.path(place.file).to_owned();
        (path, place.span.start.line as usize, finding.code.number().to_owned())
    });
    found.collect()
}

/// A line that sets a field: what stands before the key, the key and the value.
pub(crate) struct Field<'l> {
    indent: &'l str,
    dash: &'l str,
    pub(crate) key: &'l str,
    value: &'l str,
}

impl<'l> Field<'l> {
    pub(crate) fn of(line: &'l str) -> Option<Self> {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        let (dash, rest) = rest.split_at(if rest.starts_with("- ") { 2 } else { 0 });
        let (key, value) = rest.split_once(':')?;
        let is_key = key.bytes().all(|b| b.is_ascii_alphanumeric()) && !FREE.contains(&key);
        is_key.then_some(Self { indent, dash, key, value: value.trim_start() })
    }

    /// The line in every way it is spoilt, with the number of lines down to the fault.
    pub(crate) fn spoilt(&self) -> Vec<(String, usize)> {
        let Self { indent, dash, key, value } = self;
        let middle = key.len() / 2;
        let misspelt = match key.len() {
            0..=2 => None,
            3 => Some(format!("{key}x")),
            _ => Some(format!("{}{}", &key[..middle], &key[middle + 1..])),
        };
        let mut ways = Vec::from_iter(misspelt.map(|key| (format!("{indent}{dash}{key}: {value}"), 0)));
        if !value.is_empty() {
            let deeper = " ".repeat(dash.len());
            ways.push((format!("{indent}{dash}{key}: {value}\n{indent}{deeper}{key}: {value}"), 1));
            ways.push((format!("{indent}{dash}{key}: [[1]]"), 0));
            ways.push((format!("{indent}{dash}{key}: ~"), 0));
        }
        if value.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !value.is_empty() {
            ways.push((format!("{indent}{dash}{key}: \"{value}\""), 0));
        }
        ways
    }
}

#[test]
fn every_spoilt_line_gives_one_finding_at_its_line() {
    let files = repository();
    let clean = compile(&files);
    assert!(clean.findings.is_empty(), "{:#?}", clean.findings);
    let (mut tried, mut failures) = (0, Vec::new());
    for (number, (path, text)) in files.iter().enumerate() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            for (spoilt, down) in Field::of(line).iter().flat_map(Field::spoilt) {
                let mut broken = files.clone();
                let around = [&lines[..at], &[spoilt.as_str()], &lines[at + 1..]].concat();
                broken[number].1 = around.join("\n") + "\n";
                let compiled = compile(&broken);
                let found = found(&compiled);
                tried += 1;
                let is_there = |(file, line, _): &(String, usize, String)| file == path && *line == at + 1 + down;
                if compiled.findings.len() != 1 || !found.iter().all(is_there) {
                    failures.push(format!("{path}:{} {spoilt:?}: {found:?}", at + 1));
                }
            }
        }
    }
    assert!(tried > 700, "only {tried}");
    assert!(failures.is_empty(), "{failures:#?}");
}
