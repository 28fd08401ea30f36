//! The commands of `bindery-agent`.

pub mod token;
