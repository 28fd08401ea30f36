//! Harness, generated corpora and end-to-end tests of bindery.

pub mod api;
pub mod bench;
pub mod canary;
pub mod chaos;
pub mod consumer;
pub mod corpus;
pub mod dev;
pub mod document;
pub mod documents;
pub mod failpoints;
pub mod listeners;
pub mod observed;
pub mod outside;
pub mod program;
pub mod replay;
pub mod servers;
pub mod snapshot;
pub mod spans;
pub mod sse;
pub mod stack;
pub mod world;
