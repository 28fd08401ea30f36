//! The bare repository that plays the forge: HEAD of a working copy, and one commit that seals generated passwords.
//!
//! Cloning, editing and pushing to it is the real flow. A repository that is there already is left as it is.

use std::path::Path;

use bindery_compiler::{Compiled, Compiler, Options, edit, seal};
use bindery_schema::secret::Secret;
use git2::{Commit, Index, IndexEntry, IndexTime, Oid, Repository, RepositoryInitOptions, Signature, Tree};
use jiff::Timestamp;

use super::files::random_bytes;

/// The branch people push to.
pub const BRANCH: &str = "main";
const REFERENCE: &str = "refs/heads/main";
const POLICY: &str = "policy.yaml";
/// Length of a generated password: the most SMPP 3.4 allows.
const PASSWORD_LENGTH: usize = seal::LONGEST_PASSWORD;
/// Letters and digits that are not mistaken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Why the repository could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder is in no git repository.
    #[error("the configuration must be in a git repository")]
    NoRepository(#[source] git2::Error),
    /// Nothing was committed yet.
    #[error("the git repository has no commit yet; commit the configuration first")]
    NoCommit(#[source] git2::Error),
    /// git failed.
    #[error("cannot prepare the bare repository")]
    Git(#[from] git2::Error),
    /// The working copy's HEAD cannot be read.
    #[error("cannot read the configuration of HEAD")]
    Source(#[from] bindery_compiler::source::Error),
    /// HEAD does not compile.
    #[error("HEAD does not compile: {0} errors; run `bindery check`")]
    DoesNotCompile(usize),
    /// A password cannot be sealed.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// A file cannot be edited.
    #[error("cannot edit {path}: {message}")]
    Edit {
        /// The file.
        path: String,
        /// Why not.
        message: String,
    },
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] super::Error),
}

/// What the bare repository holds of a working copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seeded {
    /// It was made from this commit.
    Made {
        /// The working copy's HEAD.
        head: String,
    },
    /// It was there already and was left alone.
    Kept {
        /// The working copy's HEAD, where the branch does not contain it.
        missing: Option<String>,
    },
}

/// Makes the bare repository from a working copy's HEAD unless it is there.
///
/// The added commit names `recipient` in the policy and gives each operator without a sealed password a random one.
pub fn seed(working_copy: &Path, bare: &Path, recipient: &str, now: Timestamp) -> Result<Seeded, Error> {
    let source = Repository::discover(working_copy).map_err(Error::NoRepository)?;
    let head = source.head().and_then(|head| head.peel_to_commit()).map_err(Error::NoCommit)?;
    if let Ok(existing) = Repository::open_bare(bare)
        && let Ok(branch) = existing.find_reference(REFERENCE)
    {
        let tip = branch.peel_to_commit()?.id();
        // A commit the bare repository does not know is an error here, and surely not in the branch.
        // A shallow working copy has commits of its own making there: nothing can be said of them.
        let contained =
            source.is_shallow() || tip == head.id() || existing.graph_descendant_of(tip, head.id()).unwrap_or(false);
        return Ok(Seeded::Kept { missing: (!contained).then(|| head.id().to_string()) });
    }
    let forge = Repository::init_opts(bare, RepositoryInitOptions::new().bare(true).initial_head(BRANCH))?;
    let parent = forge.find_commit(copy(&source, &head, &forge)?)?;
    let compiled = compile(&forge, parent.id(), now)?;
    let tree = seal_passwords(&forge, &parent, &compiled, recipient)?;
    let author = Signature::now("bindery dev", "dev@bindery.example")?;
    let message = "Seal generated passwords for the private stack\n";
    // The branch comes last: a repository without it is one to be made again.
    forge.commit(Some(REFERENCE), &author, &author, message, &tree, &[&parent])?;
    Ok(Seeded::Made { head: head.id().to_string() })
}

/// Copies a commit with its history. A shallow working copy lacks it: there the copy begins with HEAD's tree.
fn copy(source: &Repository, head: &Commit<'_>, forge: &Repository) -> Result<Oid, Error> {
    let mut builder = source.packbuilder()?;
    if source.is_shallow() {
        builder.insert_tree(head.tree_id())?;
    } else {
        let mut walk = source.revwalk()?;
        walk.push(head.id())?;
        builder.insert_walk(&mut walk)?;
    }
    let database = forge.odb()?;
    let mut writer = database.packwriter()?;
    let mut failure = None;
    builder.foreach(|chunk| match std::io::Write::write_all(&mut writer, chunk) {
        Ok(()) => true,
        Err(error) => {
            failure = Some(error);
            false
        }
    })?;
    if let Some(error) = failure {
        return Err(git2::Error::from_str(&error.to_string()).into());
    }
    writer.commit()?;
    if !source.is_shallow() {
        return Ok(head.id());
    }
    let (tree, message) = (forge.find_tree(head.tree_id())?, head.message().unwrap_or("HEAD"));
    Ok(forge.commit(None, &head.author(), &head.committer(), message, &tree, &[])?)
}

fn compile(repository: &Repository, commit: Oid, now: Timestamp) -> Result<Compiled, Error> {
    let options = Options { now, environment: None };
    let compiled = Compiler::default().compile_revision(repository, commit, &options)?;
    if compiled.error_count() > 0 {
        return Err(Error::DoesNotCompile(compiled.error_count()));
    }
    Ok(compiled)
}

fn seal_passwords<'r>(
    forge: &'r Repository,
    base: &Commit<'_>,
    compiled: &Compiled,
    recipient: &str,
) -> Result<Tree<'r>, Error> {
    let tree = base.tree()?;
    let mut index = Index::new()?;
    index.read_tree(&tree)?;
    let catalog = compiled.catalog().ok_or(Error::DoesNotCompile(compiled.error_count()))?;
    let mut recipients = catalog.policy.secrets.recipients.clone();
    if !recipients.iter().any(|known| known == recipient) {
        recipients.push(recipient.to_owned());
        let text = text_of(forge, &tree, POLICY)?.unwrap_or_default();
        let edited = edit::add_recipient(&text, recipient).map_err(failed(POLICY))?;
        replace(forge, &mut index, POLICY, &edited)?;
    }
    for (id, operator) in catalog.operators.iter().filter(|(_, operator)| operator.spec.sealed().is_none()) {
        let sealed = seal::seal(id, &password()?, &recipients)?;
        // A file may hold several operators: each edit starts from the one before.
        let text = match index.get_path(Path::new(&*operator.source), 0) {
            Some(entry) => String::from_utf8_lossy(forge.find_blob(entry.id)?.content()).into_owned(),
            None => continue,
        };
        let edited = edit::set_sealed(&text, id, &sealed).map_err(failed(&operator.source))?;
        replace(forge, &mut index, &operator.source, &edited)?;
    }
    Ok(forge.find_tree(index.write_tree_to(forge)?)?)
}

fn failed<E: std::fmt::Display>(path: &str) -> impl Fn(E) -> Error {
    let path = path.to_owned();
    move |error| Error::Edit { path: path.clone(), message: error.to_string() }
}

fn text_of(repository: &Repository, tree: &Tree<'_>, path: &str) -> Result<Option<String>, Error> {
    let Ok(entry) = tree.get_path(Path::new(path)) else { return Ok(None) };
    Ok(Some(String::from_utf8_lossy(repository.find_blob(entry.id())?.content()).into_owned()))
}

fn replace(repository: &Repository, index: &mut Index, path: &str, text: &str) -> Result<(), Error> {
    let id = repository.blob(text.as_bytes())?;
    let epoch = IndexTime::new(0, 0);
    index.add(&IndexEntry {
        ctime: epoch,
        mtime: epoch,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into(),
    })?;
    Ok(())
}

fn password() -> Result<Secret, Error> {
    let bytes = random_bytes::<PASSWORD_LENGTH>()?;
    let letters = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(Secret::new(letters.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A key nobody has the other half of.
    const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    fn commit(copy: &Path, policy: &str) -> Oid {
        let repository = Repository::open(copy).unwrap_or_else(|_| Repository::init(copy).unwrap());
        fs::write(copy.join(POLICY), policy).unwrap();
        let mut index = repository.index().unwrap();
        index.add_path(Path::new(POLICY)).unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let author = Signature::now("Ann", "ann@carriers.example").unwrap();
        let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        repository.commit(Some("HEAD"), &author, &author, "Change", &tree, parent.as_ref().as_slice()).unwrap()
    }

    #[test]
    fn a_head_that_does_not_compile_leaves_nothing_behind_and_a_later_one_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (copy, bare) = (dir.path().join("copy"), dir.path().join("forge.git"));
        let seed = || seed(&copy, &bare, RECIPIENT, Timestamp::now());
        fs::create_dir(&copy).unwrap();
        assert!(matches!(seed(), Err(Error::NoRepository(_))));
        commit(&copy, "apiVersion: bindery/v1\nkind: Policy\nspec: {secrets: {recipients: 5}}\n");
        assert!(matches!(seed(), Err(Error::DoesNotCompile(_))));
        let good = "apiVersion: bindery/v1\nkind: Policy\nspec:\n  secrets:\n    recipients: []\n";
        let head = commit(&copy, good);
        assert_eq!(seed().unwrap(), Seeded::Made { head: head.to_string() });
        assert_eq!(seed().unwrap(), Seeded::Kept { missing: None });
        let moved = commit(&copy, &format!("# Ours.\n{good}"));
        assert_eq!(seed().unwrap(), Seeded::Kept { missing: Some(moved.to_string()) });
    }

    #[test]
    fn a_shallow_copy_is_enough() {
        let dir = tempfile::tempdir().unwrap();
        let (copy, shallow, bare) = (dir.path().join("copy"), dir.path().join("shallow"), dir.path().join("forge.git"));
        fs::create_dir(&copy).unwrap();
        for n in 0..3 {
            commit(&copy, &format!("# {n}\napiVersion: bindery/v1\nkind: Policy\nspec:\n  tps: {{}}\n"));
        }
        let url = format!("file://{}", copy.display());
        let clone =
            std::process::Command::new("git").args(["clone", "-q", "--depth", "1", &url]).arg(&shallow).status();
        assert!(clone.unwrap().success());
        seed(&shallow, &bare, RECIPIENT, Timestamp::now()).unwrap();
        assert_eq!(seed(&shallow, &bare, RECIPIENT, Timestamp::now()).unwrap(), Seeded::Kept { missing: None });
        let forge = Repository::open_bare(&bare).unwrap();
        let mut walk = forge.revwalk().unwrap();
        walk.push_ref(REFERENCE).unwrap();
        assert_eq!(walk.map(Result::unwrap).count(), 2, "HEAD's tree, and the commit that adds the recipient");
    }
}
