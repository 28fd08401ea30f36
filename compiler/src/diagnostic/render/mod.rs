//! Findings as text: one module a format.

pub mod concise;
pub mod full;
pub mod github;
pub mod json;
pub mod junit;
mod mask;
pub mod sarif;
mod shown;

pub use shown::{shown, shown_lines};
