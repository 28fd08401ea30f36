//! Where checks put what they find, and how its places are worked out.
//!
//! A typed value does not know where it stands: positions would cost memory for a million rules of which none is
//! wrong. A check names a place by its path; only files with findings are read once more to turn paths into positions.

use std::collections::BTreeMap;

use bindery_schema::value::Day;

use super::{Code, Finding, Fix, Location, Related};
use crate::fix;
use crate::parse::{covered, yaml};
use crate::source::{FileId, SourceMap, Span};

/// A place by path: a document of a file and the way down from its root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Anchor {
    pub(crate) file: FileId,
    pub(crate) document: u32,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(Box<str>),
    Index(u32),
    /// A key itself, not what it holds.
    Name(Box<str>),
}

impl Anchor {
    /// The root of a document.
    pub(crate) fn root(file: FileId, document: u32) -> Self {
        Self { file, document, steps: Vec::new() }
    }

    /// Goes down dotted keys, such as `spec.smpp.systemId`.
    #[must_use]
    pub(crate) fn at(mut self, path: &str) -> Self {
        self.steps.extend(path.split('.').map(|key| Step::Key(key.into())));
        self
    }

    /// Goes down one key as it is, whatever it holds.
    #[must_use]
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.steps.push(Step::Key(key.into()));
        self
    }

    /// Stands at a key itself, where the value begins on a line of its own.
    #[must_use]
    pub(crate) fn name(mut self, key: &str) -> Self {
        self.steps.push(Step::Name(key.into()));
        self
    }

    /// Goes to a member of a list.
    #[must_use]
    pub(crate) fn index(mut self, index: u32) -> Self {
        self.steps.push(Step::Index(index));
        self
    }

    /// The place in a parsed document. Where the path goes on and the tree does not (a default), the nearest above.
    fn resolve(&self, root: &yaml::Node<'_>) -> Span {
        let mut node = root;
        for step in &self.steps {
            let next = match (step, &node.value) {
                (Step::Key(key), _) => node.get(key),
                (Step::Index(index), yaml::Value::Sequence(items)) => items.get(*index as usize),
                (Step::Index(_), _) => None,
                (Step::Name(key), _) => node.entry(key).map(|(key, _)| key),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.head()
    }
}

/// A place that may still have to be worked out.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Known(Location),
    Path(Anchor),
}

impl From<Anchor> for Place {
    fn from(anchor: Anchor) -> Self {
        Self::Path(anchor)
    }
}

/// A finding whose places may still have to be worked out.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) primary: Place,
    related: Vec<(Place, String)>,
    help: Option<String>,
    fix: Option<Fix>,
    /// What repairs the finding at its primary place, which may not be known yet.
    replacement: Option<String>,
    pub(crate) object: Option<String>,
    /// The day on which it begins to be wrong, where the passing of time makes it so.
    pub(crate) since: Option<Day>,
}

impl Draft {
    pub(crate) fn new(code: Code, primary: impl Into<Place>, message: impl Into<String>) -> Self {
        let (primary, message) = (primary.into(), message.into());
        let related = Vec::new();
        Self { code, message, primary, related, help: None, fix: None, replacement: None, object: None, since: None }
    }

    #[must_use]
    pub(crate) fn related(mut self, place: impl Into<Place>, message: impl Into<String>) -> Self {
        self.related.push((place.into(), message.into()));
        self
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub(crate) fn fix(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix;
        self
    }

    /// Offers to replace what stands at the primary place.
    #[must_use]
    pub(crate) fn replace_by(mut self, replacement: Option<String>) -> Self {
        self.replacement = replacement;
        self
    }

    /// Names the object the finding is about.
    #[must_use]
    pub(crate) fn about(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Names the object the finding is about, where its id could be read.
    #[must_use]
    pub(crate) fn about_some(self, object: Option<impl ToString>) -> Self {
        match object {
            Some(object) => self.about(object.to_string()),
            None => self,
        }
    }

    /// Says on which day it begins to be wrong.
    #[must_use]
    pub(crate) fn since(mut self, day: Option<Day>) -> Self {
        self.since = day;
        self
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.primary).chain(self.related.iter().map(|(place, _)| place))
    }
}

/// Places that have been worked out.
pub(crate) struct Located<'p> {
    spans: BTreeMap<&'p Anchor, Span>,
}

/// Works out places, reading each file that has one once.
pub(crate) fn locate<'p>(places: impl Iterator<Item = &'p Place>, sources: &SourceMap) -> Located<'p> {
    let mut wanted: BTreeMap<FileId, Vec<&Anchor>> = BTreeMap::new();
    for place in places {
        if let Place::Path(anchor) = place {
            wanted.entry(anchor.file).or_default().push(anchor);
        }
    }
    let mut spans: BTreeMap<&Anchor, Span> = BTreeMap::new();
    for (file, anchors) in wanted {
        let stream = yaml::read(sources.text(file));
        for anchor in anchors {
            let root = stream.documents.get(anchor.document as usize);
            spans.insert(anchor, root.map_or(Span::FILE, |root| anchor.resolve(root)));
        }
    }
    Located { spans }
}

impl Located<'_> {
    /// Where a place is that was among those asked for.
    pub(crate) fn of(&self, place: &Place) -> Location {
        match place {
            Place::Known(location) => *location,
            Place::Path(anchor) => {
                Location { file: anchor.file, span: self.spans.get(anchor).copied().unwrap_or(Span::FILE) }
            }
        }
    }
}

/// Collects what every check finds; nothing stops at the first.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    drafts: Vec<Draft>,
}

impl Sink {
    pub(crate) fn push(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }

    /// Adds what another one collected.
    pub(crate) fn append(&mut self, other: Self) {
        self.drafts.extend(other.drafts);
    }

    /// What was found, places not worked out.
    pub(crate) fn into_drafts(self) -> Vec<Draft> {
        self.drafts
    }

    /// How many findings there are so far.
    pub(crate) fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Works out every place and sorts by file, place and code.
    pub(crate) fn finish(self, sources: &SourceMap) -> Vec<Finding> {
        let located = locate(self.drafts.iter().flat_map(Draft::places), sources);
        let locate = |place: &Place| located.of(place);
        let mut findings: Vec<Finding> = self
            .drafts
            .iter()
            .map(|draft| {
                let related = draft.related.iter().map(|(place, message)| Related {
                    location: locate(place),
                    message: covered(message).into_owned(),
                });
                let primary = locate(&draft.primary);
                // A place that is not there, such as that of a default, has nothing to replace.
                let replacement = draft.replacement.as_ref().filter(|_| primary.span != Span::FILE);
                let replaced = replacement.map(|text| Fix { span: primary.span, replacement: text.clone() });
                Finding {
                    code: draft.code,
                    message: covered(&draft.message).into_owned(),
                    primary,
                    related: related.collect(),
                    help: draft.help.as_deref().map(|help| covered(help).into_owned()),
                    fix: draft.fix.clone().or(replaced),
                    object: draft.object.as_deref().map(|object| covered(object).into_owned()),
                }
            })
            .collect();
        take_back_what_is_never_applied(&mut findings, sources);
        findings.sort_by(|a, b| (a.primary, a.code, &a.message).cmp(&(b.primary, b.code, &b.message)));
        // An alias brings the same text in again, and its faults with it.
        findings.dedup_by(|b, a| (a.primary, a.code, &a.message) == (b.primary, b.code, &b.message));
        findings
    }
}

/// Takes back the fixes that `check --fix` leaves out: of what goes over lines, and in a text whose places are not certain.
fn take_back_what_is_never_applied(findings: &mut [Finding], sources: &SourceMap) {
    let mut is_certain: BTreeMap<FileId, bool> = BTreeMap::new();
    for finding in findings.iter_mut().filter(|finding| finding.fix.is_some()) {
        let file = finding.primary.file;
        let certain = || fix::has_certain_places(sources.text(file));
        let is_certain = *is_certain.entry(file).or_insert_with(certain);
        finding.fix = finding.fix.take().filter(|fix| is_certain && fix::is_within_a_line(fix));
    }
}
