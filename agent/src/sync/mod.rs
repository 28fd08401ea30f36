//! Keeps the stores equal to a branch.
//!
//! One step: [`fetch`] the tip, compile it, [`observe`] what the stores hold, let the planner decide, and [`execute`]
//! the plan: [`secrets`] into Vault, one transaction in Postgres, [`project`]ions into Redis, deletions in Vault last.
//! [`reconcile`] is that step, [`look`] what it begins with, [`block`] says why one is not taken, [`release`] who let a
//! held one go, [`trail`] what is on record of it, [`schedule`] when the next one begins. [`rollback`] takes a commit back
//! on the branch itself, [`overtake`] goes past a cache that has seen steps which a restored database no longer knows.
//!
//! Guarantees: a step is applied in full or not at all; applying a commit twice changes nothing; a commit that does not
//! compile or runs into a guardrail leaves the last good one in place; an outage is never taken for an empty store.

pub mod block;
pub mod branch;
pub mod execute;
pub mod fetch;
mod follow;
mod known_hosts;
mod libgit2;
mod locks;
pub mod look;
mod obey;
pub mod observe;
pub mod once;
pub mod overtake;
pub mod project;
pub mod reconcile;
pub mod release;
pub mod remote;
pub mod rollback;
pub mod schedule;
pub mod secrets;
pub mod status;
pub mod step;
pub mod trail;
pub mod trigger;
