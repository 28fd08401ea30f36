//! wip
use std::path::Path;
use bindery_schema::catalog::Catalog;
use crate::{diagnostic::Finding, source};
#[derive(Debug, Clone)]
pub struct Options { pub now: jiff::Timestamp, pub environment: Option<String> }
#[derive(Default)]
pub struct Compiler {}
impl Compiler {
    pub fn compile_revision(&mut self, _r: &git2::Repository, _c: git2::Oid, _o: &Options) -> Result<Compiled, source::Error> { unimplemented!() }
    pub fn compile_directory(&mut self, _d: &Path, _o: &Options) -> Result<Compiled, source::Error> { unimplemented!() }
}
pub struct Compiled { pub findings: Vec<Finding>, pub sources: source::SourceMap, catalog: Catalog }
impl Compiled {
    pub fn catalog(&self) -> Option<&Catalog> { Some(&self.catalog) }
    pub fn error_count(&self) -> usize { self.findings.len() }
}
