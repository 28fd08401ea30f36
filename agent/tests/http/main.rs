//! The listeners and the health ingest against real servers.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test says what fails by failing")]

mod admin;
mod certificates;
mod health;
mod internal;
mod ops;
mod world;
