//! `bindery-agent completions`.

use std::io::Write as _;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE:
  bindery-agent completions bash > ~/.local/share/bash-completion/completions/bindery-agent")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "bindery-agent", &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(())
    }
}
