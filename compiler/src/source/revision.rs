//! Reads the configuration files of a git revision, in path order; no checkout is needed.

use std::io::Read as _;
use std::path::{Component, Path};
use std::sync::Arc;

use git2::{ObjectType, Odb, Oid, Repository, Tree};
use rayon::iter::ParallelIterator as _;
use rayon::slice::ParallelSliceMut as _;

use super::{Content, Error, Folders, LARGEST_FILE, Loaded, ROOTS, SHORT_POLICY, is_configuration};

/// Fewest blobs for which a thread opens the repository anew.
const SMALLEST_SHARE: usize = 64;
/// Mode of a symbolic link in a git tree.
const GIT_LINK: i32 = 0o120_000;

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

/// Reads the tree of a commit. A blob for which `known` holds is listed and not read; folders are looked up in `folders`.
pub(crate) fn load_revision(
    repository: &Repository,
    commit: Oid,
    known: impl Fn(Oid) -> bool,
    folders: &mut Folders<'_>,
) -> Result<Vec<Loaded>, Error> {
    let tree = repository.find_commit(commit)?.tree()?;
    let database = repository.odb()?;
    let mut files = Vec::new();
    // Only the two roots are entered: history of anything else costs nothing.
    let is_entered = |folder: &str, name: &str| !folder.is_empty() || ROOTS.contains(&name);
    folders.walk(repository, tree.id(), is_entered, |path, entry| {
        // A link without an extension is one to a folder.
        if !is_configuration(path) && !is_folder_link(path, entry.mode) {
            return;
        }
        let file = |blob, content| Loaded { path: Arc::from(path), blob, content };
        files.push(if path == SHORT_POLICY {
            // Not by its blob: under the right name the same content is a policy.
            file(None, Content::misnamed_policy())
        } else if entry.mode == GIT_LINK {
            let target = link_target(&tree, &database, path, entry.id);
            file(target, if target.is_some() { Content::Known } else { Content::bad_link() })
        } else {
            file(Some(entry.id), Content::Known)
        });
    })?;
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
    // What lies in a file of its own is opened once for its size and its text. Only such objects can be streamed.
    if let Ok((mut stream, size, _)) = database.reader(blob)
        && size as u64 <= LARGEST_FILE
    {
        let mut bytes = vec![0; size];
        if stream.read_exact(&mut bytes).is_ok() {
            return Ok(Content::from_bytes(&bytes));
        }
    }
    let (size, _) = database.read_header(blob)?;
    Ok(if size as u64 > LARGEST_FILE {
        Content::too_large(size as u64)
    } else {
        Content::from_bytes(database.read(blob)?.data())
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
    blob.map_or_else(|| Ok(Content::bad_link()), |blob| read_blob(&database, blob))
}
