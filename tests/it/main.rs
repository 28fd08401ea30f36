//! End-to-end tests and fixtures, in one binary: each further one would link everything again.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test says what fails by failing")]

mod ci;
mod diagnostics;
mod formats;
mod generated;
mod plan;
mod render;
