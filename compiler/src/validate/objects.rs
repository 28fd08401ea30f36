//! Every object of the tree by its identity. Of two with one identity the first stands and the second is a finding.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bindery_schema::contract::{Contract, Reservation};
use bindery_schema::hash::Digest;
use bindery_schema::mno::MnoSpec;
use bindery_schema::operator::{OperatorMetadata, OperatorSpec};
use bindery_schema::policy::{Nesting, PolicySpec};
use bindery_schema::value::{MnoId, OperatorId};

use crate::diagnostic::{Anchor, Code, Draft, Sink};
use crate::parse::{Body, Document, List, Opaque, ParsedFile, Rules, UnreadAcknowledgements};
use crate::source::{FileId, POLICY, SHORT_POLICY, SourceMap};

/// Where a policy is looked for that was not understood.
const POLICIES: [&str; 2] = [POLICY, SHORT_POLICY];

/// A carrier.
pub(crate) struct MnoObject<'a> {
    pub(crate) root: Anchor,
    pub(crate) spec: Option<&'a Arc<MnoSpec>>,
    pub(crate) hash: Option<Digest>,
    pub(crate) missing_tiers: &'a [&'static str],
}

/// An operator.
pub(crate) struct OperatorObject<'a> {
    pub(crate) root: Anchor,
    pub(crate) metadata: Option<&'a OperatorMetadata>,
    pub(crate) spec: Option<&'a Arc<OperatorSpec>>,
    /// Hash of carrier and spec in the base.
    pub(crate) hash: Option<Digest>,
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
    pub(crate) contracts: &'a List<Contract>,
    pub(crate) reservations: &'a List<Reservation>,
    pub(crate) partial: bool,
    /// Hash of both as stores keep them.
    pub(crate) hash: Option<Digest>,
}

/// Every object by identity.
#[derive(Default)]
pub(crate) struct Objects<'a> {
    pub(crate) mnos: BTreeMap<&'a MnoId, MnoObject<'a>>,
    pub(crate) operators: BTreeMap<&'a OperatorId, OperatorObject<'a>>,
    pub(crate) routes: BTreeMap<&'a OperatorId, RoutesObject<'a>>,
    pub(crate) contracts: BTreeMap<&'a MnoId, ContractsObject<'a>>,
    pub(crate) policy: Option<(Anchor, &'a PolicySpec)>,
    /// Files with a part that was not understood: it may define anything it mentions.
    opaque: Vec<(&'a str, &'a ParsedFile)>,
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
            || Self::of_kinds(again, sources, is_operator, &mut of_operators).operators,
        );
        objects.operators = operators;
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
                objects.opaque.push((path, parsed));
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
                let Some(id) = id else { return };
                let object = MnoObject { root, spec: spec.as_ref(), hash, missing_tiers };
                insert(&mut self.mnos, id, object, |object| &object.root, ("carrier", "metadata.id"), sink);
            }
            Body::Operator { id, metadata, spec } => {
                let Some(id) = id else { return };
                let object = OperatorObject { root, metadata: metadata.as_ref(), spec: spec.as_ref(), hash };
                insert(&mut self.operators, id, object, |object| &object.root, ("operator", "metadata.id"), sink);
            }
            Body::Routes { operator, rules } => {
                let Some(operator) = operator else { return };
                let object = RoutesObject { root, rules, partial };
                let what = ("Routes document of operator", "metadata.operator");
                insert(&mut self.routes, operator, object, |object| &object.root, what, sink);
            }
            Body::TpsContract { mno, contracts, reservations } => {
                let Some(mno) = mno else { return };
                let object = ContractsObject { root, contracts, reservations, partial, hash };
                let what = ("TpsContract of carrier", "metadata.mno");
                insert(&mut self.contracts, mno, object, |object| &object.root, what, sink);
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
        self.opaque.iter().any(|(path, parsed)| parsed.may_define(path, kind, id))
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

    /// Whether what was not understood may acknowledge a code for an object.
    pub(crate) fn may_acknowledge(&self, code: &str, object: &str) -> bool {
        let is = |known: Option<&String>, wanted| known.is_none_or(|known| known == wanted);
        self.unread_policies.iter().any(|parsed| parsed.text.contains(code) && parsed.text.contains(object))
            || self.halves.iter().any(|(known, about)| is(known.as_ref(), code) && is(about.as_ref(), object))
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
        self.ids().chain(absent_too).any(|known| known == id)
            || ["Mno", "Operator", "Routes", "TpsContract"].iter().any(|kind| self.may_define(kind, id))
    }

    /// Operators in the order they stand in the tree.
    pub(crate) fn operators_in_order(&self) -> Vec<(&'a OperatorId, &OperatorObject<'a>)> {
        let mut operators: Vec<_> = self.operators.iter().map(|(id, object)| (*id, object)).collect();
        operators.sort_by(|a, b| a.1.root.cmp(&b.1.root));
        operators
    }

    /// Names of all environments, the base first.
    pub(crate) fn environments(&self) -> Vec<Option<&'a str>> {
        let specs = self.operators.values().filter_map(|operator| operator.spec);
        let names: BTreeSet<&str> = specs.flat_map(|spec| spec.environments.keys().map(String::as_str)).collect();
        std::iter::once(None).chain(names.into_iter().map(Some)).collect()
    }
}

impl OperatorObject<'_> {
    /// The place of a field that an environment may lay over: the overlay's where it sets it, else the base's.
    pub(crate) fn place(&self, environment: Option<&str>, set_there: bool, field: &str) -> Anchor {
        match environment {
            Some(name) if set_there => self.root.clone().at("spec.environments").key(name).at(field),
            _ => self.root.clone().at("spec").at(field),
        }
    }
}

fn insert<'a, K: Ord + std::fmt::Display, V>(
    map: &mut BTreeMap<&'a K, V>,
    id: &'a K,
    object: V,
    root: impl Fn(&V) -> &Anchor,
    (what, field): (&str, &str),
    sink: &mut Sink,
) {
    match map.entry(id) {
        Entry::Vacant(vacant) => _ = vacant.insert(object),
        Entry::Occupied(first) => {
            let at = root(&object).clone().at(field);
            let draft = Draft::new(Code::DuplicateObject, at, format!("{what} `{id}` stands twice"))
                .related(root(first.get()).clone().at(field), "the first one")
                .help("delete one of the two, or give it another id")
                .about(id.to_string());
            sink.push(draft);
        }
    }
}
