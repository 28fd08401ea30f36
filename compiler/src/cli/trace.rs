//! `bindery trace`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bindery_compiler::Compiler;
use bindery_compiler::diagnostic::render::concise;
use bindery_compiler::trace::{Refused, Table, Trace, number, text, trace};
use bindery_schema::catalog::Catalog;
use bindery_schema::value::Day;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::Outcome;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery trace +93791234567
  bindery trace +93791234567 --at 2026-12-01T22:00:00Z    after a rename
  bindery trace '00 93 79-123 45 67' --rev v2 --format json
  bindery trace --file numbers.txt --format json          one object a line
  cut -f3 cdr.tsv | bindery trace --file - --format json

Exit code: 0 where every NUMBER is one, served or not; of a file each line carries its own answer.")]
pub(super) struct Arguments {
    /// Numbers with their country code; `+`, spaces, hyphens and a leading 00 are left out
    #[arg(value_name = "NUMBER", required_unless_present = "file", conflicts_with = "file")]
    numbers: Vec<String>,
    /// Trace every line of a file, or of standard input with `-`
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// When: a day or an RFC 3339 instant; contracts and renames are looked at as of then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
    /// Trace in this revision instead of the working tree
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Environment whose overlays are laid over the base
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Human,
    /// For programs: one object a line
    Json,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let day = text.parse::<Day>().map(Day::midnight);
    day.or_else(|_| text.parse())
        .map_err(|_| "a time is YYYY-MM-DD or an RFC 3339 instant such as 2026-12-01T22:00:00Z".to_owned())
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    // The tree is compiled as of today: what is asked about another time is not whether it holds then.
    let options = super::options(None, arguments.env.as_deref());
    let compiled = super::compile(&mut Compiler::default(), repo, arguments.rev.as_deref(), &options)?;
    let Some(catalog) = compiled.catalog() else {
        concise::write(&compiled.findings, &compiled.sources, &mut anstream::stderr().lock())?;
        super::note("error: the configuration does not compile, so where a number goes is not settled");
        return Ok(Outcome::Findings);
    };
    let at = arguments.at.unwrap_or(options.now);
    let out = BufWriter::new(out);
    let mut tracer = Tracer { table: Table::new(catalog, at), catalog, at, format: arguments.format, answers: 0, out };
    let mut all_are_numbers = true;
    if let Some(path) = &arguments.file {
        tracer.file(path)?;
    }
    for text in &arguments.numbers {
        all_are_numbers &= tracer.answer(text)?;
    }
    tracer.out.flush()?;
    Ok(if all_are_numbers { Outcome::Clean } else { Outcome::Findings })
}

struct Tracer<'c, W: Write> {
    table: Table<'c>,
    catalog: &'c Catalog,
    at: Timestamp,
    format: Format,
    answers: usize,
    out: BufWriter<W>,
}

impl<W: Write> Tracer<'_, W> {
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let failed = || format!("cannot read {}", path.display());
        let input: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).with_context(failed)?)
        };
        let mut input = BufReader::new(input);
        let mut line = Vec::new();
        let mut first = true;
        while input.read_until(b'\n', &mut line).with_context(failed)? > 0 {
            let text = String::from_utf8_lossy(&line);
            let text = text.strip_prefix('\u{feff}').filter(|_| first).unwrap_or(&text);
            self.answer(text.trim_end_matches(['\r', '\n']))?;
            line.clear();
            first = false;
            // Whoever asks number by number through a pipe gets each answer before the next question.
            if input.buffer().is_empty() {
                self.out.flush()?;
            }
        }
        Ok(())
    }

    /// Writes the answer for one text; false where it is no number.
    fn answer(&mut self, text: &str) -> io::Result<bool> {
        let number = number::parse(text);
        let found = number.as_ref().map(|number| trace(*number, &self.table, self.catalog, self.at));
        match self.format {
            Format::Json => match &found {
                Ok(found) => self.json(found)?,
                Err(error) => self.json(&Refused { number: text, error: error.to_string() })?,
            },
            Format::Human => {
                if self.answers > 0 {
                    writeln!(self.out)?;
                }
                self.human(text, found)?;
            }
        }
        self.answers += 1;
        Ok(number.is_ok())
    }

    fn json(&mut self, answer: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, answer)?;
        self.out.write_all(b"\n")
    }

    fn human(&mut self, text: &str, found: Result<Trace<'_>, &number::Error>) -> io::Result<()> {
        match found {
            Ok(found) => {
                let mut lines = String::new();
                text::human(&found, self.at, &mut lines).map_err(io::Error::other)?;
                self.out.write_all(lines.as_bytes())
            }
            Err(error) => writeln!(self.out, "{} is no number: {error}", bindery_schema::value::shown(text)),
        }
    }
}
