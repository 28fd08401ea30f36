//! A fault campaign; see [`bindery_tests::chaos`].

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bindery_tests::chaos::plan::Shape;
use bindery_tests::chaos::{self, Options};
use bindery_tests::stack::{Servers, scratch};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

/// Random commits, calls of the API, kills, pauses and damage on two agents and a stack of real servers; then convergence,
/// and whether stores, events, secrets and history are as git says.
///
/// The seed is printed first, and the same seed draws the same operations. Exit code 1 means that an invariant does not
/// hold: seed, operation, invariant and difference are printed.
#[derive(Parser)]
#[command(after_help = "EXAMPLES:
  chaos
  chaos --operations 500 --check-every 50
  chaos --seed 42 --keep /tmp/chaos-42
  chaos --seconds-limit 3600 --operations 100000")]
struct Arguments {
    /// Seed of every random choice [default: a random one, which is printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Operations to draw
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    operations: usize,
    /// Operations between two checks of every invariant; one is always made at the end
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..))]
    check_every: u32,
    /// Begin no further operation after so many seconds, and check
    #[arg(long, value_name = "SECONDS")]
    seconds_limit: Option<u64>,
    /// Folder for the journal of operations and the agents' logs [default: below cargo's target folder]
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Longest wait after an operation, in milliseconds.
const REST: u64 = 400;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1 << 48));
    anstream::println!("seed {seed}");
    // What servers and libraries say belongs to no report.
    let _ = tracing_subscriber::fmt().with_env_filter("off").try_init();
    match run(&arguments, seed).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            anstream::eprintln!("error: the campaign of seed {seed} could not go on: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments, seed: u64) -> Result<bool> {
    let keep = arguments.keep.clone().unwrap_or_else(|| scratch(&format!("chaos-{seed}")));
    anstream::println!("journal and logs in {}", keep.display());
    let options = Options {
        seed,
        shape: Shape { operations: arguments.operations, check_every: arguments.check_every as usize, rest: REST },
        limit: arguments.seconds_limit.map(Duration::from_secs),
        keep,
    };
    // Draws itself on a terminal only.
    let bar = ProgressBar::new(arguments.operations as u64);
    bar.set_style(ProgressStyle::with_template("{pos}/{len} {elapsed} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(250));
    let report = chaos::run(&options, Servers::named("chaos").await, |index, operation| {
        bar.set_position(index as u64);
        bar.set_message(operation.kind());
    });
    let report = Box::pin(report).await;
    bar.finish_and_clear();
    let report = report?;
    anstream::println!("{report}");
    for (index, violation) in &report.violations {
        let (invariant, difference) = (violation.invariant, &violation.difference);
        anstream::println!("\nVIOLATION of {invariant}, seed {seed}, seen after operation {index}:\n{difference}");
    }
    if report.violations.is_empty() {
        anstream::println!("every invariant holds");
        return Ok(true);
    }
    anstream::println!("\nnext: the journal has every operation; `chaos --seed {seed}` draws them again");
    Ok(false)
}
