//! What became of every row, for a program and for the people who sign it.

use serde::Serialize;

use crate::diagnostic::Code;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Taken as it stands.
    Imported,
    /// Taken, with something brought into another form or given a default.
    Normalised,
    /// Not taken.
    Refused,
    /// Blank.
    Ignored,
}

/// Why a row was refused. The message holds no password.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reason {
    /// The finding code, explained by `bindery explain`.
    #[serde(serialize_with = "code_number")]
    pub code: Code,
    /// One line that names the column and the value.
    pub message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn code_number<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.number())
}

/// Something that was brought into another form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The column, as the file names it.
    pub column: String,
    /// What stands there; of a password nothing.
    pub from: String,
    /// What became of it.
    pub to: String,
    /// Why.
    pub why: String,
}

/// A row of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its number among the rows below the header, from 1.
    pub record: u32,
    /// The line of the file it begins in, from 1.
    pub line: u32,
    /// The operator's id, as far as it is known.
    pub operator: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Every reason why it was refused.
    pub reasons: Vec<Reason>,
    /// Every change that was made to take it.
    pub changes: Vec<Change>,
}

/// How many rows came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All rows below the header.
    pub records: usize,
    /// Taken as they stand.
    pub imported: usize,
    /// Taken with changes.
    pub normalised: usize,
    /// Not taken.
    pub refused: usize,
    /// Blank.
    pub ignored: usize,
}

/// The report of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The name of the spreadsheet.
    pub source: String,
    /// SHA-256 of its bytes, so that a signature stands for one file.
    pub sha256: String,
    /// The encoding it was read in.
    pub encoding: &'static str,
    /// What separates its cells.
    pub delimiter: char,
    /// Nothing was written.
    pub dry_run: bool,
    /// The run was the production run.
    pub production: bool,
    /// How many rows came to what.
    pub summary: Summary,
    /// Every row, in order.
    pub rows: Vec<Row>,
    /// Columns that mean nothing to bindery and were left out.
    pub unused_columns: Vec<String>,
    /// Files that are new.
    pub created: Vec<String>,
    /// Files that were changed.
    pub updated: Vec<String>,
    /// What is still to be done, and what `bindery check` warns of.
    pub to_do: Vec<String>,
    /// Who signed the import off.
    pub signed_off_by: Option<String>,
}

impl Report {
    /// Counts the rows.
    pub(super) fn count(rows: &[Row]) -> Summary {
        let of = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
        Summary {
            records: rows.len(),
            imported: of(Outcome::Imported),
            normalised: of(Outcome::Normalised),
            refused: of(Outcome::Refused),
            ignored: of(Outcome::Ignored),
        }
    }

    /// The report as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The report as Markdown, with the block to sign at its end.
    pub fn markdown(&self) -> String {
        let Summary { records, imported, normalised, refused, ignored } = self.summary;
        let kind = match (self.dry_run, self.production) {
            (true, _) => "dry run, nothing was written",
            (false, true) => "production run",
            (false, false) => "written, not yet a production run",
        };
        let mut text = format!("# Import of {}\n\n", escaped(&self.source));
        text += &format!("| | |\n|---|---|\n| Kind of run | {kind} |\n| SHA-256 | `{}` |\n", self.sha256);
        let delimiter = if self.delimiter == '\t' { "tab".to_owned() } else { escaped(&self.delimiter.to_string()) };
        text += &format!("| Encoding | {} |\n| Delimiter | {delimiter} |\n", self.encoding);
        text += &format!("| Rows | {records} |\n| Imported | {imported} |\n| Normalised | {normalised} |\n");
        text += &format!("| Refused | {refused} |\n| Blank | {ignored} |\n");
        self.section(&mut text, "Refused", Outcome::Refused, |row| {
            row.reasons.iter().map(|reason| format!("{} {}", reason.code, escaped(&reason.message))).collect()
        });
        self.section(&mut text, "Normalised", Outcome::Normalised, |row| {
            let line = |change: &Change| {
                let (from, to) = (escaped(&change.from), escaped(&change.to));
                format!("{}: {from} → {to} ({})", escaped(&change.column), escaped(&change.why))
            };
            row.changes.iter().map(line).collect()
        });
        self.section(&mut text, "Imported as they stand", Outcome::Imported, |_| Vec::new());
        self.section(&mut text, "Blank", Outcome::Ignored, |_| Vec::new());
        for (title, items) in [
            ("Still to do", &self.to_do),
            ("Columns left out", &self.unused_columns),
            ("New files", &self.created),
            ("Changed files", &self.updated),
        ] {
            if !items.is_empty() {
                text += &format!("\n## {title}\n\n");
                for item in items {
                    text += &format!("- {}\n", escaped(item));
                }
            }
        }
        let name = self.signed_off_by.as_deref().map_or_else(|| "________________".to_owned(), escaped);
        text += &format!(
            "\n## Sign-off\n\nThe configuration was checked in staging against the spreadsheet named above, and every \
             refused row was settled.\n\n| Signed off by | Date | Signature |\n|---|---|---|\n| {name} | | |\n"
        );
        text
    }

    fn section(&self, text: &mut String, title: &str, outcome: Outcome, lines: impl Fn(&Row) -> Vec<String>) {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.outcome == outcome).collect();
        if rows.is_empty() {
            return;
        }
        *text += &format!("\n## {title}\n\n| Row | Line | Operator | |\n|---|---|---|---|\n");
        for row in rows {
            let operator = row.operator.as_deref().map(escaped).unwrap_or_default();
            *text += &format!("| {} | {} | {operator} | {} |\n", row.record, row.line, lines(row).join("<br>"));
        }
    }
}

/// A text that Markdown shows as it is, on one line.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Backticks too: a value that holds one would end the code it stands in.
            '\\' | '`' | '|' | '*' | '_' | '[' | ']' | '~' | '#' | '!' => escaped.extend(['\\', character]),
            _ if character.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}
