//! What is loaded of a working tree is what is loaded of its commit.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use git2::{Repository, Signature};

use super::*;

/// What must be loaded for a link.
#[derive(Clone, Copy, PartialEq)]
enum Loads {
    /// The text of `shared/a.yaml`.
    Text,
    /// A file that cannot be read.
    Unreadable,
    /// It is no configuration.
    Nothing,
}
use Loads::{Nothing, Text, Unreadable};

/// Links by path, each with its text.
const LINKS: [(&str, &str, Loads); 21] = [
    ("operators/within.yaml", "../shared/a.yaml", Text),
    ("operators/below/within.yaml", "./../../shared/../shared/a.yaml", Text),
    ("operators/README.md", "../shared/a.yaml", Nothing),
    ("operators/LICENSE", "../shared/a.yaml", Nothing),
    ("operators/gone.md", "../shared/gone", Nothing),
    ("operators/gone", "../shared/gone", Unreadable),
    ("operators/gone.yaml", "../shared/gone.yaml", Unreadable),
    ("operators/config.yaml", "../.git/config", Unreadable),
    ("operators/head.yaml", "../.GIT/HEAD", Unreadable),
    ("operators/nested.yaml", "../shared/.git/config", Unreadable),
    ("operators/git.d", "../.git", Unreadable),
    ("operators/env.yaml", "../.env", Unreadable),
    ("operators/outside.yaml", "/etc/hostname", Unreadable),
    ("operators/outside.d", "/etc", Unreadable),
    ("operators/above.yaml", "../../above.yaml", Unreadable),
    ("operators/chain.yaml", "within.yaml", Unreadable),
    ("operators/chain.d", "folder", Unreadable),
    ("operators/through.yaml", "folder/a.yaml", Unreadable),
    ("operators/folder", "../shared", Unreadable),
    ("operators/v1.2", "../shared", Unreadable),
    ("operators/root", "..", Unreadable),
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
    let mut folders = Folders { earlier: &earlier, kept: &kept, expected: 0, seen: ByOid::default() };
    load_revision(repository, commit, |_| false, &mut folders, |file| file).unwrap()
}

fn told(files: Vec<Loaded>) -> Vec<(String, Option<String>)> {
    let text = |content| match content {
        Content::Text(text) => Some(text.to_string()),
        _ => None,
    };
    files.into_iter().map(|file| (file.path.to_string(), text(file.content))).collect()
}

/// What must be loaded, with the text of `.env`, which only git could have left out.
fn expected(env: Option<&str>) -> Vec<(String, Option<String>)> {
    let loaded = LINKS.iter().filter(|(_, _, loads)| *loads != Nothing);
    let text = |path: &str, loads| match loads {
        Text => Some("a: 1\n"),
        _ => env.filter(|_| path == "operators/env.yaml"),
    };
    let mut expected: Vec<_> =
        loaded.map(|(path, _, loads)| ((*path).to_owned(), text(path, *loads).map(str::to_owned))).collect();
    expected.sort();
    expected
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
    assert_eq!(nothing_tracked, expected(Some("AUTHORIZATION: basic c2VjcmV0\n")), "as outside of git");

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
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::init(folder.path()).unwrap();
    fs::create_dir_all(folder.path().join("operators").join(OsStr::from_bytes(b"a\xfe"))).unwrap();
    let mut index = repository.index().unwrap();
    let paths: [&[u8]; 4] =
        [b"operators/\xff.yaml", b"operators/\xfe.yaml", b"operators/a\xfe/b.yaml", b"operators/a\xfe/README"];
    let link = Path::new(OsStr::from_bytes(b"operators/\xff.md"));
    symlink("a", folder.path().join(link)).unwrap();
    index.add_path(link).unwrap();
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
fn other_texts_are_read_as_configuration_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    Repository::init(&root).unwrap();
    make(&root);
    let read = |path: &str| read_text(&root, path).map(|text| text.map(|text| text.to_string()));
    assert_eq!(read("shared/a.yaml").unwrap().as_deref(), Some("a: 1\n"));
    assert_eq!(read("shared/b.yaml").unwrap(), None);
    for path in ["operators/config.yaml", "operators/env.yaml", "operators/gone", "operators/folder/a.yaml", "shared"] {
        let error = read(path).unwrap_err();
        assert!(matches!(error, Error::Read { .. }), "{path}: {error}");
    }
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

#[test]
fn what_is_no_text_is_called_what_it_is() {
    let text = "apiVersion: bindery/v1\nkind: Mno\n";
    let wide = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    for (bytes, expected) in [
        (wide(u16::to_le_bytes), Some("the file is UTF-16")),
        (wide(u16::to_be_bytes), Some("the file is UTF-16")),
        ([&b"\xff\xfe"[..], &wide(u16::to_le_bytes)].concat(), Some("the file is UTF-16")),
        (b"a: 1\nb: \0\n".to_vec(), Some("the file is no text: line 2 has a NUL byte")),
        (vec![0; 100], Some("the file is no text: line 1 has a NUL byte")),
        (b"a: \xe4\0".to_vec(), Some("the file is not UTF-8: line 1 has a byte that does not decode")),
        (text.into(), None),
        (Vec::new(), None),
    ] {
        let found = match Content::from_bytes(&bytes) {
            Content::Unreadable { message, .. } => Some(message),
            _ => None,
        };
        assert_eq!(found.as_deref(), expected, "{bytes:?}");
    }
}
