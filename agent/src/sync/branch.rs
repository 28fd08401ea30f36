//! The branch as everybody sees it: a commit is put on top of the very tip it was made on, or not at all.
//!
//! libgit2 blocks, so all of this belongs on the pool for blocking work.

use std::io::Write as _;

use git2::{ErrorCode, Oid, PushOptions, Repository, Signature};

use super::remote;
use crate::config;

/// Attempts on a branch that others push to at the same time.
pub const ATTEMPTS: usize = 10;

/// Why a commit is not on the branch.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The clone or the remote failed.
    #[error("git failed")]
    Git(#[from] git2::Error),
    /// The server refused the push.
    #[error("the server refused the push: {0}")]
    Refused(String),
}

/// A person git can name: callers of the API are known by the subject of their token.
pub fn signature(who: &str) -> Result<Signature<'static>, git2::Error> {
    let plain = |text: &str| text.replace(|c: char| c.is_control() || "<>\"".contains(c), "");
    let name = plain(who);
    let mail = if name.contains('@') { name.clone() } else { format!("{}@bindery.invalid", name.replace(' ', "-")) };
    Signature::now(&name, &mail)
}

/// Pushes what a reference of the clone names over the tip it was made on; `false` when the branch is another by now.
pub fn push(repository: &Repository, config: &config::Repository, reference: &str, tip: Oid) -> Result<bool, Error> {
    let branch = format!("refs/heads/{}", config.branch);
    match in_a_folder(&config.url) {
        Some(forge) => push_into(repository, &forge, (reference, &branch), tip),
        None => push_to(repository, config, (reference, &branch), tip),
    }
}

/// The repository, where the address is a path.
fn in_a_folder(url: &str) -> Option<Repository> {
    Repository::open(url.strip_prefix("file://").unwrap_or(url)).ok()
}

/// Pushes into a folder. No server is there to compare the branch with the tip, and libgit2 sets it whatever it has become
/// since it was listed: so the new objects are brought there first, and then the branch is exchanged under its lock.
fn push_into(
    repository: &Repository,
    forge: &Repository,
    (reference, branch): (&str, &str),
    tip: Oid,
) -> Result<bool, Error> {
    if forge.refname_to_id(branch)? != tip {
        return Ok(false);
    }
    let commit = repository.refname_to_id(reference)?;
    let mut new = repository.revwalk()?;
    new.push(commit)?;
    new.hide(tip)?;
    let mut pack = repository.packbuilder()?;
    pack.insert_walk(&mut new)?;
    let odb = forge.odb()?;
    let mut writer = odb.packwriter()?;
    pack.foreach(|piece| writer.write_all(piece).is_ok())?;
    writer.commit()?;
    match forge.reference_matching(branch, commit, true, tip, "push") {
        Ok(_) => Ok(true),
        // Somebody else was faster, or is at it.
        Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::Locked) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Pushes to a server, which compares the branch with the tip that this side names.
fn push_to(
    repository: &Repository,
    config: &config::Repository,
    (reference, branch): (&str, &str),
    tip: Oid,
) -> Result<bool, Error> {
    let (mut refusal, distrust) = (None, remote::Refusal::default());
    let mut callbacks = remote::callbacks(config, &distrust);
    callbacks.push_negotiation(move |updates| {
        // Not a fast-forward by chance: the very tip that was built on.
        if updates.iter().all(|update| update.src() == tip) {
            Ok(())
        } else {
            Err(git2::Error::new(ErrorCode::NotFastForward, git2::ErrorClass::Reference, "the branch has moved"))
        }
    });
    callbacks.push_update_reference(|_, status| {
        refusal = status.map(str::to_owned);
        Ok(())
    });
    let mut options = PushOptions::new();
    options.remote_callbacks(callbacks);
    let mut remote = repository.remote_anonymous(&config.url)?;
    let pushed = remote.push(&[format!("{reference}:{branch}")], Some(&mut options));
    drop(options);
    match (pushed, refusal) {
        (Ok(()), None) => Ok(true),
        (Ok(()), Some(refusal)) if refusal.contains("fast-forward") || refusal.contains("fetch first") => Ok(false),
        (Ok(()), Some(refusal)) => Err(Error::Refused(refusal)),
        (Err(error), _) if error.code() == ErrorCode::NotFastForward => Ok(false),
        (Err(error), _) => Err(distrust.explain(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use git2::RepositoryInitOptions;

    use super::*;
    use crate::sync::fetch;

    const TIP: &str = "refs/bindery/test-tip";
    const OWN: &str = "refs/bindery/test-own";

    fn commit(repository: &Repository, reference: Option<&str>, message: &str, parents: &[Oid]) -> Oid {
        let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
        let author = signature("ada@example.org").unwrap();
        let parents: Vec<_> = parents.iter().map(|parent| repository.find_commit(*parent).unwrap()).collect();
        let parents: Vec<_> = parents.iter().collect();
        repository.commit(reference, &author, &author, message, &tree, &parents).unwrap()
    }

    #[test]
    fn a_branch_that_has_moved_is_not_pushed_over() {
        let dir = tempfile::tempdir().unwrap();
        let (forge, clone) = (dir.path().join("forge.git"), dir.path().join("clone.git"));
        let forge = Repository::init_opts(forge, RepositoryInitOptions::new().bare(true)).unwrap();
        let remote = config::Repository::at(forge.path().to_str().unwrap());
        let main = "refs/heads/main";
        let first = commit(&forge, Some(main), "First", &[]);
        assert_eq!(fetch::fetch(&clone, &remote, TIP).unwrap(), first);
        let clone = Repository::open_bare(clone).unwrap();
        let own = commit(&clone, None, "Revert", &[first]);
        clone.reference(OWN, own, true, "test").unwrap();

        let second = commit(&forge, Some(main), "Someone was faster", &[first]);
        assert!(!push(&clone, &remote, OWN, first).unwrap());
        assert_eq!(forge.refname_to_id(main).unwrap(), second);
        // Even where it would be a fast-forward: it was made on another tip.
        forge.reference(main, first, true, "test").unwrap();
        assert!(!push(&clone, &remote, OWN, second).unwrap());
        assert!(push(&clone, &remote, OWN, first).unwrap());
        assert_eq!(forge.refname_to_id(main).unwrap(), own);
    }

    #[test]
    fn of_pushes_at_once_into_a_folder_one_gets_through() {
        let dir = tempfile::tempdir().unwrap();
        let mut bare = RepositoryInitOptions::new();
        let forge = Repository::init_opts(dir.path().join("forge.git"), bare.bare(true)).unwrap();
        let remote = config::Repository::at(forge.path().to_str().unwrap());
        let main = "refs/heads/main";
        let mut tip = commit(&forge, Some(main), "First", &[]);
        for round in 0..20 {
            let start = std::sync::Barrier::new(4);
            let pushed: Vec<Option<Oid>> = std::thread::scope(|scope| {
                let one = |n: usize| {
                    let clone = dir.path().join(format!("clone-{n}.git"));
                    let (remote, start) = (&remote, &start);
                    scope.spawn(move || {
                        assert_eq!(fetch::fetch(&clone, remote, TIP).unwrap(), tip);
                        let clone = Repository::open_bare(clone).unwrap();
                        let own = commit(&clone, None, &format!("{round} of {n}"), &[tip]);
                        clone.reference(OWN, own, true, "test").unwrap();
                        start.wait();
                        push(&clone, remote, OWN, tip).unwrap().then_some(own)
                    })
                };
                let threads: Vec<_> = (0..4).map(one).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let through: Vec<Oid> = pushed.into_iter().flatten().collect();
            tip = forge.refname_to_id(main).unwrap();
            assert_eq!(through, [tip], "round {round}");
        }
        let left = forge.references_glob("refs/bindery/*").unwrap();
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn callers_have_a_name_git_takes() {
        let sam = signature("sam <evil>\n").unwrap();
        assert_eq!((sam.name().unwrap(), sam.email().unwrap()), ("sam evil", "sam-evil@bindery.invalid"));
        assert_eq!(signature("ada@example.org").unwrap().email().unwrap(), "ada@example.org");
    }
}
