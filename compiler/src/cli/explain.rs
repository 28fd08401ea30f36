//! `bindery explain`.

use std::io::Write;

use bindery_compiler::diagnostic::Code;
use clap::Args;

use super::Outcome;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery explain BND0501
  bindery explain duplicate-endpoint
  bindery explain --list")]
pub(super) struct Arguments {
    /// Number or name of the code
    #[arg(value_name = "CODE", required_unless_present = "list")]
    code: Option<Code>,
    /// List every code
    #[arg(long, conflicts_with = "code")]
    list: bool,
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
