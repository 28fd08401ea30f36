//! The vocabulary of bindery.
//!
//! Everything the other crates talk about is defined here and nowhere else: the values a configuration file may hold
//! ([`value`]), the five kinds of document ([`mno`], [`operator`], [`routes`], [`contract`], [`policy`]), what a
//! compiled repository is ([`catalog`]), what the stores hold ([`live`]), what has to change ([`change`], [`plan`], [`impact`], [`report`]) and
//! the JSON that leaves the process ([`wire`]).
//!
//! This crate does no IO, reads no clock and draws no random number. It knows neither positions in files nor findings:
//! those belong to the compiler. It knows no store: those belong to the agent.

pub mod catalog;
pub mod change;
pub mod contract;
pub mod hash;
pub mod impact;
pub mod json;
pub mod live;
pub mod mno;
pub mod operator;
pub mod plan;
pub mod policy;
pub mod report;
pub mod routes;
pub mod rules;
pub mod secret;
pub mod value;
pub mod wire;

/// The only `apiVersion` a document may carry.
pub const API_VERSION: &str = "bindery/v1";
