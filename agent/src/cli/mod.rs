//! The command line program, a module a command.
//!
//! Exit codes: 0 done, 1 error, 2 `drift` found drift or `sync --dry-run` changes, 3 `status` or `sync` found a tip that is
//! not applied. Wrong usage is an error too.

pub mod admin;
pub mod audit;
pub mod completions;
pub mod dev;
pub mod drift;
pub mod events;
pub mod health;
pub mod history;
pub mod objects;
pub mod openapi;
pub mod pause;
pub mod release;
pub mod rollback;
pub mod run;
pub mod signal;
pub mod status;
pub mod sync;
pub mod token;
pub mod trigger;

use std::io::Write as _;
use std::process::ExitCode;

use bindery_schema::secret::Secret;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use crate::telemetry;

/// Keeps Postgres, Vault, NATS and Redis equal to a git branch of SMPP operator configuration.
#[derive(Debug, Parser)]
#[command(
    name = "bindery-agent",
    version,
    max_term_width = 100,
    after_help = "Start with `bindery-agent dev`; it needs no server of yours. RUST_LOG=info shows the log of any command."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a private stack and an agent that follows a bare repository made from this one
    Dev(dev::Args),
    /// Follow a branch and serve the APIs, on servers of your own
    Run(run::Run),
    /// Show what an agent's sync is doing
    Status(status::Status),
    /// Show what became of each commit, newest first
    History(history::History),
    /// Have a running agent look at the branch now
    Trigger(trigger::Trigger),
    /// Take one step without a running agent, or show what it would do
    Sync(sync::Sync),
    /// Show operators, rules, carriers, contracts or reservations
    Get(objects::Get),
    /// Create one of them; it becomes a commit by you
    Create(objects::Create),
    /// Change one of them
    Update(objects::Update),
    /// Take one of them out
    Delete(objects::Delete),
    /// Stop applying commits for a while; the branch is still looked at
    Pause(pause::PauseArgs),
    /// End a pause
    Resume(pause::Resume),
    /// Release the plan that a guardrail holds, by its hash
    Release(release::Release),
    /// Take a commit back by a revert on the branch, and refuse it from then on
    Rollback(rollback::Rollback),
    /// Show who changed what, newest first
    Audit(audit::Audit),
    /// Have all four stores compared with git, and show what differs
    Drift(drift::Drift),
    /// Print the events of the stream, one JSON object a line
    Events(events::Events),
    /// Show the state of an operator, what it was, or changes as they happen
    Health(health::Health),
    /// Send health signals, as smpp-connector does
    Signal(signal::Signal),
    /// Print a bearer token for the admin listener, signed with a key of your own
    Token(token::Token),
    /// Print the OpenAPI document of a listener, for generating clients without a running agent
    Openapi(openapi::Openapi),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

/// What helps where an address is missing.
const ADDRESSES: &str =
    "The addresses of `bindery-agent dev` are in a file for the shell: set -a; source .bindery/dev/env; set +a";

/// Runs the program.
pub async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version come as an error too. Where the output is closed there is nobody to tell.
            let _ = usage.print();
            if usage.kind() == ErrorKind::MissingRequiredArgument && usage.to_string().contains("<URL>") {
                let _ = writeln!(anstream::stderr().lock(), "\n{ADDRESSES}");
            }
            return if usage.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    // An agent starts its log with its spans; the other commands say themselves what they do.
    if !matches!(cli.command, Command::Run(_) | Command::Dev(_)) {
        telemetry::log::start(LevelFilter::WARN, None);
    }
    let done = match cli.command {
        Command::Dev(args) => dev::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::Run(run) => run.run().await.map(|()| ExitCode::SUCCESS),
        Command::Status(status) => status.run().await,
        Command::History(history) => history.run().await.map(|()| ExitCode::SUCCESS),
        Command::Trigger(trigger) => trigger.run().await.map(|()| ExitCode::SUCCESS),
        Command::Sync(sync) => sync.run().await,
        Command::Get(get) => get.run().await.map(|()| ExitCode::SUCCESS),
        Command::Create(create) => create.run().await.map(|()| ExitCode::SUCCESS),
        Command::Update(update) => update.run().await.map(|()| ExitCode::SUCCESS),
        Command::Delete(delete) => delete.run().await.map(|()| ExitCode::SUCCESS),
        Command::Pause(pause) => pause.run().await.map(|()| ExitCode::SUCCESS),
        Command::Resume(resume) => resume.run().await.map(|()| ExitCode::SUCCESS),
        Command::Release(release) => release.run().await.map(|()| ExitCode::SUCCESS),
        Command::Rollback(rollback) => rollback.run().await.map(|()| ExitCode::SUCCESS),
        Command::Audit(audit) => audit.run().await.map(|()| ExitCode::SUCCESS),
        Command::Drift(drift) => drift.run().await,
        Command::Events(events) => events.run().await.map(|()| ExitCode::SUCCESS),
        Command::Health(health) => health.run().await.map(|()| ExitCode::SUCCESS),
        Command::Signal(signal) => signal.run().await.map(|()| ExitCode::SUCCESS),
        Command::Token(token) => token.run().map(|()| ExitCode::SUCCESS).map_err(Into::into),
        Command::Openapi(openapi) => openapi.run(),
        Command::Completions(completions) => completions.run().map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| fail(&error))
}

/// Says why a command failed.
pub fn fail(error: &anyhow::Error) -> ExitCode {
    // The reader, such as `head`, has seen enough.
    let closed = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    if !error.downcast_ref::<std::io::Error>().is_some_and(closed) {
        let _ = writeln!(anstream::stderr().lock(), "error: {error:#}");
    }
    ExitCode::from(1)
}

/// An argument that is never shown.
#[expect(clippy::unnecessary_wraps, reason = "the form a parser of arguments has")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn every_command_has_an_example() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("EXAMPLE"), "{}", command.get_name());
        }
    }
}
