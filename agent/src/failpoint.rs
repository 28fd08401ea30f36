//! Places between two steps of the sync, of the relay and of the lease where a test ends or stops this process.
//!
//! With the feature `failpoints`, which is off unless the tests are built, a file named in `BINDERY_FAILPOINT` says where:
//! one line `<point> abort|stop [n]` for each place, `n` being the how-manieth time it is reached. A file, so that a test
//! can say so to a process that runs already; a line is gone before it acts, so that the process started next goes on.
//! Without the feature [`reach`] is nothing at all, and no variable makes it more.

#[cfg(feature = "failpoints")]
mod armed;

use std::future::Ready;

/// Declares the places, each with its name.
macro_rules! points {
    ($($(#[$doc:meta])+ $point:ident = $name:literal,)+) => {
        /// A place between two steps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Point {
            $($(#[$doc])+ $point,)+
        }

        impl Point {
            /// Every place, about in the order in which a step comes by.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// As the file names it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

points! {
    /// The lease is this agent's, and nobody knows yet.
    LeaseAcquired = "lease.acquired",
    /// The lease was extended.
    LeaseRenewed = "lease.renewed",
    /// The branch was fetched.
    Fetched = "sync.fetched",
    /// A pause is over, in a transaction that is not committed.
    PauseEnded = "obey.pause_ended",
    /// It is known what is applied and what people have said.
    ControlRead = "sync.control_read",
    /// A revision is allowed again, in a transaction that is not committed.
    Allowed = "obey.allowed",
    /// The tip was compiled.
    Compiled = "sync.compiled",
    /// The stores were observed.
    Observed = "sync.observed",
    /// There is a plan.
    Planned = "sync.planned",
    /// Nothing is held any more, in a transaction that is not committed.
    HeldForgotten = "obey.held_forgotten",
    /// A commit that is not applied is on record, in a transaction that is not committed.
    BlockRecorded = "block.recorded",
    /// The same once it is committed.
    BlockCommitted = "block.committed",
    /// Sealed passwords were opened.
    Opened = "sync.opened",
    /// Passwords are about to be taken back: the fence is held.
    UndoFenced = "secrets.undo_fenced",
    /// A password was taken back in Vault, its intent is still there.
    Undone = "secrets.undone",
    /// The intents of what was taken back are gone, in a transaction that is not committed.
    UndoCleared = "secrets.undo_cleared",
    /// What an earlier attempt left in Vault is taken back.
    StaleUndone = "sync.stale_undone",
    /// The versions to write over are known.
    VersionsRead = "secrets.versions_read",
    /// Intents are noted, in a transaction that is not committed.
    IntentsNoted = "secrets.intents_noted",
    /// Intents are noted for good, and Vault is as before.
    IntentsCommitted = "secrets.intents_committed",
    /// It is known which password is to be written over which version.
    BeforeWrite = "secrets.before_write",
    /// A deleted password is back as the version it was.
    Undeleted = "secrets.undeleted",
    /// A password was written.
    PasswordWritten = "secrets.written",
    /// All passwords were written.
    PasswordsWritten = "sync.passwords_written",
    /// The step has its number, in the transaction that all up to `sync.before_commit` are in.
    Advanced = "sync.advanced",
    /// Rules are sent, and the server waits for more.
    Copying = "rules.copying",
    /// The rows of configuration are written.
    RowsWritten = "sync.rows_written",
    /// The run is on record.
    RunRecorded = "sync.run_recorded",
    /// The audit rows are written.
    Audited = "sync.audited",
    /// The outbox has the events.
    EventsAppended = "sync.events_appended",
    /// The intents of the step's passwords are cleared, those of its deletions noted.
    DeletionsNoted = "sync.deletions_noted",
    /// All that is left is to commit.
    BeforeCommit = "sync.before_commit",
    /// The step is applied; nobody but Postgres knows.
    Committed = "sync.committed",
    /// It is known which step the cache shows.
    CatalogRead = "project.catalog_read",
    /// The cache is about to be filled anew.
    RefillRead = "project.refill_read",
    /// The cache has the entries of a step and still names the step before.
    HalfProjected = "redis.half_written",
    /// The cache names the step.
    Projected = "redis.written",
    /// The step went to the cache.
    Shown = "sync.shown",
    /// Passwords are about to be deleted: the fence is held.
    DeletionFenced = "secrets.deletion_fenced",
    /// It is known which versions are to be deleted, and the fence is still held.
    DeletionRead = "secrets.deletion_read",
    /// A password was deleted in Vault, its intent is still there.
    PasswordDeleted = "secrets.deleted",
    /// The intents of the deletions are cleared, in a transaction that is not committed.
    DeletionCleared = "secrets.deletion_cleared",
    /// The step is done.
    Done = "sync.done",
    /// The numbers go on after those of a cache that was ahead, in a transaction that is not committed.
    Lifted = "overtake.lifted",
    /// The same once it is committed: the cache shows a number that is not ahead any more.
    Overtaken = "overtake.committed",
    /// A full look has read all four stores.
    DriftObserved = "drift.observed",
    /// Drift of Postgres and Vault is healed, that of the cache is not.
    DriftApplied = "drift.applied",
    /// Drift of the cache or of the stream is healed, and not on record.
    DriftHealed = "drift.healed",
    /// The same is on record, in a transaction that is not committed.
    DriftNoted = "drift.noted",
    /// The stream is there.
    StreamReady = "relay.stream_ready",
    /// It is known which events are owed.
    OwedRead = "relay.owed_read",
    /// An event is about to be published.
    BeforePublish = "relay.before_publish",
    /// An event was acknowledged, and is still owed by the outbox.
    Published = "relay.published",
    /// Events are marked as published.
    Marked = "relay.marked",
}

/// The process comes by a place. Where a test wants it so, it ends or stops here.
#[cfg(feature = "failpoints")]
pub fn reach(point: Point) -> Ready<()> {
    armed::reach(point);
    std::future::ready(())
}

/// The process comes by a place, and goes on.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn reach(_: Point) -> Ready<()> {
    std::future::ready(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::Point;

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("failpoint.rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_place_is_in_the_code_once() {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            for rest in text.split("reach(Point::").skip(1) {
                *found.entry(rest.split(')').next().unwrap().to_owned()).or_default() += 1;
            }
        }
        let wanted = Point::ALL.iter().map(|point| (format!("{point:?}"), 1)).collect();
        assert_eq!(found, wanted);
        let names: std::collections::BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
