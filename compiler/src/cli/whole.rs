//! Files replaced in one step each, and many of them together or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Replaces a file in one step, so that no reader and no interruption sees half of it.
pub(super) fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    write_all(&[(path.to_owned(), text.to_owned())])
}

/// Replaces files, each in one step. Nothing is replaced before everything lies beside its place on the disk, and where a
/// step fails all the same, those before it are undone.
pub(super) fn write_all(files: &[(PathBuf, String)]) -> anyhow::Result<()> {
    let mut staged: Vec<Staged> = Vec::with_capacity(files.len());
    let mut folders = Vec::new();
    for (path, text) in files {
        let prepared = Staged::prepare(path, text, &mut folders).with_context(|| cannot_write(path));
        match prepared {
            Ok(file) => staged.push(file),
            Err(error) => {
                undo(&staged, 0, &folders);
                return Err(error);
            }
        }
    }
    for done in 0..staged.len() {
        let file = &staged[done];
        if let Err(error) = fs::rename(&file.temporary, &file.path) {
            undo(&staged, done, &folders);
            return Err(error).with_context(|| cannot_write(&file.path));
        }
    }
    Ok(())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// A file that lies beside its place.
struct Staged {
    path: PathBuf,
    temporary: PathBuf,
    /// What stands in the place until then.
    before: Option<Vec<u8>>,
}

impl Staged {
    fn prepare(path: &Path, text: &str, folders: &mut Vec<PathBuf>) -> io::Result<Self> {
        // The link's target, where the file is a link: a rename over the link would replace it.
        let path = if path.is_symlink() { path.canonicalize()? } else { path.to_owned() };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
        folders.extend(
            folder
                .ancestors()
                .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
                .map(Path::to_owned),
        );
        fs::create_dir_all(folder)?;
        let before = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
        let write = || -> io::Result<()> {
            let mut file = fs::File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            if let Ok(before) = fs::metadata(&path) {
                file.set_permissions(before.permissions())?;
            }
            file.sync_all()
        };
        write().inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        Ok(Self { path, temporary, before })
    }
}

/// Puts back what the first files replaced, takes away what was staged, and the folders made for it. An error here has
/// nowhere to go: the one that led here is reported.
fn undo(staged: &[Staged], done: usize, folders: &[PathBuf]) {
    for (number, file) in staged.iter().enumerate() {
        let _ = match &file.before {
            _ if number >= done => fs::remove_file(&file.temporary),
            Some(bytes) => fs::write(&file.path, bytes),
            None => fs::remove_file(&file.path),
        };
    }
    let mut folders: Vec<&PathBuf> = folders.iter().collect();
    // Inner folders first.
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    for folder in folders {
        let _ = fs::remove_dir(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "before").unwrap();
        // The last path is a folder: the rename onto it fails after the others were done.
        fs::create_dir_all(at("taken/inside")).unwrap();
        let files = ["old", "deep/down/new", "taken"].map(|name| (at(name), "after".to_owned()));
        assert!(write_all(&files).is_err());
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "before");
        assert!(!at("deep").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left lying about");
        write_all(&files[..2]).unwrap();
        assert_eq!(fs::read_to_string(at("deep/down/new")).unwrap(), "after");
    }
}
