//! Repairs what is certain: takes the fix of every finding, byte for byte, and leaves all else as it is.
//!
//! Works on loaded files and touches no disk. A repair may bring the next fault to light (a prefix is quoted, then gets
//! its `+`), so files are compiled and repaired until nothing certain is left. A file that would no longer be YAML keeps
//! its text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Code, Fix};
use crate::parse::yaml;
use crate::source::{Content, FileId, Loaded, Position};
use crate::{Compiled, Compiler, Options};

/// Most rounds of compiling and repairing. Three are the longest chain there is; more would be going in circles.
const MOST_ROUNDS: usize = 8;

/// What came of it.
#[derive(Debug)]
pub struct Fixed {
    /// Every repair in the order it was made.
    pub repairs: Vec<Repair>,
    /// The files that changed.
    pub files: Vec<FixedFile>,
    /// What is left.
    pub compiled: Compiled,
}

/// A file with repairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedFile {
    /// Path relative to the repository's root.
    pub path: Arc<str>,
    /// The text as it was loaded.
    pub before: Arc<str>,
    /// The text with every repair.
    pub after: Arc<str>,
}

/// One repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The finding it answers.
    pub code: Code,
    /// Path of the file.
    pub path: Arc<str>,
    /// Where the replaced text began, in the file as it was in that round.
    pub at: Position,
    /// What stood there.
    pub before: String,
    /// What stands there now.
    pub after: String,
}

/// Compiles files and repairs them until nothing certain is left.
pub fn fix(compiler: &mut Compiler, mut files: Vec<Loaded>, options: &Options) -> Fixed {
    let mut repairs = Vec::new();
    let mut originals: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    let mut beyond: BTreeSet<FileId> = BTreeSet::new();
    let mut rounds = 0;
    loop {
        let outcome = compiler.compile(files.clone(), options);
        let mut wanted: BTreeMap<FileId, Vec<(Code, &Fix)>> = BTreeMap::new();
        for finding in &outcome.findings {
            if let Some(fix) = finding.fix.as_ref().filter(|_| !beyond.contains(&finding.primary.file)) {
                wanted.entry(finding.primary.file).or_default().push((finding.code, fix));
            }
        }
        rounds += 1;
        let mut changed = false;
        for (file, fixes) in wanted.into_iter().filter(|_| rounds <= MOST_ROUNDS) {
            let (path, text) = (outcome.sources.path(file), outcome.sources.text(file));
            let edited = apply(text, &fixes).filter(|(edited, _)| is_sound(text, edited));
            let Some((edited, done)) = edited else {
                beyond.insert(file);
                continue;
            };
            let Some(loaded) = files.iter_mut().find(|loaded| &*loaded.path == path) else { continue };
            originals.entry(loaded.path.clone()).or_insert_with(|| text.into());
            loaded.content = Content::Text(edited.into());
            repairs.extend(done.into_iter().map(|done| Repair { path: loaded.path.clone(), ..done }));
            changed = true;
        }
        if !changed {
            let after = |path: &str| files.iter().find(|file| &*file.path == path).map(|file| &file.content);
            let files = originals.into_iter().filter_map(|(path, before)| match after(&path) {
                Some(Content::Text(after)) => Some(FixedFile { path, before, after: after.clone() }),
                _ => None,
            });
            return Fixed { repairs, files: files.collect(), compiled: outcome };
        }
    }
}

/// Whether places in a text can be told for certain: a lone carriage return is a line break to YAML, and to nobody else.
pub(crate) fn has_certain_places(text: &str) -> bool {
    text.bytes().zip(text.bytes().skip(1).chain([0])).all(|(byte, next)| byte != b'\r' || next == b'\n')
}

/// Whether a fix can be applied: lines, and comments on them, stay where they are.
pub(crate) fn is_within_a_line(fix: &Fix) -> bool {
    fix.span.start.line == fix.span.end.line && fix.span.start < fix.span.end
}

/// Applies fixes to a text, of those that overlap the first. One whose place is not in the text is left out; none where
/// nothing is left.
fn apply(text: &str, fixes: &[(Code, &Fix)]) -> Option<(String, Vec<Repair>)> {
    if !has_certain_places(text) {
        return None;
    }
    let lines = Lines::of(text);
    let edit = |(code, fix): &(Code, &'_ Fix)| {
        let (start, end) = (lines.offset(fix.span.start)?, lines.offset(fix.span.end)?);
        is_within_a_line(fix).then_some((start, end, *code))
    };
    let mut edits: Vec<_> = fixes.iter().filter_map(|one| Some((edit(one)?, one.1))).collect();
    edits.sort_by_key(|((start, end, _), _)| (*start, *end));
    let (mut edited, mut repairs, mut written) = (String::with_capacity(text.len() + 64), Vec::new(), 0);
    for ((start, end, code), fix) in edits {
        if start < written || text[start..end] == fix.replacement {
            continue;
        }
        edited.push_str(&text[written..start]);
        edited.push_str(&fix.replacement);
        let (before, after) = (text[start..end].to_owned(), fix.replacement.clone());
        repairs.push(Repair { code, path: Arc::default(), at: fix.span.start, before, after });
        written = end;
    }
    edited.push_str(&text[written..]);
    (!repairs.is_empty()).then_some((edited, repairs))
}

/// Whether a repaired text is still YAML, with no key twice that was not before.
fn is_sound(before: &str, after: &str) -> bool {
    let (before, after) = (yaml::read(before), yaml::read(after));
    after.fault.is_none() && after.duplicates.len() <= before.duplicates.len()
}

/// Where the lines of a text begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The byte a position stands for.
    fn offset(&self, position: Position) -> Option<usize> {
        let line = position.line.checked_sub(1)? as usize;
        let start = *self.starts.get(line)?;
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let columns = position.column.checked_sub(1)? as usize;
        let ends = self.text[start..end].char_indices().map(|(at, _)| at).chain([end - start]);
        ends.into_iter().nth(columns).map(|at| start + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    fn fix(line: u32, from: u32, to: u32, replacement: &str) -> Fix {
        let at = |column| Position { line, column };
        Fix { span: Span { start: at(from), end: at(to) }, replacement: replacement.to_owned() }
    }

    #[test]
    fn edits_are_by_character_and_do_not_overlap() {
        let fixes = [fix(2, 4, 6, "\"12\""), fix(2, 5, 6, "x"), fix(1, 1, 2, "b")];
        let fixes: Vec<_> = fixes.iter().map(|fix| (Code::WrongType, fix)).collect();
        let (edited, repairs) = apply("ä: x\r\nö: 12 # ü\r\n", &fixes).unwrap();
        assert_eq!(edited, "b: x\r\nö: \"12\" # ü\r\n");
        assert_eq!(repairs.len(), 2);
    }

    #[test]
    fn a_fix_over_lines_keeps_no_other_from_being_applied() {
        let mut over_lines = fix(1, 4, 3, "\"12\"");
        over_lines.span.end.line = 2;
        let fixes = [over_lines, fix(3, 4, 7, "true"), fix(9, 1, 2, "x")];
        let fixes: Vec<_> = fixes.iter().map(|fix| (Code::WrongType, fix)).collect();
        let (edited, repairs) = apply("a: \"1\n 2\"\nb: yes\n", &fixes).unwrap();
        assert_eq!(edited, "a: \"1\n 2\"\nb: true\n");
        assert_eq!(repairs.len(), 1);
    }

    #[test]
    fn what_is_never_applied_is_not_offered() {
        let compile = |text: &str| {
            let loaded = Loaded { path: "operators/a.yaml".into(), blob: None, content: Content::Text(text.into()) };
            let options = Options { now: jiff::Timestamp::UNIX_EPOCH, environment: None };
            let findings = Compiler::default().compile(vec![loaded], &options).findings;
            let offered =
                |code| findings.iter().find(|finding| finding.code == code).map(|finding| finding.fix.is_some());
            (offered(Code::BadPrefix), offered(Code::WrongType))
        };
        let text = "apiVersion: bindery/v1\nkind: Routes\nmetadata: {operator: a}\nspec:\n  rules:\n    - prefix: \"+937\n        \
                    01\"\n      active: yes\n";
        assert_eq!(compile(text), (Some(false), Some(true)));
        assert_eq!(compile(&text.replace("+937\n        ", "+93 7")), (Some(true), Some(true)));
        assert_eq!(compile(&text.replace("yes\n", "yes\r# x\n")), (Some(false), Some(false)));
    }

    #[test]
    fn a_place_outside_the_text_changes_nothing() {
        for outside in [fix(3, 1, 2, "x"), fix(1, 4, 9, "x"), fix(1, 2, 2, "x")] {
            assert_eq!(apply("a: 1\n", &[(Code::WrongType, &outside)]), None);
        }
        assert_eq!(apply("a: 1\rb: 2\n", &[(Code::WrongType, &fix(1, 4, 5, "x"))]), None);
    }
}
