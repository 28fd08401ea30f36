//! `bindery man`: the manual pages, printed or written.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_mangen::Man;

use super::{Cli, Outcome, whole};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery man | man -l -                 the first page
  bindery man --into ~/.local/share/man/man1")]
pub(super) struct Arguments {
    /// Write the page of every command into this folder instead of printing the first
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let mut program = Cli::command();
    program.build();
    let Some(folder) = &arguments.into else {
        out.write_all(page(program)?.as_bytes())?;
        return Ok(Outcome::Clean);
    };
    let commands = program.get_subcommands().filter(|command| command.get_name() != "help").cloned();
    let mut pages = Vec::new();
    for command in commands.collect::<Vec<_>>().into_iter().chain([program]) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        pages.push((folder.join(format!("{name}.1")), page(command)?));
    }
    whole::write_and_tell(&pages, out)?;
    Ok(Outcome::Clean)
}

fn page(command: clap::Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(String::from_utf8(page)?)
}
