//! Harness, generated corpora and end-to-end tests of bindery.

pub mod corpus;
