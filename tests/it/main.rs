//! End-to-end tests and fixtures, in one binary: each further one would link everything again.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test says what fails by failing")]

mod diagnostics;
mod generated;
mod import;
mod plan;
mod render;
