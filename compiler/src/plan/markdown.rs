//! A plan as a comment on a pull request: what holds it, the blast radius in sentences, then the lists, the full plan folded.
//!
//! A comment over the limit of its host is dropped, so a budget in bytes is kept: the least important parts are left out
//! first, and the comment says which.

use bindery_schema::impact::Loosening;
use bindery_schema::plan::Hold;
use bindery_schema::report::{EnvironmentReport, PlanReport};

use super::blast::{self, Table, counted};
use super::policy::grouped;
use super::{NoPlan, text};
use crate::diagnostic::render::{shown, shown_lines};

/// The first line of every comment: by it a program finds the comment it has to replace.
pub const MARKER: &str = "<!-- bindery:plan -->";
/// Smallest budget: marker, headline, trailer and what was left out always fit.
pub const SMALLEST: usize = 2_000;
/// Budget unless told otherwise. GitHub takes 65,536 characters, and some of them for what is quoted around.
pub const DEFAULT_BUDGET: usize = 60_000;

/// Most rows of a table that are not folded.
const ROWS: usize = 20;
/// Most findings, guardrails or loosened rules that are listed.
const LINES: usize = 30;
/// The title of the blast radius in sentences.
const EFFECTS: &str = "Blast radius";
/// The title of what the policy loses.
const LOOSENED: &str = "This change makes the policy less strict";
/// Most characters of a sentence: names of carriers may have 63, and a sentence names many.
const LONGEST: usize = 500;
/// Bytes kept free for saying what was left out.
const RESERVE: usize = 400;

/// What a comment tells.
#[derive(Debug)]
pub struct Comment<'a> {
    /// Findings of the check, one line each, errors first.
    pub findings: Vec<String>,
    /// The plan, or why there is none.
    pub report: Result<&'a PlanReport, &'a NoPlan>,
    /// What could not be looked at, a sentence each.
    pub remarks: &'a [String],
}

impl Comment<'_> {
    /// Writes the comment, at most `max_bytes` long; less than [`SMALLEST`] counts as that.
    pub fn render(&self, max_bytes: usize) -> String {
        let max_bytes = max_bytes.max(SMALLEST);
        let mut page = Page { text: String::new(), room: max_bytes - RESERVE, left_out: Vec::new() };
        page.text.push_str(MARKER);
        page.text.push_str(&format!("\n### bindery: {}\n", self.headline()));
        let loosened = match self.report {
            Ok(report) => &report.loosened,
            Err(none) => &none.loosened,
        };
        let loosened = loosened_lines(loosened);
        let sentences = self.report.map(|report| lines(&blast::sentences(report))).unwrap_or_default();
        // Whatever else there is to say, the worst effect is said, and that the policy is loosened.
        let worst = sentences.first().map_or(0, |worst| title(EFFECTS).len() + worst.len());
        page.keeping(worst, |page| {
            page.keeping(first_lines(&loosened, max_bytes / 4), |page| {
                if let Ok(report) = self.report {
                    release(report, page);
                }
                page.list("Not looked at", &lines(self.remarks), "what was not looked at");
            });
            page.list(LOOSENED, &loosened, "what makes the policy less strict");
        });
        if let Ok(report) = self.report {
            page.list(EFFECTS, &sentences, "parts of the summary");
            let renames = lines(&report.renames.iter().map(text::scheduled).collect::<Vec<_>>());
            page.list("Scheduled renames", &renames, "scheduled renames");
            let environments = lines(&report.environments.iter().map(text::environment).collect::<Vec<_>>());
            page.list("Where an environment differs from the base", &environments, "environments");
        }
        let findings: Vec<String> = self.findings.iter().map(|line| format!("- {}\n", code(line))).collect();
        page.list("Findings", &findings, "findings");
        if let Ok(report) = self.report {
            for table in blast::tables(&report.impact) {
                let shown = table.rows.len().min(ROWS);
                page.table(&table, shown);
            }
            fold(report, &mut page);
        }
        if !page.left_out.is_empty() {
            let left_out = page.left_out.join(", ");
            let note =
                format!("\n_Left out to stay below {max_bytes} bytes: {left_out}. `bindery plan` shows everything._\n");
            page.text.push_str(&note);
        }
        page.text
    }

    fn headline(&self) -> String {
        match self.report {
            Err(none) => format!("no plan: {}", escaped(none.reason)),
            Ok(report) if !report.changes_anything() => "no changes".to_owned(),
            Ok(report) => {
                let held = if report.is_held() { " (held)" } else { "" };
                let names: Vec<String> = report.environments.iter().map(|one| one.name.clone()).collect();
                let noun = if names.len() == 1 { "environment" } else { "environments" };
                let environments = format!("{noun} {}", blast::listed(names.iter().cloned(), names.len()));
                let counts = text::counts(&report.plan, report.renames.len());
                match (report.plan.is_empty() && report.renames.is_empty(), names.is_empty()) {
                    (true, _) => format!("changes in {environments} only{held}"),
                    (false, true) => format!("{counts}{held}"),
                    (false, false) => format!("{counts}; otherwise in {environments}{held}"),
                }
            }
        }
    }
}

/// What holds the plan and how it is released, then the same of environments that differ. The trailer stands first: it must
/// not be cut.
fn release(report: &PlanReport, page: &mut Page) {
    let lines = |holds: &[Hold]| -> Vec<String> {
        holds.iter().map(|hold| format!("- {}: {}\n", code(&hold.guardrail), escaped(&hold.message))).collect()
    };
    if let Some(trailer) = &report.trailer {
        let number = counted(report.plan.holds.len(), "guardrail");
        let text = format!("\n**Held by {number}.** A commit with this trailer releases it:\n\n```\n{trailer}\n```\n");
        page.text.push_str(&text);
        page.list("What holds it", &lines(&report.plan.holds), "guardrails");
    }
    let mut left_out = 0;
    for EnvironmentReport { name, holds, trailer, .. } in &report.environments {
        let Some(trailer) = trailer else { continue };
        let (number, name) = (counted(holds.len(), "guardrail"), escaped(name));
        let mut text = format!(
            "\n**Held in environment {name} by {number}.** A commit with this trailer releases it there:\n\n\
             ```\n{trailer}\n```\n\n"
        );
        text.extend(lines(holds));
        left_out += usize::from(!page.line(&text));
    }
    if left_out > 0 {
        page.left_out.push(format!("what holds it in {}", counted(left_out, "environment")));
    }
}

/// Where the policy becomes less strict, as a list.
fn loosened_lines(loosened: &[Loosening]) -> Vec<String> {
    let line = |item: &Loosening| {
        let message = match item.message.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{} …", &item.message[..end]),
            None => item.message.clone(),
        };
        format!("- {}: {} ({})\n", code(&item.path), code(&message), text::applies(item))
    };
    grouped(loosened).iter().map(line).collect()
}

/// Bytes of the list of what is loosened, as far as they are few: its title and its first line at least.
fn first_lines(lines: &[String], most: usize) -> usize {
    let Some(first) = lines.first() else { return 0 };
    let all = lines.iter().take(LINES).map(String::len).sum::<usize>();
    title(LOOSENED).len() + all.min(most).max(first.len())
}

/// Sentences as a list, none so long that it fits no budget.
fn lines(sentences: &[String]) -> Vec<String> {
    let line = |sentence: &String| match sentence.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("- {} …\n", escaped(&sentence[..end])),
        None => format!("- {}\n", escaped(sentence)),
    };
    sentences.iter().map(line).collect()
}

fn title(text: &str) -> String {
    format!("\n**{text}**\n\n")
}

/// The parts nobody reads unless something is odd: the rest of the tables, every change field by field.
fn fold(report: &PlanReport, page: &mut Page) {
    if report.plan.is_empty() {
        return;
    }
    let mut objects = String::new();
    // A string takes any text.
    let _ = text::worst_first(&report.plan, &mut objects);
    let objects = shown_lines(&objects);
    let fence = "`".repeat(longest_run(&objects).max(2) + 1);
    page.folded("Full plan", &fence, objects.split_inclusive('\n'), "the full plan");
    for table in blast::tables(&report.impact).iter().filter(|table| table.rows.len() > ROWS) {
        let rows: Vec<String> = table.rows.iter().map(|row| format!("{}\n", row.join("  ").trim_end())).collect();
        let title = format!("All {} {}", rows.len(), table.title.to_lowercase());
        page.folded(&title, "```", rows.iter().map(String::as_str), &title.to_lowercase());
    }
}

/// A text with a limit.
struct Page {
    text: String,
    room: usize,
    left_out: Vec<String>,
}

impl Page {
    fn fits(&self, bytes: usize) -> bool {
        self.text.len() + bytes <= self.room
    }

    /// Adds a line if it fits.
    fn line(&mut self, line: &str) -> bool {
        let fits = self.fits(line.len());
        if fits {
            self.text.push_str(line);
        }
        fits
    }

    /// Writes something else and keeps so many bytes free meanwhile.
    fn keeping(&mut self, bytes: usize, write: impl FnOnce(&mut Self)) {
        let kept = bytes.min(self.room);
        self.room -= kept;
        write(self);
        self.room += kept;
    }

    /// A titled list of at most [`LINES`] lines.
    fn list(&mut self, heading: &str, lines: &[String], what: &str) {
        let Some(first) = lines.first() else { return };
        let title = title(heading);
        // Not a title without a line.
        if !self.fits(title.len() + first.len()) {
            self.left_out.push(format!("{} {what}", lines.len()));
            return;
        }
        self.text.push_str(&title);
        let shown = lines.iter().take(LINES).take_while(|line| self.line(line)).count();
        if shown < lines.len() {
            let more = format!("- and {} more\n", lines.len() - shown);
            if shown < lines.len().min(LINES) || !self.line(&more) {
                self.left_out.push(format!("{} {what}", lines.len() - shown));
            }
        }
    }

    fn table(&mut self, table: &Table, most: usize) {
        let row = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut head = format!("\n**{}**\n\n", table.title);
        head.push_str(&row(&mut table.head.iter().map(|cell| (*cell).to_owned())));
        head.push_str(&row(&mut table.head.iter().map(|_| "---".to_owned())));
        let rows: Vec<String> =
            table.rows.iter().take(most).map(|cells| row(&mut cells.iter().map(|cell| escaped(cell)))).collect();
        let name = table.title.to_lowercase();
        if !self.fits(head.len() + rows.first().map_or(0, String::len)) {
            self.left_out.push(format!("the table of {name}"));
            return;
        }
        self.text.push_str(&head);
        let shown = rows.iter().take_while(|row| self.line(row)).count();
        if shown < rows.len() {
            self.left_out.push(format!("{} {name}", table.rows.len() - shown));
        } else if shown < table.rows.len() {
            let more = format!("\n… and {} more, less severe\n", table.rows.len() - shown);
            self.line(&more);
        }
    }

    fn folded<'a>(&mut self, title: &str, fence: &str, lines: impl Iterator<Item = &'a str>, what: &str) {
        let lines: Vec<&str> = lines.collect();
        let open = format!("\n<details><summary>{title}</summary>\n\n{fence}\n");
        let close = format!("{fence}\n\n</details>\n");
        if !self.fits(open.len() + close.len() + lines.first().map_or(0, |line| line.len())) {
            self.left_out.push(what.to_owned());
            return;
        }
        self.text.push_str(&open);
        let mut shown = 0;
        self.keeping(close.len(), |page| shown = lines.iter().take_while(|line| page.line(line)).count());
        self.text.push_str(&close);
        if shown < lines.len() {
            self.left_out.push(format!("{} of {} lines of {what}", lines.len() - shown, lines.len()));
        }
    }
}

/// Text whose characters mean nothing to Markdown, HTML, or to a host that notifies whoever is named after an `@`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' if out.is_empty() => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("@&#8203;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// Text as code on one line.
fn code(text: &str) -> String {
    let clean = shown(text);
    let fence = "`".repeat(longest_run(&clean) + 1);
    let pad = if clean.starts_with('`') || clean.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{clean}{pad}{fence}")
}

/// Length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_leaves_its_place() {
        assert_eq!(escaped(">a|b <c> @d `e`\n*"), "&gt;a\\|b &lt;c> @&#8203;d \\`e\\`\\\\n\\*");
        assert_eq!(code("a``b\n"), "```a``b\\n```");
        assert_eq!((escaped("a\u{202e}b"), code("a\u{200b}b")), ("a\\\\u{202e}b".into(), "`a\\u{200b}b`".into()));
        assert_eq!(code("`a`"), "`` `a` ``");
    }

    #[test]
    fn a_sentence_is_cut_before_it_fits_no_budget() {
        let sentences = vec!["short".to_owned(), "ä".repeat(LONGEST), "ä".repeat(LONGEST + 1)];
        let cut = format!("- {} …\n", "ä".repeat(LONGEST));
        assert_eq!(lines(&sentences)[..], ["- short\n".to_owned(), format!("- {}\n", "ä".repeat(LONGEST)), cut]);
    }

    #[test]
    fn a_comment_without_a_plan_says_so_and_keeps_its_budget() {
        let findings: Vec<String> =
            (0..500).map(|n| format!("operators/a.yaml:{n}:1: error BND0501 {}", "x".repeat(90))).collect();
        let no_plan = NoPlan { reason: "the configuration has errors", loosened: Vec::new() };
        let comment = Comment { findings, report: Err(&no_plan), remarks: &[] };
        for budget in [SMALLEST, 3_000, 60_000] {
            let text = comment.render(budget);
            assert!(
                text.starts_with("<!-- bindery:plan -->\n### bindery: no plan: the configuration has errors"),
                "{text}"
            );
            assert!(text.len() <= budget, "{} of {budget}", text.len());
        }
        assert!(comment.render(SMALLEST).contains("Left out to stay below 2000 bytes"));
    }
}
