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

    /// What the link at a path leads to; of a file, its place.
    pub(super) fn target(&self, path: &str) -> Target<PathBuf> {
        let Ok(text) = fs::read_link(self.root.join(path)) else { return Target::Nothing };
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use git2::{Repository, Signature};

    use super::super::{Content, Folders, Loaded, load_directory, load_revision};
    use super::*;
    use crate::source::ByOid;

    /// Links by path, each with its text and what must be loaded for it: a file's text, an unreadable file, or nothing.
    const LINKS: [(&str, &str, Option<Option<&str>>); 21] = [
        ("operators/within.yaml", "../shared/a.yaml", Some(Some("a: 1\n"))),
        ("operators/below/within.yaml", "./../../shared/../shared/a.yaml", Some(Some("a: 1\n"))),
        ("operators/README.md", "../shared/a.yaml", None),
        ("operators/LICENSE", "../shared/a.yaml", None),
        ("operators/gone.md", "../shared/gone", None),
        ("operators/gone", "../shared/gone", Some(None)),
        ("operators/gone.yaml", "../shared/gone.yaml", Some(None)),
        ("operators/config.yaml", "../.git/config", Some(None)),
        ("operators/head.yaml", "../.GIT/HEAD", Some(None)),
        ("operators/nested.yaml", "../shared/.git/config", Some(None)),
        ("operators/git.d", "../.git", Some(None)),
        ("operators/env.yaml", "../.env", Some(None)),
        ("operators/outside.yaml", "/etc/hostname", Some(None)),
        ("operators/outside.d", "/etc", Some(None)),
        ("operators/above.yaml", "../../above.yaml", Some(None)),
        ("operators/chain.yaml", "within.yaml", Some(None)),
        ("operators/chain.d", "folder", Some(None)),
        ("operators/through.yaml", "folder/a.yaml", Some(None)),
        ("operators/folder", "../shared", Some(None)),
        ("operators/v1.2", "../shared", Some(None)),
        ("operators/root", "..", Some(None)),
    ];

    fn make(root: &Path) {
        for folder in ["operators/below", "shared/.git", ".git"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("shared/a.yaml"), "a: 1\n").unwrap();
        for secret in [".env", ".git/config", "shared/.git/config", "../above.yaml"] {
            fs::write(root.join(secret), "AUTHORIZATION: basic c2VjcmV0\n").unwrap();
        }
        for (path, text, _) in LINKS {
            symlink(text, root.join(path)).unwrap();
        }
    }

    /// What is loaded of a commit of everything in an index.
    fn in_commit(repository: &Repository, index: &mut git2::Index) -> Vec<Loaded> {
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let author = Signature::new("a", "a@b.example", &git2::Time::new(0, 0)).unwrap();
        let commit = repository.commit(Some("HEAD"), &author, &author, "x", &tree, &[]).unwrap();
        let (earlier, kept) = (ByOid::default(), |_| None);
        let mut folders = Folders { earlier: &earlier, kept: &kept, seen: ByOid::default() };
        load_revision(repository, commit, |_| false, &mut folders, |file| file).unwrap()
    }

    fn told(files: Vec<Loaded>) -> Vec<(String, Option<String>)> {
        let text = |content| match content {
            Content::Text(text) => Some(text.to_string()),
            _ => None,
        };
        files.into_iter().map(|file| (file.path.to_string(), text(file.content))).collect()
    }

    /// What must be loaded, with what is told of `.env`, which only git could have left out.
    fn expected(env: Option<&str>) -> Vec<(String, Option<String>)> {
        let mut expected: Vec<_> = LINKS.iter().filter_map(|(path, _, content)| Some((*path, (*content)?))).collect();
        expected.sort_unstable();
        let told = expected.into_iter().map(|(path, content)| match path {
            "operators/env.yaml" => (path, env),
            _ => (path, content),
        });
        told.map(|(path, content)| (path.to_owned(), content.map(str::to_owned))).collect()
    }

    #[test]
    fn outside_of_git_a_link_leads_to_files_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        make(&root);
        let found = told(load_directory(&root).unwrap());
        assert_eq!(found, expected(Some("AUTHORIZATION: basic c2VjcmV0\n")));
    }

    #[test]
    fn a_working_tree_and_its_commit_agree_on_every_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        let repository = Repository::init(&root).unwrap();
        make(&root);
        fs::write(root.join(".git/config"), "[http]\n\textraheader = AUTHORIZATION: basic c2VjcmV0\n").unwrap();
        let nothing_tracked = told(load_directory(&root).unwrap());
        assert!(nothing_tracked.iter().all(|(_, content)| content.is_none()), "{nothing_tracked:?}");

        let mut index = repository.index().unwrap();
        for path in LINKS.iter().map(|(path, ..)| *path).chain(["shared/a.yaml"]) {
            index.add_path(Path::new(path)).unwrap();
        }
        index.write().unwrap();
        assert_eq!(told(in_commit(&repository, &mut index)), expected(None));
        assert_eq!(told(load_directory(&root).unwrap()), expected(None));
    }

    #[test]
    fn configuration_that_is_itself_a_link_is_not_left_out_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("elsewhere")).unwrap();
        for (link, text) in [("contracts", "elsewhere"), ("operators", "gone"), ("policy.yaml", "gone.yaml")] {
            symlink(text, folder.path().join(link)).unwrap();
        }
        let found = told(load_directory(folder.path()).unwrap());
        assert_eq!(found, ["contracts", "operators", "policy.yaml"].map(|path| (path.to_owned(), None)));
    }

    #[test]
    fn a_name_that_cannot_be_decoded_is_reported_in_tree_and_commit() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(folder.path()).unwrap();
        fs::create_dir_all(folder.path().join("operators").join(OsStr::from_bytes(b"a\xfe"))).unwrap();
        let mut index = repository.index().unwrap();
        let paths: [&[u8]; 4] =
            [b"operators/\xff.yaml", b"operators/\xfe.yaml", b"operators/a\xfe/b.yaml", b"operators/a\xfe/README"];
        for path in paths {
            let path = Path::new(OsStr::from_bytes(path));
            fs::write(folder.path().join(path), "a: 1\n").unwrap();
            index.add_path(path).unwrap();
        }
        let expected = ["operators/a\u{fffd}/b.yaml", "operators/\u{fffd}.yaml"].map(|path| (path.to_owned(), None));
        assert_eq!(told(load_directory(folder.path()).unwrap()), expected);
        assert_eq!(told(in_commit(&repository, &mut index)), expected);
    }

    #[test]
    fn files_of_git_below_a_folder_are_no_configuration() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("operators/vendored/.git")).unwrap();
        for path in ["operators/vendored/.git/a.yaml", "operators/vendored/b.yaml"] {
            fs::write(folder.path().join(path), "a: 1\n").unwrap();
        }
        let found = told(load_directory(folder.path()).unwrap());
        assert_eq!(found, [("operators/vendored/b.yaml".to_owned(), Some("a: 1\n".to_owned()))]);
    }
}
