//! The whole way from files to a catalog and findings.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use bindery_schema::catalog::Catalog;
use bindery_schema::hash::Digest;
use bindery_schema::policy::PolicySpec;
use git2::{Oid, Repository};
use jiff::Timestamp;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::cache::{self, Again, Cache, Worth};
use crate::diagnostic::{Draft, Finding, Location, Place, Severity, Sink};
use crate::lower::Lowering;
use crate::parse::{FileFault, ParsedFile, parse_file};
use crate::plan::Catalogs;
use crate::plan::policy::guarding;
use crate::source::{self, ByOid, Content, FileId, Folder, Folders, Loaded, Origin, SourceMap, by_oid};
use crate::timeline::{self, Event, Window};
use crate::validate::{self, Clean, Known, Objects};

/// What a compile depends on beside the files.
#[derive(Debug, Clone)]
pub struct Options {
    /// The present moment; its day in UTC is "today".
    pub now: Timestamp,
    /// The environment whose overlays are laid over the base. Checks look at every environment regardless.
    pub environment: Option<String>,
}

/// What a change makes of files, by path: a new text, or none where a file goes.
pub type Changes = BTreeMap<Arc<str>, Option<Arc<str>>>;

/// Compiles revisions and directories. Files that were parsed for the tree before, or for the cache, are not read again.
#[derive(Debug, Default)]
pub struct Compiler {
    parsed: ByOid<Arc<ParsedFile>>,
    folders: ByOid<Arc<Folder>>,
    cache: Option<Cache>,
    guard: Option<PolicySpec>,
    /// Whether the catalogs of all environments are wanted beside the one that is asked for.
    everywhere: bool,
    /// The last catalog, of which the next one differs little.
    earlier: Option<Arc<Catalog>>,
    /// The last rules in which nothing was found, and all of which the cache does not know it.
    clean: Option<Clean>,
    found_clean: BTreeSet<Digest>,
}

/// How far a tree's policy could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyRead {
    /// It says what it says, also where there is none.
    InFull,
    /// It has errors: what could not be read of it counts as if it were not there.
    InPart,
    /// Nothing of it could be read.
    NotAtAll,
}

/// What came out of a compile.
#[derive(Debug)]
pub struct Compiled {
    /// Everything that was found, by file, place and code; acknowledged warnings left out.
    pub findings: Vec<Finding>,
    /// The files the findings refer to.
    pub sources: SourceMap,
    /// Names of the environments that some operator lays something over in, in order.
    pub environments: Vec<String>,
    catalog: Arc<Catalog>,
    policy_read: PolicyRead,
    /// By environment, where they are wanted.
    laid_over: BTreeMap<String, Arc<Catalog>>,
}

impl Compiled {
    /// The catalog; none where any finding is an error.
    pub fn catalog(&self) -> Option<&Catalog> {
        (self.error_count() == 0).then_some(&self.catalog)
    }

    /// The catalog to keep; none where any finding is an error.
    pub fn shared_catalog(&self) -> Option<Arc<Catalog>> {
        (self.error_count() == 0).then(|| self.catalog.clone())
    }

    /// The catalog and, where the compiler makes them, those of all environments; none where any finding is an error.
    pub fn catalogs(&self) -> Option<Catalogs<'_>> {
        self.catalog().map(|base| Catalogs { base, environments: &self.laid_over })
    }

    /// The policy as it stands in the tree; defaults where there is none or it could not be read.
    pub fn policy(&self) -> &PolicySpec {
        &self.catalog.policy
    }

    /// How far [`Self::policy`] is what stands in the tree.
    pub fn policy_read(&self) -> PolicyRead {
        self.policy_read
    }

    /// How many findings are errors.
    pub fn error_count(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity() == Severity::Error).count()
    }
}

impl Compiler {
    /// From now on checks by the guardrails, routing and throughput rules of another policy, that of the revision a change
    /// starts from. Catalogs still hold the policy of their own tree.
    pub fn guarded_by(&mut self, base: PolicySpec) {
        self.guard = Some(base);
    }

    /// From now on checks every tree by its own policy.
    pub fn unguarded(&mut self) {
        self.guard = None;
    }

    /// From now on makes the catalog of every environment too, which costs nothing where no operator has one.
    pub fn everywhere(&mut self) {
        self.everywhere = true;
    }

    /// From now on takes from a cache what it holds.
    pub fn cached_by(&mut self, cache: Cache) {
        self.cache = Some(cache);
    }

    /// Adds to the cache, where there is one, what the last tree held and the cache did not.
    pub fn save_cache(&self) -> io::Result<()> {
        let worth = Worth { parsed: &self.parsed, folders: &self.folders, clean: &self.found_clean };
        self.cache.as_ref().map_or(Ok(()), |cache| cache.save(&worth))
    }

    /// A file of which the cache lost the rules, and which could not be read again either: nothing that was said of them can
    /// be relied on.
    pub fn lost(&self) -> Option<&str> {
        self.cache.as_ref().and_then(Cache::lost)
    }

    fn is_known(&self, blob: Oid) -> bool {
        self.parsed.contains_key(&blob) || self.cache.as_ref().is_some_and(|cache| cache.contains(blob))
    }

    fn read_revision(&mut self, repository: &Repository, commit: Oid) -> Result<Tree, source::Error> {
        let origin = Arc::new(Origin::Revision { repository: repository.path().to_owned(), commit });
        let kept = |tree| self.cache.as_ref().and_then(|cache| cache.folder(tree));
        let expected = self.parsed.len().max(self.cache.as_ref().map_or(0, Cache::len));
        let mut folders = Folders { earlier: &self.folders, kept: &kept, expected, seen: ByOid::default() };
        let (known, parse) = (|blob| self.is_known(blob), |file| self.parse(file, &origin));
        let files = source::load_revision(repository, commit, known, &mut folders, parse)?;
        self.folders = folders.seen;
        Ok(Tree { files, origin })
    }

    fn read_directory(&self, directory: &Path) -> Result<Tree, source::Error> {
        let origin = Arc::new(Origin::Directory(directory.to_owned()));
        let known = |blob| self.is_known(blob);
        // Where nothing is known yet and nothing is kept, no file need be told from another.
        let looks = self.cache.is_some() || !self.parsed.is_empty();
        let files = source::load_each(directory, looks.then_some(&known), |file| self.parse(file, &origin))?;
        Ok(Tree { files, origin })
    }

    /// Compiles the tree of a commit; no checkout is needed.
    pub fn compile_revision(
        &mut self,
        repository: &Repository,
        commit: Oid,
        options: &Options,
    ) -> Result<Compiled, source::Error> {
        let tree = self.read_revision(repository, commit)?;
        Ok(self.compile_and(tree, options, |_, _, _| ()).0)
    }

    /// Compiles the tree of a commit as changes would leave it. Nothing is written.
    pub fn compile_changed(
        &mut self,
        repository: &Repository,
        commit: Oid,
        changes: &Changes,
        options: &Options,
    ) -> Result<Compiled, source::Error> {
        let mut tree = self.read_revision(repository, commit)?;
        tree.files.retain(|file| !changes.contains_key(&file.path));
        for (path, text) in changes.iter().filter_map(|(path, text)| Some((path.clone(), text.clone()?))) {
            tree.files.push(self.parse(Loaded { path, blob: None, content: Content::Text(text) }, &tree.origin));
        }
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.compile_and(tree, options, |_, _, _| ()).0)
    }

    /// Compiles the working tree below a directory.
    pub fn compile_directory(&mut self, directory: &Path, options: &Options) -> Result<Compiled, source::Error> {
        let tree = self.read_directory(directory)?;
        Ok(self.compile_and(tree, options, |_, _, _| ()).0)
    }

    /// Compiles the tree of a commit and lists what time will make of it.
    pub fn timeline_revision(
        &mut self,
        repository: &Repository,
        commit: Oid,
        options: &Options,
        window: Window,
    ) -> Result<(Compiled, Vec<Event>), source::Error> {
        let tree = self.read_revision(repository, commit)?;
        Ok(self.timeline(tree, options, window))
    }

    /// Compiles the working tree below a directory and lists what time will make of it.
    pub fn timeline_directory(
        &mut self,
        directory: &Path,
        options: &Options,
        window: Window,
    ) -> Result<(Compiled, Vec<Event>), source::Error> {
        let tree = self.read_directory(directory)?;
        Ok(self.timeline(tree, options, window))
    }

    fn timeline(&mut self, tree: Tree, options: &Options, window: Window) -> (Compiled, Vec<Event>) {
        self.compile_and(tree, options, |objects, policy, sources| timeline::events(objects, policy, window, sources))
    }

    /// Asks a question of the objects of files.
    #[cfg(test)]
    pub(crate) fn asked<T>(
        loaded: Vec<Loaded>,
        options: &Options,
        ask: impl FnOnce(&Objects<'_>, &PolicySpec, &SourceMap) -> T,
    ) -> (Compiled, T) {
        let (mut compiler, origin) = (Self::default(), Arc::new(Origin::Memory));
        let files = loaded.into_iter().map(|file| compiler.parse(file, &origin)).collect();
        compiler.compile_and(Tree { files, origin }, options, ask)
    }

    /// Compiles files that were loaded before; their order is that of their paths.
    pub fn compile(&mut self, loaded: Vec<Loaded>, options: &Options) -> Compiled {
        let origin = Arc::new(Origin::Memory);
        let files = loaded.into_par_iter().map(|file| self.parse(file, &origin)).collect();
        self.compile_and(Tree { files, origin }, options, |_, _, _| ()).0
    }

    /// What a file holds: as it was parsed before, as the cache has it, or by parsing it.
    fn parse(&self, Loaded { path, blob, content }: Loaded, origin: &Arc<Origin>) -> Parsed {
        let known = blob.filter(|_| matches!(content, Content::Known)).and_then(|blob| {
            let again = || Again { origin: origin.clone(), path: path.clone() };
            let cached = || self.cache.as_ref().and_then(|cache| cache.get(blob, &again())).map(Arc::new);
            self.parsed.get(&blob).cloned().or_else(cached)
        });
        if let Some(content) = known {
            return Parsed { path, blob, content, text: None };
        }
        // An entry of the cache that does not decode is none.
        let content = if matches!(content, Content::Known) { origin.content(&path) } else { content };
        let text = match &content {
            // Nowhere else is what such a text could be read from again.
            Content::Text(text) if origin.lacks(blob) => Some(text.clone()),
            _ => None,
        };
        Parsed { path, blob, content: Arc::new(parse_file(content)), text }
    }

    /// Compiles, and asks one more question of the objects while they are at hand.
    fn compile_and<T>(
        &mut self,
        Tree { files, origin }: Tree,
        options: &Options,
        ask: impl FnOnce(&Objects<'_>, &PolicySpec, &SourceMap) -> T,
    ) -> (Compiled, T) {
        // Only what the present tree holds is kept: memory follows the tree, not its history.
        let mut parsed = by_oid(files.len());
        parsed.extend(files.iter().filter_map(|file| Some((file.blob?, file.content.clone()))));
        self.parsed = parsed;
        let own = |file: &Parsed| Some(&file.content.text).filter(|text| !text.is_empty()).cloned();
        let text = |file: &Parsed| file.text.clone().or_else(|| own(file));
        let sources = SourceMap::lazy(files.iter().map(|file| (file.path.clone(), text(file))), origin);
        let numbered = || (0..).map(FileId).zip(files.iter().map(|file| &*file.content));

        let mut sink = Sink::default();
        for (file, parsed) in numbered() {
            parsed.faults.iter().for_each(|fault| sink.push(of_file(file, fault)));
        }
        let objects = Objects::gather(numbered(), &sources, &mut sink);
        let policy = objects.policy();
        let guard = self.guard.as_ref().map_or_else(|| policy.clone(), |base| guarding(base, &policy));
        let is_clean = |digest| self.cache.as_ref().is_some_and(|cache| cache.contains(cache::key(digest)));
        let known = Known { last: self.clean.as_ref(), is_clean: &is_clean };
        if let Some(clean) = validate::check(&objects, &guard, options.now, &known, &mut sink) {
            if self.cache.is_some() {
                self.found_clean.insert(clean.digest());
            }
            self.clean = Some(clean);
        }
        let findings = validate::without_acknowledged(sink.finish(&sources), &objects, &policy, options.now);
        let policy_file = objects.policy.as_ref().map(|(root, _)| root.file);
        let is_wrong =
            |finding: &Finding| finding.severity() == Severity::Error && Some(finding.primary.file) == policy_file;
        let policy_read = match objects.is_policy_unread() {
            true => PolicyRead::NotAtAll,
            false if findings.iter().any(is_wrong) => PolicyRead::InPart,
            false => PolicyRead::InFull,
        };
        let answer = ask(&objects, &policy, &sources);
        let environments: Vec<String> = objects.environments().into_iter().flatten().map(str::to_owned).collect();
        let lower = |environment, earlier| {
            let lowering = Lowering { objects: &objects, environment, sources: &sources, earlier };
            Arc::new(lowering.catalog(policy.clone()))
        };
        let catalog = lower(options.environment.as_deref(), self.earlier.as_deref());
        // What an environment does not lay anything over is shared with the base.
        let wanted = environments.iter().filter(|_| self.everywhere);
        let laid_over = wanted.map(|name| (name.clone(), lower(Some(name), Some(&catalog)))).collect();
        self.earlier = Some(catalog.clone());
        drop(objects);
        (Compiled { findings, sources, environments, catalog, policy_read, laid_over }, answer)
    }
}

/// A tree's files in path order, and where they can be read again.
struct Tree {
    files: Vec<Parsed>,
    origin: Arc<Origin>,
}

/// A file of a compile.
struct Parsed {
    path: Arc<str>,
    blob: Option<Oid>,
    content: Arc<ParsedFile>,
    /// The text it was loaded with, where it was.
    text: Option<Arc<str>>,
}

/// A fault of one file as a finding; a document's root stands for the object it is about.
fn of_file(file: FileId, fault: &FileFault) -> Draft {
    let at = |span| Place::Known(Location { file, span });
    let mut draft = Draft::new(fault.code, at(fault.span), &*fault.message).fix(fault.fix.clone());
    if let Some((span, message)) = &fault.related {
        draft = draft.related(at(*span), &**message);
    }
    match &fault.help {
        Some(help) => draft.help(&**help),
        None => draft,
    }
}

#[cfg(test)]
mod tests;
