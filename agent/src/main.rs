//! The program `bindery-agent`.

use std::process::ExitCode;
use std::time::Duration;

/// How long blocking work, such as a fetch whose server is silent, may go on once everything else has ended.
const PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return bindery_agent::cli::fail(&error.into()),
    };
    let code = runtime.block_on(bindery_agent::cli::main());
    runtime.shutdown_timeout(PATIENCE);
    code
}
