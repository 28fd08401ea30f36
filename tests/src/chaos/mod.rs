//! A fault campaign: random operations on two agents, a repository and a stack of real servers, then convergence, then the
//! invariants.
//!
//! [`plan`] draws the operations from a seed, without looking at anything; [`act`] carries them out one after the other
//! while calls of the admin API go on beside them; every so often and at the end [`recover`] brings everything back and
//! waits until the stores are equal to the branch, and [`check`] compares them with what git says by code of its own.
//!
//! **Invariants**
//! - *stores*: Postgres, Vault and Redis hold what compiling the tip says, and the agent finds no drift;
//! - *events*: every change of an applied step is on the stream exactly once, in order, and nothing else is;
//! - *secrets*: no password is anywhere but in Vault;
//! - *history*: the branch is linear, nothing on it is lost, and an accepted call is exactly one commit, a refused one none;
//! - *guardrails*: no step that deletes more than the policy allows was applied without a release, no commit that does not
//!   compile was applied at all;
//! - *leases*: fencing numbers and steps only grow, and no two agents had the same number;
//! - *agents*: nobody panicked and nobody ended by itself;
//! - *convergence*: all of this comes about within a time without anybody's help but the release of what is held.
//!
//! The same seed gives the same operations. What they meet with depends on the machine's timing, so a violation may take
//! several runs of its seed to come again.

pub mod act;
pub mod canary;
pub mod check;
pub mod edits;
pub mod fleet;
pub mod forge;
pub mod operation;
pub mod plan;
#[cfg(test)]
mod plan_tests;
pub mod recover;
pub mod watch;
pub mod writes;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bindery_agent::config::Drift;
use bindery_schema::wire::drift::DriftPolicy;

use crate::stack::Servers;
use crate::world::World;
use canary::Canary;
use edits::Passwords;
use fleet::Fleet;
use forge::Forge;
use operation::{Operation, Who};
use plan::{Shape, Step};
use watch::Watch;
use writes::Desk;

/// How a campaign is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seed of every random choice.
    pub seed: u64,
    /// What is drawn.
    pub shape: Shape,
    /// When no further operation is begun.
    pub limit: Option<Duration>,
    /// Where the journal and the agents' logs are kept.
    pub keep: PathBuf,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: &'static str,
    /// What is, and what should be.
    pub difference: String,
}

impl Violation {
    /// A violation.
    pub fn new(invariant: &'static str, difference: impl Into<String>) -> Self {
        Self { invariant, difference: difference.into() }
    }
}

/// What came of a campaign.
#[derive(Debug, Default)]
pub struct Report {
    /// Operations that were carried out.
    pub operations: usize,
    /// Those that had something to do, and all, by kind.
    pub kinds: BTreeMap<&'static str, (usize, usize)>,
    /// Violations with the operation after which each was seen.
    pub violations: Vec<(usize, Violation)>,
    /// Commits on the branch, applied steps, events on the stream, calls that were accepted and all of them.
    pub totals: BTreeMap<&'static str, u64>,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} operations in {} s", self.operations, self.took.as_secs())?;
        for (kind, (done, all)) in &self.kinds {
            writeln!(f, "  {kind:<24} {done:>5} of {all:>5} had something to do")?;
        }
        let totals: Vec<String> = self.totals.iter().map(|(name, count)| format!("{count} {name}")).collect();
        write!(f, "{}", totals.join(", "))
    }
}

/// Everything a campaign has at hand.
#[derive(Debug)]
pub struct Campaign {
    seed: u64,
    /// Before the world, in whose folder the agents write: fields are dropped in this order.
    fleet: Fleet,
    world: World,
    passwords: Passwords,
    forge: Forge,
    desk: Desk,
    watch: Watch,
    journal: File,
    checks: check::Progress,
    report: Report,
}

/// Runs a campaign in a stack of its own and stops at the first check that finds a violation. `tell` hears of every
/// operation before it begins.
pub async fn run(options: &Options, servers: Servers, mut tell: impl FnMut(usize, &Operation)) -> Result<Report> {
    let begun = Instant::now();
    let steps = plan::draw(options.seed, &options.shape);
    let mut campaign = Box::pin(Campaign::begin(options, servers)).await?;
    for (index, Step { operation, rest }) in steps.iter().enumerate() {
        if options.limit.is_some_and(|limit| begun.elapsed() > limit) {
            break;
        }
        tell(index, operation);
        Box::pin(campaign.step(index, operation)).await?;
        if !campaign.report.violations.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(*rest)).await;
    }
    if campaign.report.violations.is_empty() {
        let last = campaign.report.operations;
        tell(last, &Operation::Check);
        Box::pin(campaign.step(last, &Operation::Check)).await?;
    }
    campaign.report.took = begun.elapsed();
    Ok(campaign.report)
}

impl Campaign {
    /// Starts both agents on a first configuration and waits until it is applied.
    pub async fn begin(options: &Options, servers: Servers) -> Result<Self> {
        std::fs::create_dir_all(&options.keep)
            .with_context(|| format!("cannot make the folder {}", options.keep.display()))?;
        let mut world = World::within(servers, bindery_agent::dev::KvVersion::V2).await;
        let heal = DriftPolicy::Heal;
        world.config.drift = Drift { every_seconds: 5.0, postgres: heal, vault: heal, redis: heal, nats: heal };
        let canary = Canary::of(options.seed);
        let passwords = Passwords { canary: canary.clone(), recipient: world.stack.pki.age_recipient.clone() };
        let first = edits::first(&passwords)?;
        let first: Vec<_> = first.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        world.commit("Begin", &[]);
        world.commit("The first operators", &first);
        for name in ["a", "b"] {
            let _ = std::fs::remove_file(options.keep.join(format!("agent-{name}.log")));
        }
        let mut fleet = Fleet::new(&world.config, world.dir.path(), &options.keep);
        fleet.start(Who::A).await;
        fleet.start(Who::B).await;
        let forge = Forge::new(world.git.path());
        let desk = Desk::new(&world.stack.pki, fleet.addresses.clone(), canary)?;
        let watch = Watch::new(&world.config)?;
        let journal = File::create(options.keep.join("journal.log"))?;
        let (checks, report) = (check::Progress::default(), Report::default());
        let mut campaign =
            Self { seed: options.seed, fleet, world, passwords, forge, desk, watch, journal, checks, report };
        // Begins where nothing is amiss yet: what is found later came about later.
        let found = campaign.converge(0).await?;
        campaign.violate(0, found)?;
        Ok(campaign)
    }

    /// Where it takes place.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// A password of the campaign.
    pub fn password(&self, number: u32) -> String {
        self.passwords.canary.password(number)
    }

    /// Kills both agents: what is done to the stores from now on stays.
    pub fn silence(&mut self) -> Result<()> {
        for who in [Who::A, Who::B] {
            self.fleet.kill(who)?;
        }
        Ok(())
    }

    /// Carries an operation out, and looks at what may be looked at any time.
    async fn step(&mut self, index: usize, operation: &Operation) -> Result<()> {
        let done =
            self.carry_out(index, operation).await.with_context(|| format!("operation {index}, {operation:?}"))?;
        self.note(&format!("{index} {operation:?}: {done}"))?;
        let kind = self.report.kinds.entry(operation.kind()).or_default();
        kind.0 += usize::from(!done.starts_with("nothing"));
        kind.1 += 1;
        self.report.operations = index + 1;
        let mut found = self.watch.look().await;
        found.extend(self.fleet.ended().into_iter().map(|ended| Violation::new("agents", ended)));
        self.violate(index, found)
    }

    fn violate(&mut self, index: usize, found: Vec<Violation>) -> Result<()> {
        for violation in found {
            self.note(&format!("{index} VIOLATION of {}: {}", violation.invariant, violation.difference))?;
            self.report.violations.push((index, violation));
        }
        Ok(())
    }

    fn note(&mut self, line: &str) -> Result<()> {
        writeln!(self.journal, "{} {line}", jiff::Timestamp::now()).context("cannot write the journal")
    }

    /// Files as people see them while the repository is there.
    fn files(&self) -> Result<forge::Files> {
        Ok(self.forge.files()?.unwrap_or_default())
    }
}
