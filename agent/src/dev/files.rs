//! Files of the data folder: written whole or not at all, secrets readable by their owner only.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Error;

/// Makes a folder and its parents, and gives it `mode`.
pub(super) fn make_dir(path: &Path, mode: u32) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file("create", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::file("set the mode of", path))
}

/// Replaces a file by `contents` in one step, with mode 0600.
pub(super) fn write_private(path: &Path, contents: impl AsRef<[u8]>) -> Result<(), Error> {
    write_mode(path, contents.as_ref(), 0o600)
}

/// Replaces a file by `contents` in one step, with mode 0644.
pub(super) fn write_public(path: &Path, contents: impl AsRef<[u8]>) -> Result<(), Error> {
    write_mode(path, contents.as_ref(), 0o644)
}

fn write_mode(path: &Path, contents: &[u8], mode: u32) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = path.with_file_name(name);
    remove(&unfinished)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&unfinished)
        .map_err(Error::file("create", &unfinished))?;
    file.write_all(contents).map_err(Error::file("write", &unfinished))?;
    file.sync_all().map_err(Error::file("write", &unfinished))?;
    fs::rename(&unfinished, path).map_err(Error::file("write", path))
}

/// The text of a file, or `None` where there is none.
pub(super) fn read_text(path: &Path) -> Result<Option<String>, Error> {
    absent_is_none(fs::read_to_string(path)).map_err(Error::file("read", path))
}

/// Removes a file or a whole folder; one that is not there is no error.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let Some(metadata) = absent_is_none(fs::symlink_metadata(path)).map_err(Error::file("read", path))? else {
        return Ok(());
    };
    let removed = if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    absent_is_none(removed).map(|_| ()).map_err(Error::file("remove", path))
}

fn absent_is_none<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The password kept in `path`, made on first use: 192 random bits as hexadecimal digits, which need no
/// quoting in URLs, SQL and configuration files.
pub(super) fn password(path: &Path) -> Result<String, Error> {
    if let Some(password) = read_text(path)? {
        return Ok(password);
    }
    let password = hex::encode(random_bytes::<24>()?);
    write_private(path, &password)?;
    Ok(password)
}

/// Bytes from the kernel's random generator.
pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).map_err(Error::file("read", source))?;
    Ok(bytes)
}

/// Holds a data folder for one stack, until dropped. The kernel lets go of it when the process ends.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the folder, or says that another stack has it.
    pub(super) fn take(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join("lock");
        let file = File::create(&path).map_err(Error::file("create", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { data_dir: data_dir.to_path_buf() }),
            Err(TryLockError::Error(source)) => Err(Error::file("lock", &path)(source)),
        }
    }
}

/// The folders and files of one data folder.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The data folder itself, absolute.
    pub(super) root: PathBuf,
}

impl Layout {
    /// Makes the data folder. Servers that run as another user must pass through it, so it is open to
    /// passers-by; what is secret in it lies in folders and files that are not.
    pub(super) fn create(data_dir: &Path) -> Result<Self, Error> {
        make_dir(data_dir, 0o711)?;
        let root = data_dir.canonicalize().map_err(Error::file("resolve", data_dir))?;
        let layout = Self { root };
        make_dir(&layout.root.join("secrets"), 0o700)?;
        make_dir(&layout.root.join("log"), 0o700)?;
        make_dir(&layout.root.join("run"), 0o755)?;
        Ok(layout)
    }

    /// Where a server's password or keys are kept.
    pub(super) fn secret(&self, name: &str) -> PathBuf {
        self.root.join("secrets").join(name)
    }

    /// A server's log file.
    pub(super) fn log(&self, server: &str) -> PathBuf {
        self.root.join("log").join(format!("{server}.log"))
    }

    /// The file that names a running server's process id.
    pub(super) fn pid_file(&self, server: &str) -> PathBuf {
        self.root.join("run").join(format!("{server}.pid"))
    }
}
