//! Writes a generated configuration repository, or edits one; see [`bindery_tests::corpus`].

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use bindery_tests::corpus::{self, DEFAULT_SEED, Shape, Size, Style};
use clap::{ArgGroup, Parser};

/// Write a valid configuration repository of a given size, the same for the same seed.
#[derive(Parser)]
#[command(group(ArgGroup::new("what").required(true).args(["size", "operators", "mutate"])))]
struct Arguments {
    /// Folder to write to, or to edit with --mutate.
    dir: PathBuf,
    /// S = 100 operators and 2,000 routes, M = 2,000 and 50,000, L = 10,000 and 1,000,000.
    #[arg(long, value_enum)]
    size: Option<Size>,
    /// Number of operators.
    #[arg(long, requires = "routes")]
    operators: Option<usize>,
    /// Number of routes over all operators.
    #[arg(long, requires = "operators")]
    routes: Option<usize>,
    /// Number of carriers [default: one for five operators].
    #[arg(long, conflicts_with = "mutate")]
    mnos: Option<usize>,
    /// Edit this many operators of an existing corpus in place.
    #[arg(long, value_name = "K")]
    mutate: Option<usize>,
    /// Seed of every random choice.
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// How a route is written.
    #[arg(long, value_enum, default_value_t = Style::Flow, conflicts_with = "mutate")]
    style: Style,
    /// Commit the result; the folder becomes a repository when it is none.
    #[arg(long)]
    git: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (said, message) = if let Some(count) = arguments.mutate {
        let mutations = corpus::mutate(&arguments.dir, count, arguments.seed)?;
        (serde_json::to_string(&mutations)?, format!("Edit {count} operators"))
    } else {
        let summary = corpus::generate(&arguments.dir, &shape(&arguments)?)?;
        (serde_json::to_string(&summary)?, format!("Add {} operators", summary.operators))
    };
    if arguments.git {
        corpus::commit(&arguments.dir, &message)?;
    }
    writeln!(io::stdout(), "{said}")?;
    Ok(())
}

fn shape(arguments: &Arguments) -> Result<Shape> {
    let mut shape = match arguments.size {
        Some(size) => Shape::from(size),
        None => Shape::new(
            arguments.operators.context("--operators is missing")?,
            arguments.routes.context("--routes is missing")?,
        ),
    };
    shape.mnos = arguments.mnos.unwrap_or(shape.mnos);
    shape.seed = arguments.seed;
    shape.style = arguments.style;
    Ok(shape)
}
