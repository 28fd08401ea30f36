//! What a campaign does, drawn from its seed before anything runs: the same seed gives the same operations.
//!
//! An operation names no object, since which there are depends on what the agents made of the operations before. It
//! carries a number instead, by which one of those that exist then is picked. Whatever is taken away is given back some
//! operations later; an outage never lasts to the end of a plan.

use std::collections::BTreeSet;

use fastrand::Rng;

/// One of the two agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The first.
    A,
    /// The second.
    B,
}

/// A server of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Server {
    Postgres,
    Nats,
    Redis,
    Vault,
}

/// A change of files that somebody commits. Numbers pick an operator or carrier; see [`Numbered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Edit {
    Create,
    Rebind,
    Rotate,
    Delete,
    Restore,
    Rule,
    Contract,
    Reservation,
}

/// A change that somebody asks the admin API for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Call {
    Create,
    Rename,
    Rotate,
    Delete,
    Rule,
    Reservation,
}

/// What is read over the admin and ops listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Page {
    Operators,
    Rules,
    Status,
    Runs,
    Audit,
    Metrics,
    Ready,
}

/// Damage done to a store by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A column of an operator is changed in Postgres.
    Row,
    /// Rules of an operator are deleted in Postgres.
    Rules,
    /// A secret is deleted in Vault.
    Secret,
    /// A projection is changed in Redis.
    Projection,
}

/// Something with what picks its object and makes its values unlike all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered<T> {
    /// What.
    pub what: T,
    /// Picks one of the objects that exist then.
    pub pick: u32,
    /// Unique in the plan.
    pub number: u32,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Commits one after the other, without a wait between them.
    Commit(Vec<Numbered<Edit>>),
    /// A commit that does not compile.
    Break,
    /// Takes it back.
    Mend,
    /// A commit that deletes two fifths of the operators.
    MassDelete(u32),
    /// A commit whose trailer releases the plan that is held.
    Release,
    /// Calls of the admin API at once, each sent again until it is answered.
    Write(Vec<Numbered<Call>>),
    /// Reads.
    Read(Who, Numbered<Page>),
    /// Reads a password where it may be read.
    Credentials(Who, u32),
    /// Kills an agent.
    Crash(Who),
    /// Starts it again.
    Revive(Who),
    /// Stops an agent in the middle of whatever it does (SIGSTOP).
    Freeze(Who),
    /// Lets it go on (SIGCONT), once another agent has taken its lease where that is said.
    Thaw(Who, bool),
    /// Kills a server.
    Kill(Server),
    /// Starts it again.
    Start(Server),
    /// Seals Vault.
    Seal,
    /// Unseals it.
    Unseal,
    /// Empties Redis.
    Flush,
    /// Damages a store by hand.
    Damage(Numbered<Damage>),
    /// Pauses the sync over the API.
    Pause,
    /// Ends the pause.
    Resume,
    /// Takes the repository away.
    Hide,
    /// Brings it back.
    Show,
    /// Waits until the stores are equal to the branch, where nothing keeps them from it.
    Settle,
    /// Brings everything back and checks every invariant.
    Check,
}

/// An operation with the wait after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub operation: Operation,
    /// Milliseconds until the next.
    pub rest: u64,
}

impl Operation {
    /// Its name, for people and counts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Commit(edits) => match edits.as_slice() {
                [edit] => match edit.what {
                    Edit::Create => "commit: create",
                    Edit::Rebind => "commit: rebind",
                    Edit::Rotate => "commit: rotate",
                    Edit::Delete => "commit: delete",
                    Edit::Restore => "commit: restore",
                    Edit::Rule => "commit: rule",
                    Edit::Contract => "commit: contract",
                    Edit::Reservation => "commit: reservation",
                },
                _ => "commit: burst",
            },
            Self::Break => "commit: invalid",
            Self::Mend => "commit: mend",
            Self::MassDelete(_) => "commit: mass deletion",
            Self::Release => "commit: release",
            Self::Write(calls) => match calls.as_slice() {
                [call] => match call.what {
                    Call::Create => "write: create",
                    Call::Rename => "write: name",
                    Call::Rotate => "write: rotate",
                    Call::Delete => "write: delete",
                    Call::Rule => "write: rule",
                    Call::Reservation => "write: reservation",
                },
                _ => "write: several at once",
            },
            Self::Read(..) => "read",
            Self::Credentials(..) => "read credentials",
            Self::Crash(_) => "kill agent",
            Self::Revive(_) => "start agent",
            Self::Freeze(_) => "freeze agent",
            Self::Thaw(..) => "thaw agent",
            Self::Kill(Server::Postgres) => "kill postgres",
            Self::Kill(Server::Nats) => "kill nats",
            Self::Kill(Server::Redis) => "kill redis",
            Self::Kill(Server::Vault) => "kill vault",
            Self::Start(_) => "start server",
            Self::Seal => "seal vault",
            Self::Unseal => "unseal vault",
            Self::Flush => "flush redis",
            Self::Damage(damage) => match damage.what {
                Damage::Row => "damage: row",
                Damage::Rules => "damage: rules",
                Damage::Secret => "damage: secret",
                Damage::Projection => "damage: projection",
            },
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Hide => "take repository away",
            Self::Show => "bring repository back",
            Self::Settle => "settle",
            Self::Check => "check",
        }
    }

    /// What has to follow some operations later.
    fn ending(&self, draw: &mut Rng) -> Option<Self> {
        Some(match self {
            Self::Break => Self::Mend,
            Self::MassDelete(_) => Self::Release,
            Self::Crash(who) => Self::Revive(*who),
            Self::Freeze(who) => Self::Thaw(*who, draw.u8(..4) == 0),
            Self::Kill(server) => Self::Start(*server),
            Self::Seal => Self::Unseal,
            Self::Pause => Self::Resume,
            Self::Hide => Self::Show,
            _ => return None,
        })
    }
}

/// Most outages at a time: with more of them hardly anything happens that could go wrong.
const OUTAGES: usize = 3;
/// Longest an outage lasts, in operations.
const LASTS: usize = 9;

/// How a plan is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many operations.
    pub operations: usize,
    /// Operations between two checks; one is always made at the end.
    pub check_every: usize,
    /// Longest wait after an operation, in milliseconds.
    pub rest: u64,
}

/// Draws a plan.
pub fn draw(seed: u64, shape: &Shape) -> Vec<Step> {
    let mut draw = Rng::with_seed(seed);
    let mut number = 0;
    let mut steps: Vec<Step> = Vec::with_capacity(shape.operations);
    // What was begun, by the index at which it has to end.
    let mut open: Vec<(usize, Operation)> = Vec::new();
    while steps.len() < shape.operations {
        let index = steps.len();
        let left = shape.operations - index;
        let is_due = |(due, _): &(usize, Operation)| *due <= index || open.len() >= left;
        let operation = if let Some(at) = open.iter().position(is_due) {
            open.remove(at).1
        } else if (index + 1).is_multiple_of(shape.check_every) {
            // Everything comes back: what was to bring it back is needless.
            open.clear();
            Operation::Check
        } else {
            let operation = one(&mut draw, &mut number);
            if let Some(ending) = operation.ending(&mut draw) {
                let is_open = open.iter().any(|(_, other)| clashes(other, &ending));
                if is_open || open.len() >= OUTAGES || left < 2 {
                    continue;
                }
                open.push((index + 1 + draw.usize(1..=LASTS), ending));
            }
            operation
        };
        // Half of them follow at once: what meets in the middle of something is what a campaign is for.
        let rest = if draw.bool() { 0 } else { draw.u64(..=shape.rest) };
        steps.push(Step { operation, rest });
    }
    steps
}

/// Whether two endings are about the same thing.
fn clashes(open: &Operation, other: &Operation) -> bool {
    match (open, other) {
        (Operation::Revive(a) | Operation::Thaw(a, _), Operation::Revive(b) | Operation::Thaw(b, _)) => a == b,
        (Operation::Start(Server::Vault) | Operation::Unseal, Operation::Start(Server::Vault) | Operation::Unseal) => {
            true
        }
        (a, b) => a == b,
    }
}

fn one(draw: &mut Rng, number: &mut u32) -> Operation {
    let who = if draw.bool() { Who::A } else { Who::B };
    match draw.u32(..100) {
        0..26 => Operation::Commit(vec![numbered(edit(draw), draw, number)]),
        26..30 => Operation::Commit((0..draw.usize(2..=6)).map(|_| numbered(edit(draw), draw, number)).collect()),
        30..32 => Operation::Break,
        32..33 => Operation::MassDelete(draw.u32(..)),
        33..53 => Operation::Write(vec![numbered(call(draw), draw, number)]),
        53..57 => Operation::Write((0..draw.usize(2..=4)).map(|_| numbered(call(draw), draw, number)).collect()),
        57..65 => Operation::Read(who, numbered(page(draw), draw, number)),
        65..69 => Operation::Credentials(who, draw.u32(..)),
        69..74 => Operation::Crash(who),
        74..77 => Operation::Freeze(who),
        77..80 => Operation::Kill(Server::Postgres),
        80..82 => Operation::Kill(Server::Nats),
        82..84 => Operation::Kill(Server::Redis),
        84..85 => Operation::Kill(Server::Vault),
        85..87 => Operation::Seal,
        87..88 => Operation::Flush,
        88..93 => Operation::Damage(numbered(damage(draw), draw, number)),
        93..94 => Operation::Pause,
        94..96 => Operation::Hide,
        _ => Operation::Settle,
    }
}

fn numbered<T>(what: T, draw: &mut Rng, number: &mut u32) -> Numbered<T> {
    *number += 1;
    Numbered { what, pick: draw.u32(..), number: *number }
}

fn edit(draw: &mut Rng) -> Edit {
    match draw.u32(..20) {
        0..4 => Edit::Create,
        4..7 => Edit::Rebind,
        7..10 => Edit::Rotate,
        10..12 => Edit::Delete,
        12..15 => Edit::Restore,
        15..17 => Edit::Rule,
        17..18 => Edit::Contract,
        _ => Edit::Reservation,
    }
}

fn call(draw: &mut Rng) -> Call {
    match draw.u32(..20) {
        0..5 => Call::Create,
        5..8 => Call::Rename,
        8..13 => Call::Rotate,
        13..15 => Call::Delete,
        15..18 => Call::Rule,
        _ => Call::Reservation,
    }
}

fn page(draw: &mut Rng) -> Page {
    use Page::{Audit, Metrics, Operators, Ready, Rules, Runs, Status};
    [Operators, Rules, Status, Runs, Audit, Metrics, Ready][draw.usize(..7)]
}

fn damage(draw: &mut Rng) -> Damage {
    [Damage::Row, Damage::Rules, Damage::Secret, Damage::Projection][draw.usize(..4)]
}

/// The kinds of operations in a plan.
pub fn kinds(steps: &[Step]) -> BTreeSet<&'static str> {
    steps.iter().map(|step| step.operation.kind()).collect()
}
