//! Harness, generated corpora and end-to-end tests of bindery.

pub mod api;
pub mod canary;
pub mod chaos;
pub mod corpus;
pub mod dev;
pub mod documents;
pub mod listeners;
pub mod outside;
pub mod program;
pub mod servers;
pub mod stack;
pub mod world;
