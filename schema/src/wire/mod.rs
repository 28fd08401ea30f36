//! The JSON that leaves or enters the process: API answers, events, signals and cached projections.
//!
//! Field names are camelCase, instants are RFC 3339 in UTC with milliseconds. These types are a contract with other
//! services; nothing else is ever serialised outward.

pub mod admin;
pub mod api;
pub mod control;
pub mod drift;
pub mod event;
pub mod health;
pub mod patch;
pub mod projection;
pub mod routing;
