//! The operations of a campaign.
//!
//! An operation names no object, since which there are depends on what the agents made of the operations before. It
//! carries a number instead, by which one of those that exist then is picked.

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
}
