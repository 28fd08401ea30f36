//! The program `bindery-agent`.

use bindery_agent::cli;
use clap::Parser;

/// Keeps Postgres, Vault, NATS and Redis equal to a git branch of SMPP operator configuration
#[derive(Parser)]
#[command(name = "bindery-agent", version)]
enum Command {
    /// Start a private stack and an agent that follows a bare repository made from this one
    Dev(cli::dev::Args),
    /// Follow a branch and serve the APIs, on servers of your own
    Run(cli::run::Run),
    /// Print a bearer token for the admin listener, signed with a key of your own
    Token(cli::token::Token),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    cli::log();
    match Command::parse() {
        Command::Dev(args) => cli::dev::run(args).await,
        Command::Run(run) => run.run().await,
        Command::Token(token) => Ok(token.run()?),
    }
}
