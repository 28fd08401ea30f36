//! Every object of the tree by its identity. Of two with one identity the first stands and the second is a finding.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bindery_schema::hash::Digest;
use bindery_schema::mno::MnoSpec;
use bindery_schema::policy::{Nesting, PolicySpec};
use bindery_schema::value::{MnoId, OperatorId};

use super::OperatorObject;
use itertools::Itertools as _;

use crate::diagnostic::{Anchor, Code, Draft, Sink};
use crate::parse::{Agreements, Body, Document, Opaque, ParsedFile, Rules, UnreadAcknowledgements};
use crate::source::{FileId, POLICY, SHORT_POLICY, SourceMap};

/// Where a policy is looked for that was not understood.
const POLICIES: [&str; 2] = [POLICY, SHORT_POLICY];

/// Most operators without a readable id among which the owner of rules is looked for: each costs a search of its text.
const MOST_NAMELESS: usize = 100;

/// Kinds whose objects have an id, or name one.
const NAMED: [&str; 4] = ["Mno", "Operator", "Routes", "TpsContract"];

/// A carrier.
pub(crate) struct MnoObject<'a> {
    pub(crate) root: Anchor,
    pub(crate) spec: Option<&'a Arc<MnoSpec>>,
    pub(crate) hash: Option<Digest>,
    pub(crate) missing_tiers: &'a [&'static str],
}

/// An operator's rules.
pub(crate) struct RoutesObject<'a> {
    pub(crate) root: Anchor,
    pub(crate) rules: &'a Rules,
    pub(crate) partial: bool,
}

/// A carrier's contracts and reservations.
pub(crate) struct ContractsObject<'a> {
    pub(crate) root: Anchor,
    pub(crate) read: &'a Agreements,
    /// Hash of both as stores keep them.
    pub(crate) hash: Option<Digest>,
}

/// Objects whose id could not be read.
#[derive(Default)]
pub(crate) struct Nameless<'a> {
    pub(crate) mnos: Vec<MnoObject<'a>>,
    pub(crate) operators: Vec<OperatorObject<'a>>,
    pub(crate) routes: Vec<RoutesObject<'a>>,
    pub(crate) contracts: Vec<ContractsObject<'a>>,
}

/// Objects whose id is taken. What they say to themselves is checked; to others they are not there.
#[derive(Default)]
pub(crate) struct Taken<'a> {
    pub(crate) mnos: Vec<(&'a MnoId, MnoObject<'a>)>,
    pub(crate) operators: Vec<(&'a OperatorId, OperatorObject<'a>)>,
    pub(crate) routes: Vec<(&'a OperatorId, RoutesObject<'a>)>,
    pub(crate) contracts: Vec<(&'a MnoId, ContractsObject<'a>)>,
}

/// Every object by identity.
#[derive(Default)]
pub(crate) struct Objects<'a> {
    pub(crate) mnos: BTreeMap<&'a MnoId, MnoObject<'a>>,
    pub(crate) operators: BTreeMap<&'a OperatorId, OperatorObject<'a>>,
    pub(crate) routes: BTreeMap<&'a OperatorId, RoutesObject<'a>>,
    pub(crate) contracts: BTreeMap<&'a MnoId, ContractsObject<'a>>,
    pub(crate) policy: Option<(Anchor, &'a PolicySpec)>,
    /// Objects whose id could not be read: they are checked for all that needs none.
    pub(crate) nameless: Nameless<'a>,
    pub(crate) taken: Taken<'a>,
    /// Files, in their order, with a part that was not understood: it may define anything it mentions.
    opaque: Vec<(FileId, &'a str, &'a ParsedFile)>,
    /// Files of which it is not known what they acknowledge.
    unread_policies: Vec<&'a ParsedFile>,
    /// Entries of `acknowledge` of which only the code or only the object could be read.
    halves: &'a [(Option<String>, Option<String>)],
}

impl<'a> Objects<'a> {
    /// Gathers the objects of all files, which are in path order; operators beside everything else.
    pub(crate) fn gather(
        files: impl Iterator<Item = (FileId, &'a ParsedFile)> + Clone + Send,
        sources: &'a SourceMap,
        sink: &mut Sink,
    ) -> Self {
        let is_operator = |body: &Body| matches!(body, Body::Operator { .. });
        let (mut of_operators, again) = (Sink::default(), files.clone());
        let (mut objects, operators) = rayon::join(
            || Self::of_kinds(files, sources, |body| !is_operator(body), sink),
            || Self::of_kinds(again, sources, is_operator, &mut of_operators),
        );
        objects.operators = operators.operators;
        objects.nameless.operators = operators.nameless.operators;
        objects.taken.operators = operators.taken.operators;
        sink.append(of_operators);
        objects
    }

    fn of_kinds(
        files: impl Iterator<Item = (FileId, &'a ParsedFile)>,
        sources: &'a SourceMap,
        wanted: impl Fn(&Body) -> bool,
        sink: &mut Sink,
    ) -> Self {
        let mut objects = Self::default();
        for (file, parsed) in files {
            let path = sources.path(file);
            if parsed.opaque != Opaque::Nothing {
                objects.opaque.push((file, path, parsed));
            }
            let is_unread =
                |document: &Document| matches!(document.body, Body::Policy { unread: UnreadAcknowledgements::All, .. });
            let is_opaque_policy = parsed.opaque != Opaque::Nothing && POLICIES.contains(&path);
            if is_opaque_policy || parsed.documents.iter().any(is_unread) {
                objects.unread_policies.push(parsed);
            }
            for document in parsed.documents.iter().filter(|document| wanted(&document.body)) {
                objects.add(Anchor::root(file, document.index), document, sink);
            }
        }
        objects
    }

    fn add(&mut self, root: Anchor, document: &'a Document, sink: &mut Sink) {
        let Document { hash, partial, .. } = *document;
        match &document.body {
            Body::Mno { id, spec, missing_tiers } => {
                let object = MnoObject { root, spec: spec.as_ref(), hash, missing_tiers };
                let of = (&mut self.mnos, &mut self.nameless.mnos, &mut self.taken.mnos);
                insert(of, id.as_ref(), object, |object| &object.root, ("carrier", "metadata.id"), sink);
            }
            Body::Operator { id, read } => {
                let object = OperatorObject { root, read, hash };
                let of = (&mut self.operators, &mut self.nameless.operators, &mut self.taken.operators);
                insert(of, id.as_ref(), object, |object| &object.root, ("operator", "metadata.id"), sink);
            }
            Body::Routes { operator, rules } => {
                let object = RoutesObject { root, rules, partial };
                let what = ("Routes document of operator", "metadata.operator");
                let of = (&mut self.routes, &mut self.nameless.routes, &mut self.taken.routes);
                insert(of, operator.as_ref(), object, |object| &object.root, what, sink);
            }
            Body::TpsContract { mno, read } => {
                let object = ContractsObject { root, read, hash };
                let what = ("TpsContract of carrier", "metadata.mno");
                let of = (&mut self.contracts, &mut self.nameless.contracts, &mut self.taken.contracts);
                insert(of, mno.as_ref(), object, |object| &object.root, what, sink);
            }
            Body::Policy { spec, unread } => match &self.policy {
                None => {
                    self.policy = Some((root, spec));
                    if let UnreadAcknowledgements::Halves(halves) = unread {
                        self.halves = halves;
                    }
                }
                Some((first, _)) => {
                    let draft = Draft::new(Code::DuplicateObject, root.at("kind"), "a repository has one Policy")
                        .related(first.clone().at("kind"), "the first one")
                        .help("move what differs into the first and delete this one");
                    sink.push(draft);
                }
            },
        }
    }

    /// Whether the absence of an object of a kind may only be the fault of a document that was not understood.
    pub(crate) fn may_define(&self, kind: &str, id: &str) -> bool {
        self.opaque.iter().any(|(_, path, parsed)| parsed.may_define(path, kind, id))
    }

    /// The operator that an id may be meant for, where no operator has it and the id of one could not be read.
    pub(crate) fn nameless_operator(&self, id: &OperatorId) -> Option<&OperatorObject<'a>> {
        let may_be = |operator: &&OperatorObject<'a>| self.may_be_in(operator.root.file, id.as_str());
        let nameless = Some(&self.nameless.operators).filter(|nameless| nameless.len() <= MOST_NAMELESS)?;
        nameless.iter().filter(may_be).exactly_one().ok()
    }

    /// Whether something was not understood, so that it is not known what it defines.
    pub(crate) fn is_opaque(&self) -> bool {
        !self.opaque.is_empty()
    }

    /// Whether something of which not even the kind was understood may be rules, and says a word.
    pub(crate) fn may_hide_rules(&self, word: &str) -> bool {
        self.opaque.iter().any(|(_, _, parsed)| parsed.may_say("Routes", word))
    }

    /// The policy that holds: what the repository says, or what goes without saying. Where its file could not be
    /// understood nothing is measured by a guess.
    pub(crate) fn policy(&self) -> PolicySpec {
        let mut policy = self.policy.as_ref().map(|(_, policy)| (*policy).clone()).unwrap_or_default();
        if self.policy.is_none() && !self.unread_policies.is_empty() {
            policy.routing.same_operator_nesting = Nesting::Allow;
            policy.tps.min_on_demand_pool_percent = 0;
        }
        policy
    }

    /// Whether a policy is there of which nothing could be read: what [`Self::policy`] says is not what it says.
    pub(crate) fn is_policy_unread(&self) -> bool {
        let unread = |parsed: &&ParsedFile| parsed.documents.iter().all(|document| !document.body.is_read_policy());
        self.unread_policies.iter().any(unread)
    }

    /// Whether what was not understood may acknowledge a code for an object, or for one whose id is not known.
    pub(crate) fn may_acknowledge(&self, code: &str, object: Option<&str>) -> bool {
        let is = |known: Option<&str>, wanted: Option<&str>| known.zip(wanted).is_none_or(|(one, other)| one == other);
        let names = |parsed: &ParsedFile| object.is_none_or(|object| parsed.text.contains(object));
        let mut halves = self.halves.iter().map(|(code, object)| (code.as_deref(), object.as_deref()));
        // A file that could not be read at all has no text to look into.
        let may_say = |parsed: &&ParsedFile| parsed.text.is_empty() || parsed.text.contains(code) && names(parsed);
        self.unread_policies.iter().any(may_say)
            || halves.any(|(known, about)| is(known, Some(code)) && is(about, object))
    }

    /// Whether a nameless object of a file may be the one that is meant by an id.
    pub(crate) fn may_be_in(&self, file: FileId, id: &str) -> bool {
        let opaque = self.opaque.binary_search_by_key(&file, |(file, ..)| *file).map(|at| &self.opaque[at]);
        opaque.is_ok_and(|(_, path, parsed)| NAMED.iter().any(|kind| parsed.may_define(path, kind, id)))
    }

    /// Ids of carriers and operators.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        let mnos = self.mnos.keys().map(|id| id.as_str());
        mnos.chain(self.operators.keys().map(|id| id.as_str()))
    }

    /// Whether an id is that of an object, or may be that of one that was not understood. What stands for an object
    /// that is missing, such as the contracts of an unknown carrier, counts.
    pub(crate) fn knows(&self, id: &str) -> bool {
        let absent_too = self.routes.keys().map(|id| id.as_str()).chain(self.contracts.keys().map(|id| id.as_str()));
        self.ids().chain(absent_too).any(|known| known == id) || NAMED.iter().any(|kind| self.may_define(kind, id))
    }

    /// Every operator, with its id where that could be read.
    pub(crate) fn all_operators(&self) -> impl Iterator<Item = (Option<&'a OperatorId>, &OperatorObject<'a>)> {
        let named = self.operators.iter().map(|(id, object)| (Some(*id), object));
        named.chain(self.nameless.operators.iter().map(|object| (None, object)))
    }

    /// Every operator that is checked by itself, also one whose id is taken.
    pub(crate) fn operators_alone(&self) -> impl Iterator<Item = (Option<&'a OperatorId>, &OperatorObject<'a>)> {
        self.all_operators().chain(self.taken.operators.iter().map(|(id, object)| (Some(*id), object)))
    }

    /// Operators in the order they stand in the tree.
    pub(crate) fn operators_in_order(&self) -> Vec<(Option<&'a OperatorId>, &OperatorObject<'a>)> {
        let mut operators: Vec<_> = self.all_operators().collect();
        operators.sort_by(|a, b| a.1.root.cmp(&b.1.root));
        operators
    }

    /// Names of all environments, the base first.
    pub(crate) fn environments(&self) -> Vec<Option<&'a str>> {
        let names: BTreeSet<&str> =
            self.all_operators().flat_map(|(_, operator)| operator.environments().keys().map(String::as_str)).collect();
        std::iter::once(None).chain(names.into_iter().map(Some)).collect()
    }
}

/// Where objects of one kind are kept: by id, without one, and where theirs is taken.
type Kept<'o, 'a, K, V> = (&'o mut BTreeMap<&'a K, V>, &'o mut Vec<V>, &'o mut Vec<(&'a K, V)>);

fn insert<'a, K: Ord + std::fmt::Display, V>(
    (map, nameless, taken): Kept<'_, 'a, K, V>,
    id: Option<&'a K>,
    object: V,
    root: impl Fn(&V) -> &Anchor,
    (what, field): (&str, &str),
    sink: &mut Sink,
) {
    let Some(id) = id else { return nameless.push(object) };
    match map.entry(id) {
        Entry::Vacant(vacant) => _ = vacant.insert(object),
        Entry::Occupied(first) => {
            let at = root(&object).clone().at(field);
            let draft = Draft::new(Code::DuplicateObject, at, format!("{what} `{id}` stands twice"))
                .related(root(first.get()).clone().at(field), "the first one")
                .help("delete one of the two, or give it another id")
                .about(id.to_string());
            sink.push(draft);
            taken.push((id, object));
        }
    }
}
