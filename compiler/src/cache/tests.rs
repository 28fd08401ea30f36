use std::fs;
use std::path::Path;

use super::*;
use crate::diagnostic::Code;
use crate::{Compiled, Compiler, Options};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/diagnostics");

/// Makes a repository of a folder, with everything in it committed.
fn committed(folder: &Path) -> git2::Repository {
    let repository = git2::Repository::init(folder).unwrap();
    let mut index = repository.index().unwrap();
    index.add_all(["*"], git2::IndexAddOption::FORCE, None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let author = git2::Signature::new("Ada", "ada@example.net", &git2::Time::new(0, 0)).unwrap();
    repository.commit(Some("HEAD"), &author, &author, "all", &tree, &[]).unwrap();
    drop(tree);
    repository
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else if entry.file_type().is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn options() -> Options {
    Options { now: "2026-06-01T00:00:00Z".parse().unwrap(), environment: None }
}

/// Compiles a commit by the cache of a folder, and tells how many of its blobs the cache held.
fn compile(repository: &git2::Repository, folder: &Path) -> (Compiled, usize) {
    let mut through = Compiler::default();
    let cache = Cache::open(folder).unwrap();
    let held = cache.entries.len();
    through.cached_by(cache);
    let tip = repository.head().unwrap().peel_to_commit().unwrap().id();
    let compiled = through.compile_revision(repository, tip, &options()).unwrap();
    through.save_cache().unwrap();
    (compiled, held)
}

fn said(compiled: &Compiled) -> String {
    format!("{:#?}\n{:#?}", compiled.findings, compiled.catalog())
}

#[test]
fn a_cached_check_says_what_a_fresh_one_says() {
    let mut cached = 0;
    for case in fs::read_dir(FIXTURES).unwrap() {
        let case = case.unwrap().path().join("repo");
        if !case.is_dir() {
            continue;
        }
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        copy(&case, folder.path());
        let repository = committed(folder.path());
        let (fresh, none) = compile(&repository, cache.path());
        let (again, held) = compile(&repository, cache.path());
        assert_eq!(none, 0);
        assert!(said(&again) == said(&fresh), "{}", case.display());
        cached += held;
    }
    assert!(cached > 300, "only {cached} files of all fixtures were kept");
}

#[test]
fn what_is_torn_or_altered_is_parsed_again() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for name in ["operators", "contracts"] {
        copy(&root.join(name), &folder.path().join(name));
    }
    let repository = committed(folder.path());
    let (fresh, _) = compile(&repository, cache.path());
    let file = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    for spoil in [0, 1, 19, 27, 40, whole.len() / 2, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[spoil] ^= 0x55;
        for bytes in [&altered[..], &whole[..spoil], &[]] {
            fs::write(&file, bytes).unwrap();
            let again = compile(&repository, cache.path()).0;
            assert!(said(&again) == said(&fresh), "byte {spoil} of {}", bytes.len());
            // What was lost is there again.
            assert!(said(&compile(&repository, cache.path()).0) == said(&fresh));
        }
    }
}

/// A repository of this one's operators, and what its cache holds once it is compiled.
fn kept() -> (tempfile::TempDir, git2::Repository, tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    copy(&root.join("operators"), &folder.path().join("operators"));
    let repository = committed(folder.path());
    compile(&repository, cache.path());
    let file = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    (folder, repository, cache, file, whole)
}

#[test]
fn rules_spoilt_on_disk_are_parsed_again_when_one_is_looked_at() {
    let (_folder, repository, cache, file, whole) = kept();
    let fresh = compile(&repository, tempfile::tempdir().unwrap().path()).0;
    let tip = repository.head().unwrap().peel_to_commit().unwrap().id();
    let spoil = || {
        let mut altered = whole.clone();
        // The rules of the last file are at the end.
        *altered.last_mut().unwrap() ^= 0x55;
        fs::write(&file, altered).unwrap();
        let mut through = Compiler::default();
        through.cached_by(Cache::open(cache.path()).unwrap());
        let tree = through.compile_revision(&repository, tip, &options()).unwrap();
        (through, tree)
    };
    let (through, tree) = spoil();
    assert!(said(&tree) == said(&fresh));
    assert_eq!(through.lost(), None);
    through.save_cache().unwrap();
    assert_eq!(fs::read(&file).unwrap().len(), whole.len(), "written anew");
    let (again, held) = compile(&repository, cache.path());
    assert!(held > 0 && said(&again) == said(&fresh));

    // Where git has the file no more, nothing may rest on the rules.
    let (through, tree) = spoil();
    fs::remove_dir_all(repository.path().join("objects")).unwrap();
    assert!(said(&tree) != said(&fresh));
    let lost = through.lost().unwrap();
    assert!(lost.ends_with(".routes.yaml"), "{lost}");
    let before = fs::read(&file).unwrap();
    through.save_cache().unwrap();
    assert!(fs::read(&file).unwrap() == before, "what was lost is not kept");
}

#[test]
fn what_another_run_finished_meanwhile_is_no_torn_end() {
    let (_folder, repository, cache, file, whole) = kept();
    let tip = repository.head().unwrap().peel_to_commit().unwrap().id();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let mut compiler = Compiler::default();
    compiler.cached_by(Cache::open(cache.path()).unwrap());
    compiler.compile_revision(&repository, tip, &options()).unwrap();
    fs::write(&file, &whole).unwrap();
    compiler.save_cache().unwrap();
    assert!(fs::read(&file).unwrap() == whole);
}

#[test]
fn another_version_is_thrown_out_and_what_is_out_of_use_too() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir_all(folder.path().join("operators")).unwrap();
    let others = ["0.0.1-0", "0.1.99-1"].map(|version| cache.path().join(format!("{STEM}{version}")));
    for other in &others {
        fs::write(other, "old").unwrap();
    }
    let mut largest = 0;
    for version in 0..SPARE / 50 + 10 {
        for file in 0..50 {
            let text = format!(
                "apiVersion: bindery/v1\nkind: Mno\nmetadata:\n  id: m{file}\nspec:\n  name: v{version}\n  country: KE\n  contacts:\n    t1:\n      - name: NOC\n"
            );
            fs::write(folder.path().join(format!("operators/m{file}.yaml")), text).unwrap();
        }
        let repository = committed_anew(folder.path());
        largest = largest.max(compile(&repository, cache.path()).1);
    }
    assert!(others.iter().all(|other| !other.exists()));
    let left = Cache::open(cache.path()).unwrap().entries.len();
    assert!(largest > SPARE && left < largest, "{left} of {largest} are left");
}

/// The same folder with a history of its own.
fn committed_anew(folder: &Path) -> git2::Repository {
    _ = fs::remove_dir_all(folder.join(".git"));
    committed(folder)
}

#[test]
fn a_changed_file_of_a_working_tree_is_read() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    copy(&root.join("operators"), &folder.path().join("operators"));
    let repository = committed(folder.path());
    let (fresh, _) = compile(&repository, cache.path());
    let mut compiler = Compiler::default();
    compiler.cached_by(Cache::open(cache.path()).unwrap());
    let tree = compiler.compile_directory(folder.path(), &options()).unwrap();
    assert!(said(&tree) == said(&fresh));

    let some = walkdir::WalkDir::new(folder.path().join("operators")).sort_by_file_name().into_iter();
    let mut files = some.map(Result::unwrap);
    let some = files.find(|entry| entry.path().extension().is_some_and(|end| end == "yaml")).unwrap();
    let text = fs::read_to_string(some.path()).unwrap();
    // As long as before, and at once: neither size nor a coarse clock tells.
    fs::write(some.path(), text.replace("apiVersion", "apiversion")).unwrap();
    let tree = compiler.compile_directory(folder.path(), &options()).unwrap();
    assert!(said(&tree) != said(&fresh));
}

#[test]
fn rules_once_found_clean_are_so_until_one_is_not() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    copy(&root.join("operators"), &folder.path().join("operators"));
    let repository = committed(folder.path());
    let (clean, _) = compile(&repository, cache.path());
    let kept = Cache::open(cache.path()).unwrap();
    let verdicts =
        kept.entries.values().filter(|head| kept.archive.head(head).is_some_and(|bytes| bytes.is_empty())).count();
    assert_eq!((clean.error_count(), verdicts), (0, 1));

    // A second rule with a prefix and a priority that another operator has.
    let rule = "spec:\n  rules:\n    - prefix: \"+93791234\"\n";
    for operator in ["af-roshan-1", "af-afghan-telecom-1"] {
        let routes = walkdir::WalkDir::new(folder.path().join("operators")).into_iter().map(Result::unwrap);
        let name = format!("{operator}.routes.yaml");
        let file = routes.into_iter().find(|entry| entry.file_name() == name.as_str()).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        fs::write(file.path(), text.replace("spec:\n  rules:\n", rule)).unwrap();
    }
    let repository = committed_anew(folder.path());
    let (conflict, _) = compile(&repository, cache.path());
    let of_rules = [Code::PrefixNestedSameOperator, Code::PrefixConflictAcrossOperators];
    let found = |compiled: &Compiled| {
        let codes = compiled.findings.iter().map(|finding| finding.code);
        codes.filter(|code| of_rules.contains(code)).collect::<Vec<_>>()
    };
    assert_eq!(found(&conflict), of_rules);
    assert_eq!(found(&compile(&repository, cache.path()).0), of_rules);
}
