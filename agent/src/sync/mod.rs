//! Keeps the stores equal to a branch.
//!
//! One step: [`fetch`] the tip, compile it, [`observe`] what the stores hold, let the planner decide, and [`execute`]
//! the plan: [`secrets`] into Vault, one transaction in Postgres, [`project`]ions into Redis, deletions in Vault last.
//! [`reconcile`] is that step, [`block`] says why one is not taken, [`schedule`] says when the next one begins.
//! [`overtake`] goes past a cache that has seen steps which a restored database no longer knows.
//!
//! Guarantees: a step is applied in full or not at all; applying a commit twice changes nothing; a commit that does not
//! compile or runs into a guardrail leaves the last good one in place; an outage is never taken for an empty store.

pub mod block;
pub mod execute;
pub mod fetch;
pub mod observe;
pub mod overtake;
pub mod project;
pub mod reconcile;
pub mod schedule;
pub mod secrets;
pub mod status;
pub mod step;
