//! End-to-end tests and fixtures, in one binary: each further one would link everything again.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test says what fails by failing")]

mod diagnostics;
mod fix;
mod fmt;
mod generated;
mod plan;
mod render;
