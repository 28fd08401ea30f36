//! Reads the configuration files of a directory or of a git revision, in path order.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use git2::{ObjectType, Odb, Oid, Repository, Tree, TreeWalkMode, TreeWalkResult};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use walkdir::{DirEntry, WalkDir};

use super::tracked::Tracked;
use super::{Content, Error, LARGEST_FILE, Loaded};

/// Folders whose YAML files are configuration; below them folders carry no meaning.
pub const ROOTS: [&str; 2] = ["operators", "contracts"];
/// The one file at the root.
pub const POLICY: &str = "policy.yaml";
/// What it is not called. Left out in silence, its guardrails would be thought to hold.
pub const SHORT_POLICY: &str = "policy.yml";
/// Fewest blobs for which a thread opens the repository anew.
const SMALLEST_SHARE: usize = 64;
/// Mode of a symbolic link in a git tree.
const GIT_LINK: i32 = 0o120_000;

fn is_configuration(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    let below_root = path.split_once('/').is_some_and(|(root, _)| ROOTS.contains(&root));
    [POLICY, SHORT_POLICY].contains(&path) || below_root && matches!(extension, Some("yaml" | "yml"))
}

/// Reads the working tree below a directory. A file that git's index shows to be a blob for which `known` holds is listed
/// and not read; without `known` the index is not looked at.
pub fn load_directory(root: &Path, known: Option<&(dyn Fn(Oid) -> bool + Sync)>) -> Result<Vec<Loaded>, Error> {
    let read = |path: &Path| {
        let path = path.to_owned();
        move |source: std::io::Error| Error::Read { path, source }
    };
    let real_root = root.canonicalize().map_err(read(root))?;
    let tops: Vec<PathBuf> =
        ROOTS.iter().chain(&[POLICY, SHORT_POLICY]).map(|name| root.join(name)).filter(|top| top.exists()).collect();
    if tops.is_empty() {
        return Err(Error::NoConfiguration { path: root.to_owned() });
    }
    let mut listed: Vec<(Arc<str>, DirEntry)> = Vec::new();
    for entry in tops.iter().flat_map(|top| WalkDir::new(top).follow_links(false).follow_root_links(false)) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_owned();
            Error::Read { path, source: error.into() }
        })?;
        let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let Some(path) = relative.to_str().map(|path| path.replace('\\', "/")) else { continue };
        if links_to_folder(entry.path()) || !entry.file_type().is_dir() && is_configuration(&path) {
            listed.push((path.into(), entry));
        }
    }
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    let tracked = known.map(|_| Tracked::below(&real_root)).unwrap_or_default();
    let load = |(path, entry): (Arc<str>, DirEntry)| {
        let blob = if *path == *SHORT_POLICY { None } else { tracked.unchanged(&path, &entry) };
        let content = match blob.zip(known) {
            Some((blob, known)) if known(blob) => Content::Known,
            _ => read_content(&path, entry.path(), &real_root).map_err(read(entry.path()))?,
        };
        Ok(Loaded { path, blob, content })
    };
    listed.into_par_iter().map(load).collect()
}

/// Reads one file of a working tree.
pub(super) fn read_content(path: &str, file: &Path, real_root: &Path) -> std::io::Result<Content> {
    if path == SHORT_POLICY {
        Ok(misnamed_policy())
    } else if links_to_folder(file) {
        // A link to a folder is never entered; leaving it out in silence would leave out what it holds.
        Ok(bad_link())
    } else if file.is_symlink() {
        read_link(file, real_root)
    } else {
        read_file(file)
    }
}

fn links_to_folder(path: &Path) -> bool {
    path.is_symlink() && path.is_dir()
}

fn read_file(path: &Path) -> std::io::Result<Content> {
    let metadata = fs::metadata(path)?;
    // Opening a pipe would wait for its other end.
    if !metadata.is_file() {
        let message = "it is a pipe, a socket or a device".to_owned();
        return Ok(Content::Unreadable { message, help: "replace it by a file" });
    }
    let size = metadata.len();
    Ok(if size > LARGEST_FILE { Content::too_large(size) } else { Content::from_bytes(fs::read(path)?) })
}

/// Follows a link only to a file of the same tree: a pull request must not make CI read anything else.
fn read_link(path: &Path, root: &Path) -> std::io::Result<Content> {
    match path.canonicalize() {
        Ok(target) if target.starts_with(root) && target.is_file() => read_file(&target),
        _ => Ok(bad_link()),
    }
}

fn bad_link() -> Content {
    Content::Unreadable {
        message: "the file is a symbolic link that leads to no file of this tree".to_owned(),
        help: "replace the link by the file itself",
    }
}

fn misnamed_policy() -> Content {
    Content::Unreadable {
        message: format!("`{SHORT_POLICY}` is not read: the policy of a repository is `{POLICY}`"),
        help: "rename the file, or delete it",
    }
}

/// Finds the commit a revision names, such as `main`, `HEAD~2` or a hash.
pub fn resolve_revision(repository: &Repository, revision: &str) -> Result<Oid, Error> {
    let unknown = || Error::UnknownRevision { revision: revision.to_owned() };
    let object = repository.revparse_single(revision).map_err(|_| unknown())?;
    Ok(object.peel_to_commit().map_err(|_| unknown())?.id())
}

fn is_folder_link(path: &str, mode: i32) -> bool {
    let root = path.split('/').next().unwrap_or_default();
    mode == GIT_LINK && ROOTS.contains(&root) && Path::new(path).extension().is_none()
}

/// The file of the same tree that a link leads to.
fn link_target(tree: &Tree<'_>, database: &Odb<'_>, path: &str, link: Oid) -> Option<Oid> {
    let text = database.read(link).ok()?;
    let mut resolved = Path::new(path).parent()?.to_owned();
    for component in Path::new(std::str::from_utf8(text.data()).ok()?).components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir if resolved.pop() => {}
            Component::CurDir => {}
            _ => return None,
        }
    }
    let entry = tree.get_path(&resolved).ok()?;
    (entry.kind() == Some(ObjectType::Blob) && entry.filemode() != GIT_LINK).then(|| entry.id())
}

/// Reads the tree of a commit. A blob for which `known` holds is listed and not read.
pub fn load_revision(repository: &Repository, commit: Oid, known: impl Fn(Oid) -> bool) -> Result<Vec<Loaded>, Error> {
    let tree = repository.find_commit(commit)?.tree()?;
    let mut entries: Vec<(String, Oid, i32)> = Vec::new();
    tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        let Ok(name) = entry.name() else { return TreeWalkResult::Ok };
        let path = format!("{folder}{name}");
        match entry.kind() {
            // Only the two roots are entered: history of anything else costs nothing.
            Some(ObjectType::Tree) if folder.is_empty() && !ROOTS.contains(&name) => TreeWalkResult::Skip,
            // A link without an extension is one to a folder.
            Some(ObjectType::Blob) if is_configuration(&path) || is_folder_link(&path, entry.filemode()) => {
                entries.push((path, entry.id(), entry.filemode()));
                TreeWalkResult::Ok
            }
            _ => TreeWalkResult::Ok,
        }
    })?;
    let database = repository.odb()?;
    let mut files = Vec::with_capacity(entries.len());
    for (path, blob, mode) in entries {
        if path == SHORT_POLICY {
            // Not by its blob: under the right name the same content is a policy.
            files.push(Loaded { path: Arc::from(path), blob: None, content: misnamed_policy() });
            continue;
        }
        let target = if mode == GIT_LINK { link_target(&tree, &database, &path, blob) } else { Some(blob) };
        let content = if target.is_some() { Content::Known } else { bad_link() };
        files.push(Loaded { path: Arc::from(path), blob: target, content });
    }
    read_blobs(repository, &mut files, known)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Reads the blobs for which `known` does not hold, on every processor: inflating them is most of the work.
fn read_blobs(repository: &Repository, files: &mut [Loaded], known: impl Fn(Oid) -> bool) -> Result<(), Error> {
    let mut wanted: Vec<(&mut Loaded, Oid)> = files
        .iter_mut()
        .filter_map(|file| file.blob.map(|blob| (file, blob)))
        .filter(|(_, blob)| !known(*blob))
        .collect();
    let share = wanted.len().div_ceil(rayon::current_num_threads()).max(SMALLEST_SHARE);
    let folder = repository.path();
    wanted.par_chunks_mut(share).try_for_each(|files| {
        // A handle is for one thread.
        let database = Repository::open(folder)?;
        let database = database.odb()?;
        for (file, blob) in files {
            file.content = read_blob(&database, *blob)?;
        }
        Ok(())
    })
}

fn read_blob(database: &Odb<'_>, blob: Oid) -> Result<Content, Error> {
    let (size, _) = database.read_header(blob)?;
    Ok(if size as u64 > LARGEST_FILE {
        Content::too_large(size as u64)
    } else {
        Content::from_bytes(database.read(blob)?.data().to_vec())
    })
}

/// Reads one file of a commit's tree once more.
pub(super) fn read_from_revision(folder: &Path, commit: Oid, path: &str) -> Result<Content, Error> {
    let repository = Repository::open(folder)?;
    let tree = repository.find_commit(commit)?.tree()?;
    let entry = tree.get_path(Path::new(path))?;
    let database = repository.odb()?;
    let blob = match entry.filemode() {
        GIT_LINK => link_target(&tree, &database, path, entry.id()),
        _ => Some(entry.id()),
    };
    blob.map_or_else(|| Ok(bad_link()), |blob| read_blob(&database, blob))
}
