//! Where symbolic links lead. In a working tree a link leads to what it could lead to in a commit, and to nothing else: a
//! pull request must not make a checker read what is no part of it, such as the credentials in `.git/config`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use git2::{ObjectType, Odb, Oid, Tree};

use super::is_configuration;
use super::tracked::Tracked;

/// Mode of a symbolic link in a git tree.
pub(super) const GIT_LINK: i32 = 0o120_000;
/// The folder git keeps its own files in, at any depth: no commit holds one.
pub(super) const GIT_FOLDER: &str = ".git";

/// What a link leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<F> {
    /// A file of the tree.
    File(F),
    /// A folder of the tree.
    Folder,
    /// Another link, which is not followed.
    Link,
    /// Nothing that the tree holds.
    Nothing,
    /// A place outside of the tree.
    Outside,
}

impl<F> Target<F> {
    /// The file, where it is one.
    pub(super) fn file(self) -> Option<F> {
        match self {
            Self::File(file) => Some(file),
            _ => None,
        }
    }

    /// Whether a link counts as configuration: by its name, or because what it leads to is, or may once have been, a folder.
    /// A folder is never entered through a link, and leaving it out in silence would leave out what it holds.
    pub(super) fn concerns(&self, path: &str) -> bool {
        is_configuration(path)
            || match self {
                Self::File(_) => false,
                Self::Nothing => Path::new(path).extension().is_none(),
                Self::Folder | Self::Link | Self::Outside => true,
            }
    }
}

/// The path below the root that a link's text stands for; nothing where it leads out of the tree, or to git's own files.
fn resolve(path: &str, text: &Path) -> Option<PathBuf> {
    let mut resolved = Path::new(path).parent()?.to_owned();
    for component in text.components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir if resolved.pop() => {}
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!resolved.iter().any(is_git)).then_some(resolved)
}

/// Git takes the name in any case for its own.
fn is_git(name: &OsStr) -> bool {
    name.eq_ignore_ascii_case(GIT_FOLDER)
}

/// The links of a working tree.
pub(super) struct WorkingTree<'r> {
    /// The root, without a link in it.
    root: &'r Path,
    /// What git tracks, read when it is first asked for: most trees have no link.
    tracked: OnceLock<Tracked>,
}

impl<'r> WorkingTree<'r> {
    pub(super) fn new(root: &'r Path) -> Self {
        Self { root, tracked: OnceLock::new() }
    }

    /// Takes it that this is what git tracks.
    pub(super) fn with(root: &'r Path, tracked: Tracked) -> Self {
        Self { root, tracked: tracked.into() }
    }

    /// What git tracks of the tree.
    pub(super) fn tracked(&self) -> &Tracked {
        self.tracked.get_or_init(|| Tracked::below(self.root))
    }

    /// What a link leads to, of which the path below the root may be undecoded; of a file, its place.
    pub(super) fn target(&self, path: &str, link: &Path) -> Target<PathBuf> {
        let Ok(text) = fs::read_link(link) else { return Target::Nothing };
        let Some(resolved) = resolve(path, &text) else { return Target::Outside };
        let mut place = self.root.to_owned();
        let mut kind = None;
        for name in &resolved {
            place.push(name);
            kind = match fs::symlink_metadata(&place) {
                Ok(metadata) if metadata.is_symlink() => return Target::Link,
                Ok(metadata) => Some(metadata.file_type()),
                Err(_) => return Target::Nothing,
            };
        }
        let is_tracked = || resolved.to_str().is_some_and(|path| self.tracked().may_hold(path));
        match kind {
            Some(kind) if kind.is_file() && is_tracked() => Target::File(place),
            Some(kind) if !kind.is_dir() => Target::Nothing,
            _ => Target::Folder,
        }
    }
}

/// What a link in a commit's tree leads to.
pub(super) fn target_in(tree: &Tree<'_>, database: &Odb<'_>, path: &str, link: Oid) -> Target<Oid> {
    let Ok(text) = database.read(link) else { return Target::Nothing };
    let Ok(text) = std::str::from_utf8(text.data()) else { return Target::Nothing };
    let Some(resolved) = resolve(path, Path::new(text)) else { return Target::Outside };
    let (mut place, mut target) = (PathBuf::new(), Target::Folder);
    for name in &resolved {
        place.push(name);
        let Ok(entry) = tree.get_path(&place) else { return Target::Nothing };
        target = match entry.kind() {
            _ if entry.filemode() == GIT_LINK => return Target::Link,
            Some(ObjectType::Tree) => Target::Folder,
            Some(ObjectType::Blob) => Target::File(entry.id()),
            _ => Target::Nothing,
        };
    }
    target
}
