//! `bindery explain`.

use std::io::Write;

use bindery_compiler::diagnostic::Code;
use clap::Args;

use super::Outcome;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery explain BND0501
  bindery explain 501
  bindery explain duplicate-endpoint
  bindery explain --list")]
pub(super) struct Arguments {
    /// Number or name of the code
    #[arg(value_name = "CODE", required_unless_present = "list", value_parser = code)]
    code: Option<Code>,
    /// List every code
    #[arg(long, conflicts_with = "code")]
    list: bool,
}

/// Reads a code as people write it: in any case, its number also without what all have in common.
fn code(text: &str) -> Result<Code, String> {
    let lower = text.to_lowercase();
    let digits = lower.strip_prefix("bnd").unwrap_or(&lower);
    let padded = format!("BND{digits:0>4}");
    let found: Result<Code, String> = padded.parse().or_else(|_| lower.parse());
    found.map_err(|_| format!("`{text}` is no finding code; `bindery explain --list` has all of them"))
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    match arguments.code {
        Some(code) => out.write_all(code.page().as_bytes())?,
        None => {
            for code in Code::ALL {
                writeln!(out, "{code}  {:<8} {}", code.severity().as_str(), code.name())?;
            }
        }
    }
    Ok(Outcome::Clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_written() {
        for text in ["BND0501", "bnd0501", "0501", "501", "bnd501", "Prefix-Conflict-Same-Operator"] {
            assert_eq!(code(text), Ok(Code::PrefixConflictSameOperator), "{text}");
        }
        for text in ["5", "BND", "", "BND00501", "duplicate"] {
            assert!(code(text).unwrap_err().contains("--list"), "{text}");
        }
    }
}
