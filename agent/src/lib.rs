//! The bindery agent: follows a branch, keeps Postgres, Vault, NATS and Redis equal to it, serves the APIs.
//!
//! Data flows one way: [`sync`] fetches a commit, compiles it, observes the stores, lets the compiler's planner decide
//! and carries the plan out through [`store`]; [`outbox`] publishes what was written. [`health`] turns signals into
//! states. [`http`] serves what the stores hold, and hands what people change to [`write`], which makes it a commit. [`telemetry`]
//! tells what happens, [`runtime`] wires all of it and shuts it down in order.

pub mod backoff;
pub mod cli;
pub mod config;
pub mod dev;
pub mod drift;
pub mod failpoint;
pub mod health;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod outbox;
pub mod pools;
pub mod retention;
pub mod runtime;
pub mod shared;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod write;
