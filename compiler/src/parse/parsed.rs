//! What parsing makes of a file: documents by kind, and what could not be understood of them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bindery_schema::contract::TpsContractSpec;
use bindery_schema::hash::{self, Digest};
use bindery_schema::mno::MnoSpec;
use bindery_schema::policy::PolicySpec;
use bindery_schema::routes::Rule;
use bindery_schema::rules::RuleList;
use bindery_schema::value::{E164Prefix, MnoId, Name, OperatorId};

use super::{Agreements, KINDS, ReadOperator};
use crate::diagnostic::{Code, Fix};
use crate::source::Span;

/// What a file holds, and what is wrong with it.
#[derive(Debug, Default)]
pub struct ParsedFile {
    /// The text; empty where it could not be read, and where nothing is wrong with it: then it can be read again.
    pub(crate) text: Arc<str>,
    pub(crate) documents: Vec<Document>,
    pub(crate) faults: Vec<FileFault>,
    /// What was not understood: nobody knows which objects it would have defined.
    pub(crate) opaque: Opaque,
}

/// The part of a file of which it is not known what it defines.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Opaque {
    /// None of it.
    #[default]
    Nothing,
    /// Some documents.
    Documents(Vec<OpaqueDocument>),
    /// All of it.
    File,
}

/// A document of which it is not known what it defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpaqueDocument {
    /// Its kind, where that much is known.
    pub(super) kind: Option<&'static str>,
    /// Its first and last line, from 1.
    pub(super) lines: (u32, u32),
}

impl ParsedFile {
    /// Whether something that was not understood, and may be of a kind, mentions an id in its text or its file's path.
    pub(crate) fn may_define(&self, path: &str, kind: &str, id: &str) -> bool {
        match &self.opaque {
            Opaque::Nothing => false,
            Opaque::Documents(documents) => documents.iter().any(|document| {
                document.kind.is_none_or(|known| known == kind)
                    && (mentions(path, id) || self.lines(document).any(|line| mentions(line, id)))
            }),
            // A link to a folder, of which nobody knows what it would hold.
            Opaque::File if !crate::source::is_configuration(path) => true,
            Opaque::File => self.text_may_hold(kind) && (mentions(path, id) || mentions(&self.text, id)),
        }
    }

    /// Whether something of which not even the kind was understood may be of a kind, and says a word.
    pub(crate) fn may_say(&self, kind: &str, word: &str) -> bool {
        match &self.opaque {
            Opaque::Nothing => false,
            Opaque::Documents(documents) => documents
                .iter()
                .any(|document| document.kind.is_none() && self.lines(document).any(|line| line.contains(word))),
            Opaque::File => self.text_may_hold(kind) && self.text.contains(word),
        }
    }

    fn lines(&self, document: &OpaqueDocument) -> impl Iterator<Item = &str> {
        let (first, last) = (document.lines.0 as usize, document.lines.1 as usize);
        self.text.lines().take(last).skip(first.saturating_sub(1))
    }

    fn text_may_hold(&self, kind: &str) -> bool {
        let says = |kind: &str| self.text.contains(&format!("kind: {kind}"));
        says(kind) || !KINDS.into_iter().any(says)
    }
}

/// Whether a text holds an id, or what an id was before someone broke it: in capitals, or with other separators.
fn mentions(text: &str, id: &str) -> bool {
    text.contains(id) || text.to_ascii_lowercase().replace(['_', ' ', '.'], "-").contains(id)
}

/// A fault inside one file.
#[derive(Debug, Clone)]
pub(crate) struct FileFault {
    pub(crate) code: Code,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) related: Option<(Span, String)>,
    pub(crate) help: Option<String>,
    pub(crate) fix: Option<Fix>,
}

/// One document, as far as it could be understood.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its number in the file, from 0.
    pub(crate) index: u32,
    pub(crate) body: Body,
    /// Something in it was wrong.
    pub(crate) partial: bool,
    /// Hash of what it says where no environment is laid over it; none of what stores know by no hash, and none where
    /// something was wrong. Rules have their own.
    pub(crate) hash: Option<Digest>,
}

impl Document {
    pub(super) fn new(index: u32, body: Body, partial: bool) -> Self {
        let hash = match &body {
            _ if partial => None,
            Body::Mno { spec, .. } => spec.as_ref().map(|spec| hash::mno(spec)),
            Body::Operator { read: ReadOperator::Whole { metadata, spec }, .. } => {
                Some(hash::operator_spec(&metadata.mno, &spec.base()))
            }
            Body::TpsContract { read: Agreements::Whole { contracts, reservations }, .. } => {
                Some(hash::contracts(&TpsContractSpec::resolved(contracts, reservations)))
            }
            Body::Operator { .. } | Body::TpsContract { .. } | Body::Routes { .. } | Body::Policy { .. } => None,
        };
        Self { index, body, partial, hash }
    }
}

/// A document's content by kind. Parts that could not be understood are absent.
#[derive(Debug)]
pub(crate) enum Body {
    Mno { id: Option<MnoId>, spec: Option<Arc<MnoSpec>>, missing_tiers: Vec<&'static str> },
    Operator { id: Option<OperatorId>, read: ReadOperator },
    Routes { operator: Option<OperatorId>, rules: Rules },
    TpsContract { mno: Option<MnoId>, read: Agreements },
    Policy { spec: Box<PolicySpec>, unread: UnreadAcknowledgements },
}

/// What a policy acknowledges that could not be read: the entry is the fault, and not the warning it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnreadAcknowledgements {
    /// Whatever the text of the file names.
    All,
    /// Entries of which only the code or only the object is known.
    Halves(Vec<(Option<String>, Option<String>)>),
}

/// What of a rule could not be read: it counts for nothing that would be measured by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Doubt {
    /// Priority, weight or split.
    pub(crate) share: bool,
    /// Whether it takes part in routing.
    pub(crate) active: bool,
    /// Whether it narrows a broader rule.
    pub(crate) narrows: bool,
}

impl Body {
    /// Whether it is a policy of which something could be read.
    pub(crate) fn is_read_policy(&self) -> bool {
        matches!(self, Self::Policy { spec, .. } if super::policy::is_read(spec))
    }

    /// Whether the id by which others know the object is not there. A Policy needs none.
    pub(super) fn is_anonymous(&self) -> bool {
        match self {
            Self::Mno { id, .. } => id.is_none(),
            Self::Operator { id, .. } => id.is_none(),
            Self::Routes { operator, .. } => operator.is_none(),
            Self::TpsContract { mno, .. } => mno.is_none(),
            Self::Policy { .. } => false,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Mno { .. } => "Mno",
            Self::Operator { .. } => "Operator",
            Self::Routes { .. } => "Routes",
            Self::TpsContract { .. } => "TpsContract",
            Self::Policy { .. } => "Policy",
        }
    }
}

/// Members of a YAML list that could be understood, each with its place in the list.
#[derive(Debug)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    /// Place of each member; empty where none was left out.
    pub(super) places: Vec<u32>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: Vec::new() }
    }
}

/// Where the n-th member of a list stands in the YAML, by a table that is empty where that is the n-th place.
fn place(places: &[u32], n: usize) -> u32 {
    places.get(n).copied().unwrap_or_else(|| u32::try_from(n).unwrap_or(u32::MAX))
}

/// Places in a list, worked out when one is asked for.
pub(crate) type Places = LazyLock<Vec<u32>, Box<dyn FnOnce() -> Vec<u32> + Send>>;

/// The rules of a Routes document that could be understood, in prefix order.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) items: RuleList,
    /// Hash of the rules.
    pub(crate) hash: Digest,
    /// Place of each rule in the YAML list; empty where they stand there in prefix order and none was left out.
    pub(crate) places: Places,
    /// What could not be read of a rule, by its place in the YAML list.
    doubts: BTreeMap<u32, Doubt>,
    /// The rules that are not in the list.
    pub(crate) lost: Lost,
}

/// Rules of which not even the prefix could be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Lost {
    /// None.
    #[default]
    Nothing,
    /// Some. These are the splits that are among them.
    Rules(Vec<Name>),
    /// Rules of which nothing is known.
    Anything,
}

impl Lost {
    /// Whether a member of a split may be among them.
    pub(crate) fn may_share(&self, split: &Name) -> bool {
        match self {
            Self::Nothing => false,
            Self::Rules(splits) => splits.contains(split),
            Self::Anything => true,
        }
    }

    /// Adds a rule by its split; where that could not be read either, it may be of any.
    pub(super) fn add(&mut self, split: Option<Name>, is_unread: bool) {
        match self {
            _ if is_unread => *self = Self::Anything,
            Self::Nothing => *self = Self::Rules(split.into_iter().collect()),
            Self::Rules(splits) => splits.extend(split),
            Self::Anything => {}
        }
    }
}

impl Rules {
    /// Rules that were all read in full, in prefix order.
    pub(crate) fn whole(items: RuleList, hash: Digest, places: Places) -> Self {
        Self { items, hash, places, doubts: BTreeMap::new(), lost: Lost::Nothing }
    }

    /// What could not be read of the n-th rule.
    pub(crate) fn doubt(&self, n: usize) -> Doubt {
        if self.doubts.is_empty() {
            Doubt::default()
        } else {
            self.doubts.get(&self.place(n)).copied().unwrap_or_default()
        }
    }

    /// The place in the YAML list of the n-th rule.
    pub(crate) fn place(&self, n: usize) -> u32 {
        place(&self.places, n)
    }

    pub(super) fn of(rules: List<Rule>, doubts: BTreeMap<u32, Doubt>, lost: Lost) -> Self {
        let List { items, places } = rules;
        let (items, places) = if items.is_sorted_by_key(|rule| rule.prefix) {
            (items, places)
        } else {
            // Of equal prefixes the one that stands first stays first.
            let mut order: Vec<(E164Prefix, usize)> = items.iter().map(|rule| rule.prefix).zip(0..).collect();
            order.sort_unstable();
            let sorted = order.iter().map(|(_, n)| items[*n].clone()).collect();
            (sorted, order.iter().map(|(_, n)| place(&places, *n)).collect())
        };
        let (hash, places) = (hash::routes(&items), Places::new(Box::new(|| places)));
        Self { hash, items: items.into(), places, doubts, lost }
    }
}
