//! `bindery-agent openapi`: the documents of the listeners, printed, or written and checked below `schema/json/openapi/`.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::http::openapi::{Listener, text};

/// Prints the OpenAPI 3.1 document of a listener.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent openapi > admin.json
  bindery-agent openapi internal
  bindery-agent openapi --check

A running agent serves its document at /openapi.json of each listener, and a page to try it at /docs of the admin listener.")]
pub struct Openapi {
    /// Whose document is printed
    #[arg(value_enum, default_value = "admin")]
    listener: Listener,
    /// Write every document into the folder
    #[arg(long, conflicts_with = "listener")]
    write: bool,
    /// Fail when a document in the folder is not what would be written
    #[arg(long, conflicts_with_all = ["listener", "write"])]
    check: bool,
    /// The folder
    #[arg(long, default_value = "schema/json/openapi", value_name = "DIR")]
    folder: PathBuf,
}

impl Openapi {
    /// Prints, writes or checks.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        if !self.write && !self.check {
            std::io::stdout().lock().write_all(text(self.listener).as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut is_fresh = true;
        for listener in Listener::ALL {
            let path = self.folder.join(format!("{listener}.json"));
            if fs::read_to_string(&path).is_ok_and(|known| known == text(listener)) {
                continue;
            }
            if self.check {
                anstream::eprintln!("{} is stale: run `bindery-agent openapi --write`", path.display());
                is_fresh = false;
            } else {
                fs::create_dir_all(&self.folder)
                    .and_then(|()| fs::write(&path, text(listener)))
                    .with_context(|| format!("cannot write {}", path.display()))?;
                anstream::println!("wrote {}", path.display());
            }
        }
        Ok(if is_fresh { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
