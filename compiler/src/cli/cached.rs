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

    /// Keeps what was parsed anew. Refuses to go on where rules were lost: what was worked out from the rest may be wrong.
    pub(super) fn save(&self, compiler: &Compiler) -> anyhow::Result<()> {
        let Some(folder) = self.cache_dir.as_ref().map(|folder| folder.display()) else { return Ok(()) };
        if let Some(path) = compiler.lost() {
            bail!(
                "the cache in {folder} is spoilt, and {path} could not be read again; delete the folder and try once more"
            );
        }
        if let Err(error) = compiler.save_cache() {
            super::note(&format!("warning: the cache in {folder} was not written: {error}"));
        }
        Ok(())
    }
}
