//! What a campaign does, drawn from its seed before anything runs: the same seed gives the same operations.
//!
//! Whatever is taken away is given back some operations later; an outage never lasts to the end of a plan.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::operation::{Call, Damage, Edit, Numbered, Operation, Page, Server, Who};

/// An operation with the wait after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub operation: Operation,
    /// Milliseconds until the next.
    pub rest: u64,
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
        let operation = if (index + 1).is_multiple_of(shape.check_every) {
            // Everything comes back: what was to bring it back is needless.
            open.clear();
            Operation::Check
        } else if let Some(at) = open.iter().position(is_due) {
            open.remove(at).1
        } else {
            let operation = one(&mut draw, &mut number);
            if let Some(ending) = ending(&operation, &mut draw) {
                let is_open = open.iter().any(|(_, other)| clashes(other, &ending));
                // There has to be room for every ending behind it.
                if is_open || open.len() >= OUTAGES || open.len() + 2 > left {
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

/// What has to follow an operation some operations later.
fn ending(operation: &Operation, draw: &mut Rng) -> Option<Operation> {
    Some(match operation {
        Operation::Break => Operation::Mend,
        Operation::MassDelete(_) => Operation::Release,
        Operation::Crash(who) => Operation::Revive(*who),
        Operation::Freeze(who) => Operation::Thaw(*who, draw.u8(..4) == 0),
        Operation::Kill(server) => Operation::Start(*server),
        Operation::Seal => Operation::Unseal,
        Operation::Pause => Operation::Resume,
        Operation::Hide => Operation::Show,
        _ => return None,
    })
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
