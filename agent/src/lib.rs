//! wip

pub mod dev;
