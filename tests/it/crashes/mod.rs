//! The agent killed between each two steps of the sync, of the relay and of the lease, again and again, and started anew:
//! in the end the four stores are what they are after a run in which nothing happened, each event is told once, and those
//! of an operator are in order.

mod drift;
pub(crate) mod script;
mod undo;

use std::cell::Cell;
use std::collections::BTreeSet;

use bindery_agent::failpoint::Point;
use bindery_tests::failpoints::Failpoints;
use bindery_tests::program::{Agent, Program};
use bindery_tests::snapshot::Snapshot;
use bindery_tests::world::{PATIENCE, World};
use script::{Fate, Stage, script};
use tokio::sync::OnceCell;

/// Up to the commit of a step: all that a process does before is done again by the next.
const BEFORE_THE_COMMIT: &[Point] = &[
    Point::Fetched,
    Point::ControlRead,
    Point::Compiled,
    Point::Observed,
    Point::Planned,
    Point::Opened,
    Point::StaleUndone,
    Point::PasswordsWritten,
    Point::Advanced,
    Point::RowsWritten,
    Point::RunRecorded,
    Point::Audited,
    Point::EventsAppended,
    Point::DeletionsNoted,
    Point::BeforeCommit,
];
/// The same, where only some steps come by.
const BEFORE_SOME_COMMITS: &[Point] = &[
    Point::PauseEnded,
    Point::Allowed,
    Point::HeldForgotten,
    Point::BlockRecorded,
    Point::VersionsRead,
    Point::IntentsNoted,
    Point::IntentsCommitted,
    Point::BeforeWrite,
    Point::Undeleted,
    Point::PasswordWritten,
    Point::Copying,
];
/// After the commit of a step. The process that is started next is past most of them, so each step has one set.
const AFTER_THE_COMMIT: &[&[Point]] = &[
    &[Point::Committed, Point::RefillRead],
    &[Point::CatalogRead, Point::HalfProjected],
    &[Point::Projected],
    &[Point::Shown],
    &[Point::Done],
];
/// What is owed after a commit is taken up by the next process, one after the other.
const DELETIONS: &[Point] =
    &[Point::DeletionFenced, Point::DeletionRead, Point::PasswordDeleted, Point::DeletionCleared];
/// The relay, and what each process comes by at its start: one half at one step, the other at the next.
const RELAY: [&[Point]; 2] = [
    &[Point::OwedRead, Point::LeaseAcquired, Point::Published],
    &[Point::BeforePublish, Point::StreamReady, Point::Marked],
];

/// What is to happen at a step.
struct Trouble {
    /// Where the process ends, if it comes by.
    at: Vec<Point>,
    /// Where it comes by in any case.
    surely: Vec<Point>,
}

impl Trouble {
    fn if_it_comes_by(points: Vec<Point>) -> Self {
        Self { at: points, surely: Vec::new() }
    }

    fn surely(points: &[Point]) -> Self {
        Self { at: points.to_vec(), surely: points.to_vec() }
    }
}

/// Plays the script with an agent that meets trouble, and returns what is left of it all and where the agent ended.
async fn played(trouble: impl Fn(usize, &script::Step) -> Trouble) -> (Snapshot, BTreeSet<String>) {
    let mut world = World::new().await;
    // Each start takes a first look at a random time; what it healed would stand in the audit trail.
    world.config.drift.every_seconds = 0.0;
    let mut stage = Stage::in_world(&world).await;
    let failpoints = Failpoints::of(&world.config);
    let mut agent = Agent::launch(&world.config);
    let mut fired = BTreeSet::new();
    for (at, step) in script(&world).await.iter().enumerate() {
        let Trouble { at: points, surely } = trouble(at, step);
        failpoints.abort_at(&points);
        let commit = stage.perform(step).await;
        settle(&mut agent, &stage, (commit, step), &failpoints, &surely).await;
        failpoints.disarm();
        fired.extend(failpoints.take_fired());
    }
    let snapshot = Snapshot::of(&stage.outside, &stage.commits).await;
    agent.kill();
    (snapshot, fired)
}

/// Waits for what is to come of a commit, and starts the agent as often as it takes.
async fn settle(
    agent: &mut Program,
    stage: &Stage<'_>,
    (commit, step): (git2::Oid, &script::Step),
    failpoints: &Failpoints,
    surely: &[Point],
) {
    let begun = tokio::time::Instant::now();
    loop {
        if agent.has_ended() {
            *agent = Agent::launch(&stage.world.config);
        }
        let fired = failpoints.fired();
        let all = surely.iter().all(|point| fired.contains(point.name()));
        if all && !agent.has_ended() && stage.has_settled(commit, step.fate).await {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "`{}` never came to its end; it ended at {fired:?}, and was to at {surely:?}:\n{}",
            step.name,
            agent.written()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// What the stores hold where nothing happened.
async fn clean() -> &'static Snapshot {
    static CLEAN: OnceCell<Snapshot> = OnceCell::const_new();
    let run = || async {
        let (snapshot, fired) = Box::pin(played(|_, _| Trouble::surely(&[]))).await;
        assert!(fired.is_empty());
        snapshot
    };
    CLEAN.get_or_init(run).await
}

fn names<'a>(points: impl IntoIterator<Item = &'a Point>) -> BTreeSet<String> {
    points.into_iter().map(|point| point.name().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_a_commit_the_agent_does_it_all_again_once() {
    let trouble = |step: usize, _: &script::Step| {
        // A fourth of those that every step comes by, another one each time.
        let common = BEFORE_THE_COMMIT.iter().enumerate().filter(|(at, _)| (at + step).is_multiple_of(4));
        Trouble::if_it_comes_by(common.map(|(_, point)| point).chain(BEFORE_SOME_COMMITS).copied().collect())
    };
    let (snapshot, fired) = played(trouble).await;
    snapshot.assert_equals(clean().await, "killed before the commit");
    assert_eq!(fired, names(BEFORE_THE_COMMIT.iter().chain(BEFORE_SOME_COMMITS)));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_a_commit_the_agent_makes_good_what_is_owed() {
    let mut wanted: BTreeSet<String> = names(AFTER_THE_COMMIT.iter().copied().flatten().chain(DELETIONS));
    wanted.insert(Point::BlockCommitted.name().to_owned());
    let turn = Cell::new(0);
    let trouble = |_: usize, what: &script::Step| match what.fate {
        Fate::Applied if matches!(what.name, "Rename" | "Delete two" | "Let them go") => Trouble::surely(DELETIONS),
        Fate::Applied => Trouble::surely(AFTER_THE_COMMIT[turn.replace(turn.get() + 1) % AFTER_THE_COMMIT.len()]),
        Fate::Rejected | Fate::Held => Trouble::surely(&[Point::BlockCommitted]),
        Fate::TakenBack => Trouble::surely(&[]),
    };
    let (snapshot, fired) = played(trouble).await;
    snapshot.assert_equals(clean().await, "killed after the commit");
    assert_eq!(fired, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_publishes_the_agent_tells_each_event_once() {
    let last = script(&World::new().await).await.len() - 1;
    let trouble = |step: usize, what: &script::Step| match what.fate {
        Fate::TakenBack => Trouble::surely(&[]),
        // The last one waits for a renewal as well.
        _ if step == last => Trouble::surely(&[RELAY[step % 2], &[Point::LeaseRenewed]].concat()),
        _ => Trouble::surely(RELAY[step % 2]),
    };
    let (snapshot, fired) = played(trouble).await;
    snapshot.assert_equals(clean().await, "killed while it publishes");
    assert_eq!(fired, names(RELAY.into_iter().flatten().chain(&[Point::LeaseRenewed])));
}

#[test]
fn every_place_is_killed_at() {
    let here = BEFORE_THE_COMMIT.iter().chain(BEFORE_SOME_COMMITS).chain(AFTER_THE_COMMIT.iter().copied().flatten());
    let here = here
        .chain(DELETIONS)
        .chain(RELAY.into_iter().flatten())
        .chain(undo::POINTS)
        .chain(drift::HEALING)
        .chain(drift::OVERTAKING)
        .chain(&[Point::BlockCommitted, Point::LeaseRenewed]);
    assert_eq!(here.copied().collect::<BTreeSet<Point>>(), Point::ALL.iter().copied().collect());
}
