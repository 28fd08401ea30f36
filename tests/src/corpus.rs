//! Generated configuration repositories, for benches and for tests that need a large one.
//!
//! A corpus is drawn in memory from a [`Shape`] (`network`), then written as YAML (`documents`), and
//! [`mutate`] edits some of its operators the way a pull request would. The same shape gives the same
//! bytes on every machine: all randomness comes from the seed, and all arithmetic is on integers.
//!
//! **Guarantees**, valid by construction, on every day from [`FIRST_VALID_DAY`] on:
//! - (host, port, systemId) is unique, in the base and in each environment;
//! - inside an operator no prefix equals another or lies inside it; across operators prefixes nest
//!   freely, and an equal prefix always has another priority;
//! - the contracts of a carrier and direction follow each other without gap or overlap, and the last
//!   one is open;
//! - the TPS of a carrier's active operators fit every contract in force from that day on, and
//!   reservations leave at least a tenth of every contract as on-demand pool at every instant;
//! - an operator has TPS only in directions its bind mode carries, and a window that holds half a
//!   second of them;
//! - a carrier has contacts of all three tiers.
//!
//! Deliberately absent: `narrows`, `split` and `renamedFrom`, which fixtures cover one by one, and
//! sealed credentials, which need a key.

mod agreements;
mod documents;
mod history;
mod mutation;
mod network;
mod numbering;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use jiff::civil::{Date, date};
use serde::Serialize;

pub use history::commit;
pub use mutation::{Mutation, mutate};

use network::Network;

/// From this day on a corpus has no finding; contracts that ended before it may be smaller than
/// today's traffic.
pub const FIRST_VALID_DAY: Date = date(2026, 1, 1);

/// Seed of a corpus when none is asked for.
pub const DEFAULT_SEED: u64 = 7;

/// The sizes of the benches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Size {
    /// 100 operators, 2,000 routes.
    #[value(name = "S")]
    S,
    /// 2,000 operators, 50,000 routes.
    #[value(name = "M")]
    M,
    /// 10,000 operators, 1,000,000 routes.
    #[value(name = "L")]
    L,
}

/// How a rule is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Style {
    /// One line a rule, `- {prefix: …}`.
    Flow,
    /// One line a field.
    Block,
}

/// What a corpus is drawn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Number of operators.
    pub operators: usize,
    /// Number of routing rules over all operators.
    pub routes: usize,
    /// Number of carriers, at least one.
    pub mnos: usize,
    /// Seed of every random choice.
    pub seed: u64,
    /// How rules are written.
    pub style: Style,
}

impl Shape {
    /// A corpus with five operators a carrier, flow style and the default seed.
    pub fn new(operators: usize, routes: usize) -> Self {
        Self { operators, routes, mnos: (operators / 5).max(1), seed: DEFAULT_SEED, style: Style::Flow }
    }
}

impl From<Size> for Shape {
    fn from(size: Size) -> Self {
        match size {
            Size::S => Self::new(100, 2_000),
            Size::M => Self::new(2_000, 50_000),
            Size::L => Self::new(10_000, 1_000_000),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Number of operators.
    pub operators: usize,
    /// Number of carriers.
    pub mnos: usize,
    /// Number of routing rules.
    pub routes: usize,
    /// Rules of the operator that has most.
    pub most_routes: usize,
    /// Number of YAML files.
    pub files: usize,
    /// Their total length in bytes.
    pub bytes: usize,
    /// The seed it was drawn from.
    pub seed: u64,
}

/// Draws a corpus and writes it below `dir`, which is created when missing and must not hold a
/// configuration yet: stale files would be part of it.
pub fn generate(dir: &Path, shape: &Shape) -> Result<Summary> {
    ensure!(shape.mnos > 0, "a corpus needs a carrier");
    ensure!(shape.operators > 0 || shape.routes == 0, "routes need an operator");
    for taken in ["operators", "contracts", "policy.yaml"] {
        ensure!(!dir.join(taken).exists(), "{} already holds a configuration", dir.display());
    }
    let network = Network::draw(shape);
    let mut tree = Tree::new(dir);
    tree.write("policy.yaml", documents::POLICY)?;
    for carrier in &network.carriers {
        let id = &carrier.id;
        tree.write(&format!("operators/{id}/mno.yaml"), &documents::mno(carrier))?;
        tree.write(&format!("contracts/{id}.yaml"), &documents::contract(carrier))?;
    }
    for bind in &network.binds {
        let mno = &network.carriers[bind.carrier].id;
        let path = format!("operators/{mno}/{}", bind.id);
        tree.write(&format!("{path}.yaml"), &documents::operator(bind, mno))?;
        if !bind.rules.is_empty() {
            tree.write(&format!("{path}.routes.yaml"), &documents::routes(bind, shape.style))?;
        }
    }
    Ok(Summary {
        operators: network.binds.len(),
        mnos: network.carriers.len(),
        routes: network.binds.iter().map(|bind| bind.rules.len()).sum(),
        most_routes: network.binds.iter().map(|bind| bind.rules.len()).max().unwrap_or(0),
        files: tree.files,
        bytes: tree.bytes,
        seed: shape.seed,
    })
}

/// The folder a corpus is written to, with a count of what went there.
struct Tree<'a> {
    root: &'a Path,
    files: usize,
    bytes: usize,
}

impl<'a> Tree<'a> {
    fn new(root: &'a Path) -> Self {
        Self { root, files: 0, bytes: 0 }
    }

    fn write(&mut self, path: &str, text: &str) -> Result<()> {
        let path = self.root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        self.files += 1;
        self.bytes += text.len();
        Ok(())
    }
}
