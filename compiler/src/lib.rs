//! The bindery compiler.
//!
//! Data flows one way: [`source`] reads files from a directory or a git revision, [`parse`] turns each into typed
//! documents, [`validate`] checks them against each other, [`lower`] resolves them into a
//! [`Catalog`](bindery_schema::catalog::Catalog), [`plan`] compares a catalog with what the stores hold, [`render`]
//! writes runbooks, [`trace`] finds the way of a number, [`timeline`] what the passing of time makes wrong. Beside that
//! way, [`fix`] repairs findings, [`format`] writes the canonical form, [`edit`] changes objects where they stand and
//! [`scaffold`] holds a new repository's files. What is wrong with the input is a [`diagnostic::Finding`], never an error of the machine.
//!
//! Nothing here knows a network, a database or a clock: "today" and "now" are arguments. Files are read in [`source`]
//! and in the command line program alone; entropy is drawn in [`seal`] alone. [`import`] turns a spreadsheet into such
//! files, from bytes to texts.

pub mod cache;
pub mod compile;
pub mod diagnostic;
pub mod edit;
pub mod fix;
pub mod format;
pub mod import;
mod join;
pub mod lower;
pub mod parse;
pub mod plan;
mod region;
pub mod render;
pub mod scaffold;
pub mod seal;
pub mod slug;
pub mod source;
pub mod timeline;
pub mod trace;
pub mod validate;

pub use compile::{Changes, Compiled, Compiler, Options, PolicyRead};
