//! wip
#[derive(Debug, thiserror::Error)]
#[error("cannot read the repository")]
pub enum Error { Git(#[from] git2::Error) }
#[derive(Debug, Default)]
pub struct SourceMap {}
