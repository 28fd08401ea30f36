//! Reads the configuration files of a git revision, in path order; no checkout is needed.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use git2::{Oid, Repository};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use thread_local::ThreadLocal;

use super::blobs::Blobs;
use super::links::{GIT_LINK, target_in};
use super::{Content, Error, Folders, Loaded, ROOTS, SHORT_POLICY, is_configuration, is_undecoded};

/// Most files that one thread takes at once: at the end the others wait for it.
const LARGEST_SHARE: usize = 64;

/// Finds the commit a revision names, such as `main`, `HEAD~2` or a hash.
pub fn resolve_revision(repository: &Repository, revision: &str) -> Result<Oid, Error> {
    let unknown = || Error::UnknownRevision { revision: revision.to_owned() };
    let object = repository.revparse_single(revision).map_err(|_| unknown())?;
    Ok(object.peel_to_commit().map_err(|_| unknown())?.id())
}

/// Whether a link may stand for a folder of configuration.
fn may_be_folder(path: &str) -> bool {
    ROOTS.contains(&path.split('/').next().unwrap_or_default())
}

/// Reads the tree of a commit and hands each file over as soon as it is read: a text is parsed while it is at hand, and
/// need not be kept. A blob for which `known` holds is listed and not read; folders are looked up in `folders`.
pub(crate) fn load_revision<T: Send>(
    repository: &Repository,
    commit: Oid,
    known: impl Fn(Oid) -> bool + Sync,
    folders: &mut Folders<'_>,
    each: impl Fn(Loaded) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let tree = repository.find_commit(commit)?.tree()?;
    let database = repository.odb()?;
    let mut files = Vec::with_capacity(folders.expected);
    // Only the two roots are entered: history of anything else costs nothing.
    let is_entered = |folder: &str, name: &str| !folder.is_empty() || ROOTS.contains(&name);
    folders.walk(repository, tree.id(), is_entered, |path, entry| {
        let is_link = entry.mode == GIT_LINK;
        if !(is_configuration(path) || is_link && may_be_folder(path)) {
            return;
        }
        let target = is_link.then(|| target_in(&tree, &database, path, entry.id));
        if target.as_ref().is_some_and(|target| !target.concerns(path)) {
            return;
        }
        let file = |blob, content| Loaded { path: Arc::from(path), blob, content };
        files.push(if path == SHORT_POLICY {
            // Not by its blob: under the right name the same content is a policy.
            file(None, Content::misnamed_policy())
        } else if is_undecoded(path) {
            file(None, Content::bad_name())
        } else if let Some(target) = target {
            let target = target.file();
            file(target, if target.is_some() { Content::Known } else { Content::bad_link() })
        } else {
            file(Some(entry.id), Content::Known)
        });
    })?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    // Names that cannot be decoded may look the same.
    files.dedup_by(|b, a| a.path == b.path);
    read_blobs(repository.path(), files, known, each)
}

/// Reads the blobs for which `known` does not hold, on every processor, and hands every file over.
fn read_blobs<T: Send>(
    folder: &Path,
    files: Vec<Loaded>,
    known: impl Fn(Oid) -> bool + Sync,
    each: impl Fn(Loaded) -> T + Sync,
) -> Result<Vec<T>, Error> {
    // A handle is for one thread.
    let opened = ThreadLocal::new();
    let load = |mut file: Loaded| {
        if let Some(blob) = file.blob.filter(|blob| !known(*blob)) {
            let blobs = opened.get_or_try(|| Blobs::open(folder).map(RefCell::new))?;
            file.content = blobs.borrow_mut().read(blob)?;
        }
        Ok(each(file))
    };
    files.into_par_iter().with_max_len(LARGEST_SHARE).map(load).collect()
}

/// Reads one file of a commit's tree once more.
pub(super) fn read_from_revision(folder: &Path, commit: Oid, path: &str) -> Result<Content, Error> {
    let mut blobs = Blobs::open(folder)?;
    let blob = blob_at(blobs.repository(), commit, path)?;
    blob.map_or_else(|| Ok(Content::bad_link()), |blob| blobs.read(blob))
}

/// The blob at a path of a commit's tree, or where a link there leads; nothing where it leads to no file of the tree.
fn blob_at(repository: &Repository, commit: Oid, path: &str) -> Result<Option<Oid>, Error> {
    let tree = repository.find_commit(commit)?.tree()?;
    let entry = tree.get_path(Path::new(path))?;
    Ok(match entry.filemode() {
        GIT_LINK => target_in(&tree, &repository.odb()?, path, entry.id()).file(),
        _ => Some(entry.id()),
    })
}
