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
    Staging::prepare(files)?.replace()
}

/// Replaces files, and then says which: output that goes away leaves nothing half done.
pub(super) fn write_and_tell(files: &[(PathBuf, String)], out: &mut impl io::Write) -> anyhow::Result<()> {
    write_all(files)?;
    for (path, _) in files {
        writeln!(out, "wrote {}", path.display())?;
    }
    Ok(())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Files that lie beside their places.
#[derive(Default)]
struct Staging {
    files: Vec<Staged>,
    /// Folders made for them.
    folders: Vec<PathBuf>,
}

impl Staging {
    fn prepare(files: &[(PathBuf, String)]) -> anyhow::Result<Self> {
        let mut staging = Self::default();
        let staged = files.iter().try_for_each(|(path, text)| {
            let file = Staged::prepare(path, text, &mut staging.folders).with_context(|| cannot_write(path))?;
            staging.files.push(file);
            Ok(())
        });
        match staged.and_then(|()| disk::settle(&staging.files)) {
            Ok(()) => Ok(staging),
            Err(error) => {
                staging.undo(0);
                Err(error)
            }
        }
    }

    fn replace(&self) -> anyhow::Result<()> {
        for (done, file) in self.files.iter().enumerate() {
            if let Err(error) = fs::rename(&file.temporary, &file.path) {
                self.undo(done);
                return Err(error).with_context(|| cannot_write(&file.path));
            }
        }
        Ok(())
    }

    /// Puts back what the first files replaced, takes away what was staged, and the folders made for it. An error here
    /// has nowhere to go: the one that led here is reported.
    fn undo(&self, done: usize) {
        for (number, file) in self.files.iter().enumerate() {
            let _ = match &file.before {
                _ if number >= done => fs::remove_file(&file.temporary),
                Some(bytes) => fs::write(&file.path, bytes),
                None => fs::remove_file(&file.path),
            };
        }
        let mut folders: Vec<&PathBuf> = self.folders.iter().collect();
        // Inner folders first.
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
        for folder in folders {
            let _ = fs::remove_dir(folder);
        }
    }
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
            Ok(())
        };
        write().inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        Ok(Self { path, temporary, before })
    }
}

/// Staged files brought onto the disk before the first of them is moved into its place: a rename may reach the disk
/// before the content does.
mod disk {
    use std::fs::File;

    use anyhow::Context as _;

    use super::{Staged, cannot_write};

    /// So many files are synced one by one. A file system is synced for more: each sync waits for the disk, and an
    /// import writes tens of thousands.
    #[cfg(target_os = "linux")]
    const SINGLY: usize = 16;

    #[cfg(target_os = "linux")]
    pub(super) fn settle(files: &[Staged]) -> anyhow::Result<()> {
        use std::collections::BTreeSet;
        use std::os::unix::fs::MetadataExt as _;

        if files.len() <= SINGLY {
            return files.iter().try_for_each(settle_one);
        }
        let mut settled = BTreeSet::new();
        for file in files {
            let failed = || cannot_write(&file.path);
            let open = File::open(&file.temporary).with_context(failed)?;
            if settled.insert(open.metadata().with_context(failed)?.dev()) {
                rustix::fs::syncfs(&open).with_context(failed)?;
            }
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn settle(files: &[Staged]) -> anyhow::Result<()> {
        files.iter().try_for_each(settle_one)
    }

    fn settle_one(file: &Staged) -> anyhow::Result<()> {
        let open = File::options().write(true).open(&file.temporary);
        open.and_then(|open| open.sync_all()).with_context(|| cannot_write(&file.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(folder: &Path, names: &[&str]) -> Vec<(PathBuf, String)> {
        names.iter().map(|name| (folder.join(name), "after".to_owned())).collect()
    }

    #[test]
    fn all_files_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "before").unwrap();
        // The last path is a folder: nothing can be prepared there.
        fs::create_dir_all(at("taken/inside")).unwrap();
        let files = after(folder.path(), &["old", "deep/down/new", "taken"]);
        assert!(write_all(&files).is_err());
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "before");
        assert!(!at("deep").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left lying about");
        write_all(&files[..2]).unwrap();
        assert_eq!(fs::read_to_string(at("deep/down/new")).unwrap(), "after");
    }

    #[test]
    fn a_step_that_fails_undoes_those_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "before").unwrap();
        let files = after(folder.path(), &["old", "deep/down/new", "taken", "last"]);
        let staging = Staging::prepare(&files).unwrap();
        // Someone else puts a folder there meanwhile: the rename onto it fails after the first two were done.
        fs::create_dir_all(at("taken/inside")).unwrap();
        assert!(staging.replace().is_err());
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "before");
        assert!(!at("deep").exists() && !at("last").exists() && at("taken/inside").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left lying about");
    }

    #[test]
    fn many_files_are_written_as_few_are() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..40).map(|number| format!("{}/{number}", number % 3)).collect();
        let files = after(folder.path(), &names.iter().map(String::as_str).collect::<Vec<_>>());
        write_all(&files).unwrap();
        assert!(files.iter().all(|(path, text)| fs::read_to_string(path).unwrap() == *text));
    }
}
