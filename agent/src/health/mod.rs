//! Health of operators: signals in, states out.
//!
//! [`reducer`] is the rule, a pure function. [`board`] keeps the state of every operator in memory. [`ingest`] hears
//! smpp-connector's signals on NATS and lets the board decide; [`project`] shows each state in Redis within 200 ms, and
//! [`record`] writes each change, with the event it owes, in one Postgres transaction. A new leader goes on from both
//! ([`resume`]). [`feed`] and [`subscription`] tell of changes as they are written, on every agent.
//!
//! Guarantees: a heartbeat that changes nothing costs no row and no event; a change is recorded in order, once, and
//! survives a restart; nothing a connector sends can stop the ingest or make it grow without bound.

pub mod board;
pub mod feed;
pub mod ingest;
pub mod project;
pub mod record;
pub mod reducer;
pub mod resume;
pub mod subscription;
