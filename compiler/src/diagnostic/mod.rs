//! wip
pub mod render { pub mod json { use crate::{diagnostic::Finding, source::SourceMap};
 pub fn findings(_f: &[Finding], _s: &SourceMap) -> Vec<serde_json::Value> { vec![] } } }
#[derive(Debug, Clone)]
pub struct Finding {}
