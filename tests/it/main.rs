//! End-to-end tests and fixtures, in one binary: each further one would link everything again.

mod diagnostics;
mod generated;
mod plan;
