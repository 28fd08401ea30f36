use super::operation::Operation;
use super::plan::*;

const SHAPE: Shape = Shape { operations: 2_000, check_every: 250, rest: 100 };

#[test]
fn the_same_seed_gives_the_same_operations() {
    assert_eq!(draw(7, &SHAPE), draw(7, &SHAPE));
    assert_ne!(draw(7, &SHAPE), draw(8, &SHAPE));
    assert_eq!(draw(7, &SHAPE).len(), SHAPE.operations);
}

#[test]
fn every_kind_occurs() {
    let commits = ["create", "rebind", "rotate", "delete", "restore", "rule", "contract", "reservation", "burst"];
    let commits = commits.into_iter().chain(["invalid", "mend", "mass deletion", "release"]);
    let writes = ["create", "name", "rotate", "delete", "rule", "reservation", "several at once"];
    let damages = ["row", "rules", "secret", "projection"];
    let others = [
        "read",
        "read credentials",
        "kill agent",
        "start agent",
        "freeze agent",
        "thaw agent",
        "kill postgres",
        "kill nats",
        "kill redis",
        "kill vault",
        "start server",
        "seal vault",
        "unseal vault",
        "flush redis",
        "pause",
        "resume",
        "take repository away",
        "bring repository back",
        "settle",
        "check",
    ];
    let names = commits.map(|name| format!("commit: {name}"));
    let names = names.chain(writes.map(|name| format!("write: {name}")));
    let names = names.chain(damages.map(|name| format!("damage: {name}"))).chain(others.map(str::to_owned));
    let names: std::collections::BTreeSet<String> = names.collect();
    for seed in 0..5 {
        let found = kinds(&draw(seed, &SHAPE)).into_iter().map(str::to_owned).collect();
        assert_eq!(names, found, "seed {seed}");
    }
}

#[test]
fn what_is_taken_away_comes_back() {
    for seed in 0..20 {
        let mut away = Vec::new();
        for step in draw(seed, &SHAPE) {
            match step.operation {
                Operation::Crash(who) | Operation::Freeze(who) => away.push(format!("{who:?}")),
                Operation::Revive(who) | Operation::Thaw(who, _) => away.retain(|name| *name != format!("{who:?}")),
                Operation::Kill(server) => away.push(format!("{server:?}")),
                Operation::Start(server) => away.retain(|name| *name != format!("{server:?}")),
                Operation::Hide => away.push("repository".to_owned()),
                Operation::Show => away.retain(|name| name != "repository"),
                Operation::Check => away.clear(),
                _ => {}
            }
            assert!(away.len() <= 3, "seed {seed}: {away:?}");
            let mut once = away.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), away.len(), "seed {seed}: taken away twice: {away:?}");
        }
        assert!(away.is_empty(), "seed {seed}: {away:?}");
    }
}

#[test]
fn numbers_are_unique() {
    let mut seen = std::collections::BTreeSet::new();
    for step in draw(3, &SHAPE) {
        let numbers: Vec<u32> = match step.operation {
            Operation::Commit(edits) => edits.iter().map(|edit| edit.number).collect(),
            Operation::Write(calls) => calls.iter().map(|call| call.number).collect(),
            _ => Vec::new(),
        };
        for number in numbers {
            assert!(seen.insert(number), "{number}");
        }
    }
}

#[test]
fn checks_come_when_they_should() {
    let steps = draw(1, &SHAPE);
    let checks: Vec<usize> = (0..steps.len()).filter(|at| steps[*at].operation == Operation::Check).collect();
    assert_eq!(checks, [249, 499, 749, 999, 1_249, 1_499, 1_749, 1_999]);
}
