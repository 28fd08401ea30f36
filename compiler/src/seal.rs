//! wip
use std::path::Path;
use bindery_schema::{secret::Secret, value::OperatorId};
#[derive(Debug, thiserror::Error)]
pub enum Error { #[error("cannot open")] Open }
pub struct Identities {}
impl Identities { pub fn read(_p: &Path) -> Result<Self, Error> { unimplemented!() } }
pub fn seal(_o: &OperatorId, _p: &Secret, _r: &[String]) -> Result<String, Error> { unimplemented!() }
pub fn open(_s: &str, _o: &OperatorId, _f: Option<&OperatorId>, _i: &Identities) -> Result<Secret, Error> { unimplemented!() }
