//! Reads the configuration files of a directory, in path order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use git2::Oid;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use walkdir::{DirEntry, WalkDir};

use super::links::{GIT_FOLDER, WorkingTree};
use super::tracked::Tracked;
use super::{Content, Error, LARGEST_FILE, Loaded, POLICY, ROOTS, SHORT_POLICY, is_configuration, is_undecoded};

/// Reads the working tree below a directory.
pub fn load_directory(root: &Path) -> Result<Vec<Loaded>, Error> {
    load_each(root, None, |file| file)
}

/// Reads the working tree below a directory and hands each file over as soon as it is read. A file that git's index shows
/// to be a blob for which `known` holds is listed and not read; without `known` the index is not looked at.
pub(crate) fn load_each<T: Send>(
    root: &Path,
    known: Option<&(dyn Fn(Oid) -> bool + Sync)>,
    each: impl Fn(Loaded) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let read = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::Read { path, source }
    };
    let real_root = root.canonicalize().map_err(read(root))?;
    let tops = ROOTS.iter().chain(&[POLICY, SHORT_POLICY]).map(|name| root.join(name));
    // A link that leads nowhere is there too.
    let tops: Vec<PathBuf> = tops.filter(|top| top.symlink_metadata().is_ok()).collect();
    if tops.is_empty() {
        return Err(Error::NoConfiguration { path: root.to_owned() });
    }
    let tree = match known {
        Some(_) => WorkingTree::with(&real_root, Tracked::below(&real_root)),
        None => WorkingTree::new(&real_root),
    };
    let mut listed: Vec<(Arc<str>, DirEntry)> = Vec::new();
    for entry in tops.iter().flat_map(|top| walk(top)) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_owned();
            Error::Read { path, source: error.into() }
        })?;
        let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let path = relative.to_string_lossy();
        let kind = entry.file_type();
        let is_wanted = if kind.is_symlink() {
            tree.target(&path, entry.path()).concerns(&path)
        } else {
            !kind.is_dir() && is_configuration(&path)
        };
        if is_wanted {
            listed.push((Arc::from(path), entry));
        }
    }
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    // Names that cannot be decoded may look the same.
    listed.dedup_by(|b, a| a.0 == b.0);
    let load = |(path, entry): (Arc<str>, DirEntry)| {
        let is_kept = known.is_some() && *path != *SHORT_POLICY;
        let blob = if is_kept { tree.tracked().unchanged(&path, &entry) } else { None };
        let content = match blob.zip(known) {
            Some((blob, known)) if known(blob) => Content::Known,
            _ => read_content(&path, entry.path(), &tree).map_err(read(entry.path()))?,
        };
        Ok(each(Loaded { path, blob, content }))
    };
    listed.into_par_iter().map(load).collect()
}

/// Everything below a folder or file but what belongs to git.
fn walk(top: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    let entries = WalkDir::new(top).follow_links(false).follow_root_links(false).into_iter();
    entries.filter_entry(|entry| entry.file_name() != GIT_FOLDER)
}

/// Reads a text of a working tree that is no configuration, such as a runbook; none where there is no such file. Links lead
/// where those of configuration lead, and no folder is entered through one.
pub fn read_text(root: &Path, path: &str) -> Result<Option<Arc<str>>, Error> {
    let file = root.join(path);
    let failed = |source| Error::Read { path: file.clone(), source };
    let refused = |message: String| failed(io::Error::new(io::ErrorKind::InvalidData, message));
    let folders = Path::new(path).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    for folder in folders {
        if root.join(folder).is_symlink() {
            return Err(refused(format!("the folder `{}` is a symbolic link", folder.display())));
        }
    }
    if let Err(error) = file.symlink_metadata() {
        return if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(failed(error)) };
    }
    let real_root = root.canonicalize().map_err(failed)?;
    match read_content(path, &file, &WorkingTree::new(&real_root)).map_err(failed)? {
        Content::Text(text) => Ok(Some(text)),
        Content::Unreadable { message, .. } => Err(refused(message)),
        Content::Known => Ok(None),
    }
}

/// Reads one file of a working tree.
pub(super) fn read_content(path: &str, file: &Path, tree: &WorkingTree<'_>) -> io::Result<Content> {
    if path == SHORT_POLICY {
        Ok(Content::misnamed_policy())
    } else if is_undecoded(path) {
        Ok(Content::bad_name())
    } else if file.is_symlink() {
        tree.target(path, file).file().map_or_else(|| Ok(Content::bad_link()), |target| read_file(&target))
    } else {
        read_file(file)
    }
}

fn read_file(path: &Path) -> io::Result<Content> {
    let metadata = fs::metadata(path)?;
    // Opening a pipe would wait for its other end.
    if !metadata.is_file() {
        let message = "it is a pipe, a socket or a device".to_owned();
        return Ok(Content::Unreadable { message, help: "replace it by a file" });
    }
    let size = metadata.len();
    Ok(if size > LARGEST_FILE { Content::too_large(size) } else { Content::from_bytes(&fs::read(path)?) })
}
