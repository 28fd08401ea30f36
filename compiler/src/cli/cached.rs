//! The cache of parsed files, for the commands that read whole trees.

use std::path::PathBuf;

use anyhow::bail;
use bindery_compiler::Compiler;
use bindery_compiler::cache::Cache;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Cached {
    /// Folder that keeps what was parsed for the next run; may be deleted at any time
    #[arg(long, value_name = "DIR", env = "BINDERY_CACHE_DIR")]
    cache_dir: Option<PathBuf>,
}

impl Cached {
    /// A compiler that uses the cache. Without it everything is only slower, so that a fault of its is no error.
    pub(super) fn compiler(&self) -> Compiler {
        let mut compiler = Compiler::default();
        if let Some(folder) = &self.cache_dir {
            match Cache::open(folder) {
                Ok(cache) => compiler.cached_by(cache),
                Err(error) => super::note(&format!("warning: the cache in {} is not used: {error}", folder.display())),
            }
        }
        compiler
    }

    /// Refuses to go on where rules were lost: what was worked out from the rest may be wrong.
    pub(super) fn vouch(&self, compiler: &Compiler) -> anyhow::Result<()> {
        let (Some(folder), Some(path)) = (&self.cache_dir, compiler.lost()) else { return Ok(()) };
        let folder = folder.display();
        bail!(
            "the cache in {folder} is spoilt, and {path} could not be read again; delete the folder and try once more"
        )
    }

    /// Keeps what was parsed anew.
    pub(super) fn save(&self, compiler: &Compiler) {
        if let (Some(folder), Err(error)) = (&self.cache_dir, compiler.save_cache()) {
            super::note(&format!("warning: the cache in {} was not written: {error}", folder.display()));
        }
    }
}
