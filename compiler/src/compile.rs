//! The whole way from files to a catalog and findings.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bindery_schema::catalog::Catalog;
use bindery_schema::policy::PolicySpec;
use git2::{Oid, Repository};
use jiff::Timestamp;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::diagnostic::{Draft, Finding, Location, Place, Severity, Sink};
use crate::lower;
use crate::parse::{FileFault, ParsedFile, parse_file};
use crate::plan::policy::guarding;
use crate::source::{self, Content, FileId, Loaded, SourceMap};
use crate::timeline::{self, Event, Window};
use crate::validate::{self, Objects};

/// What a compile depends on beside the files.
#[derive(Debug, Clone)]
pub struct Options {
    /// The present moment; its day in UTC is "today".
    pub now: Timestamp,
    /// The environment whose overlays are laid over the base. Checks look at every environment regardless.
    pub environment: Option<String>,
}

/// Compiles revisions and directories. Files that were parsed for the revision before are not read again.
#[derive(Debug, Default)]
pub struct Compiler {
    parsed: HashMap<Oid, Arc<ParsedFile>>,
    guard: Option<PolicySpec>,
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
    catalog: Catalog,
}

impl Compiled {
    /// The catalog; none where any finding is an error.
    pub fn catalog(&self) -> Option<&Catalog> {
        (self.error_count() == 0).then_some(&self.catalog)
    }

    /// The policy as it stands in the tree; defaults where there is none or it could not be read.
    pub fn policy(&self) -> &PolicySpec {
        &self.catalog.policy
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

    /// Compiles the tree of a commit; no checkout is needed.
    pub fn compile_revision(
        &mut self,
        repository: &Repository,
        commit: Oid,
        options: &Options,
    ) -> Result<Compiled, source::Error> {
        let loaded = source::load_revision(repository, commit, |blob| self.parsed.contains_key(&blob))?;
        Ok(self.compile(loaded, options))
    }

    /// Compiles the working tree below a directory.
    pub fn compile_directory(&mut self, directory: &Path, options: &Options) -> Result<Compiled, source::Error> {
        Ok(self.compile(source::load_directory(directory)?, options))
    }

    /// Compiles the tree of a commit and lists what time will make of it.
    pub fn timeline_revision(
        &mut self,
        repository: &Repository,
        commit: Oid,
        options: &Options,
        window: Window,
    ) -> Result<(Compiled, Vec<Event>), source::Error> {
        let loaded = source::load_revision(repository, commit, |blob| self.parsed.contains_key(&blob))?;
        Ok(self.timeline(loaded, options, window))
    }

    /// Compiles the working tree below a directory and lists what time will make of it.
    pub fn timeline_directory(
        &mut self,
        directory: &Path,
        options: &Options,
        window: Window,
    ) -> Result<(Compiled, Vec<Event>), source::Error> {
        Ok(self.timeline(source::load_directory(directory)?, options, window))
    }

    fn timeline(&mut self, loaded: Vec<Loaded>, options: &Options, window: Window) -> (Compiled, Vec<Event>) {
        self.compile_and(loaded, options, |objects, policy, sources| timeline::events(objects, policy, window, sources))
    }

    /// Compiles files that were loaded before; their order is that of their paths.
    pub fn compile(&mut self, loaded: Vec<Loaded>, options: &Options) -> Compiled {
        self.compile_and(loaded, options, |_, _, _| ()).0
    }

    /// Compiles, and asks one more question of the objects while they are at hand.
    fn compile_and<T>(
        &mut self,
        loaded: Vec<Loaded>,
        options: &Options,
        ask: impl FnOnce(&Objects<'_>, &PolicySpec, &SourceMap) -> T,
    ) -> (Compiled, T) {
        let known = &self.parsed;
        let files: Vec<(Arc<str>, Option<Oid>, Arc<ParsedFile>)> = loaded
            .into_par_iter()
            .map(|file| {
                let before =
                    file.blob.and_then(|blob| known.get(&blob)).filter(|_| matches!(file.content, Content::Known));
                let parsed = before.cloned().unwrap_or_else(|| Arc::new(parse_file(file.content)));
                (file.path, file.blob, parsed)
            })
            .collect();
        // Only what the present tree holds is kept: memory follows the tree, not its history.
        self.parsed = files.iter().filter_map(|(_, blob, parsed)| Some(((*blob)?, parsed.clone()))).collect();
        let sources =
            SourceMap::new(files.iter().map(|(path, _, parsed)| (path.clone(), parsed.text.clone())).collect());
        let numbered = || (0..).map(FileId).zip(files.iter().map(|(_, _, parsed)| &**parsed));

        let mut sink = Sink::default();
        for (file, parsed) in numbered() {
            parsed.faults.iter().for_each(|fault| sink.push(of_file(file, fault)));
        }
        let objects = Objects::gather(numbered(), &sources, &mut sink);
        let policy = objects.policy();
        let guard = self.guard.as_ref().map_or_else(|| policy.clone(), |base| guarding(base, &policy));
        validate::check(&objects, &guard, options.now, &mut sink);
        let findings = validate::without_acknowledged(sink.finish(&sources), &objects, &policy, options.now);
        let answer = ask(&objects, &policy, &sources);
        let environments = objects.environments().into_iter().flatten().map(str::to_owned).collect();
        let catalog = lower::lower(&objects, policy, options.environment.as_deref(), &sources);
        drop(objects);
        (Compiled { findings, sources, environments, catalog }, answer)
    }
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
