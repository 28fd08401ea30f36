//! End-to-end tests and fixtures, in one binary: each further one would link everything again.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test says what fails by failing")]

mod admin;
mod audit;
mod certificates;
mod chaos;
mod ci;
mod client;
mod control;
mod create_failures;
mod create_operator;
mod credentials_endpoint;
mod delete_operator;
mod dev;
mod diagnostics;
mod drift;
mod edit;
mod fix;
mod fmt;
mod formats;
mod generated;
mod health;
mod import;
mod internal;
mod lists;
mod one_fault;
mod ops;
mod outages;
mod plan;
mod remotes;
mod render;
mod retention;
mod rollback;
mod routing_rules;
mod secured;
mod shutdown;
mod sync;
mod takeover;
mod terminal;
mod timeline;
mod tps_contracts;
mod trace;
mod triggers;
mod update_operator;
mod writers;
mod writes;
