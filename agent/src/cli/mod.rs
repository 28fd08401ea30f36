//! The command line program, a module a command.

pub mod dev;
pub mod run;
pub mod token;

use tracing_subscriber::EnvFilter;

/// Logs to standard error: one line of text an event on a terminal, one JSON object an event elsewhere. `RUST_LOG`
/// chooses what is shown.
pub fn log() {
    use std::io::IsTerminal as _;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = if std::io::stderr().is_terminal() { logger.try_init() } else { logger.json().try_init() };
    // A second call in one process: the first logger stays.
    drop(result);
}
