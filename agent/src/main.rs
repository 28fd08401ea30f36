//! The program `bindery-agent`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    bindery_agent::cli::main().await
}
