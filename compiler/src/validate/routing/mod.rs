//! Destination prefixes: sorted once, then one sweep finds every conflict and every nesting.
//!
//! What a rule is guilty of lies in the rules with its prefix and in those around it. Beside a tree in which nothing was
//! found, only what lies around the differences is swept; of rules once found clean, nothing.

mod nesting;

use std::collections::BTreeMap;

use bindery_schema::hash::Digest;
use bindery_schema::operator::Status;
use bindery_schema::policy::RoutingPolicy;
use bindery_schema::routes::Rule;
use bindery_schema::rules::RuleList;
use bindery_schema::value::{E164Prefix, Name, OperatorId};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use smallvec::SmallVec;

use super::{Objects, OperatorObject, RoutesObject, named};
use crate::diagnostic::{Anchor, Code, Draft, Sink};
use crate::join::left_join;
use crate::parse::{Doubt, Lost};
use crate::region::{Region, Said, changed};

/// An operator's rules with what the sweep asks about them.
struct Table<'o, 'a> {
    /// The operator, where its id could be read.
    operator: Option<&'a OperatorId>,
    routes: &'o RoutesObject<'a>,
    /// Whether the operator takes part in routing, where that is known.
    active: Option<bool>,
}

/// A rule by number: order of its document in the tree, place among the rules that were understood. What the sweep
/// asks of every rule stands beside it, since neighbours in prefix order lie far apart in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    prefix: E164Prefix,
    table: u32,
    rule: u32,
    priority: u16,
    takes_part: bool,
    narrows: bool,
    /// Whether it is a member of a split and takes nothing of it.
    drained: bool,
    doubt: Doubt,
}

/// The rules of a tree in which nothing was found.
#[derive(Debug)]
pub(crate) struct Clean {
    policy: RoutingPolicy,
    tables: BTreeMap<OperatorId, CleanTable>,
    digest: Digest,
}

#[derive(Debug)]
struct CleanTable {
    rules: RuleList,
    hash: Digest,
    active: Option<bool>,
}

/// What is known of rules from before.
pub(crate) struct Known<'k> {
    /// The last rules in which nothing was found.
    pub(crate) last: Option<&'k Clean>,
    /// Whether nothing was found in the rules with a digest.
    pub(crate) is_clean: &'k (dyn Fn(Digest) -> bool + Sync),
}

/// Checks the rules; where nothing is found, they spare the next tree most of the work.
pub(super) fn check(
    objects: &Objects<'_>,
    policy: &RoutingPolicy,
    known: &Known<'_>,
    sink: &mut Sink,
) -> Option<Clean> {
    let found = sink.len();
    let mut tables: Vec<Table<'_, '_>> = left_join(&objects.routes, &objects.operators)
        .map(|(operator, routes, owner)| {
            let owner = owner.or_else(|| objects.nameless_operator(operator));
            let status = owner.and_then(OperatorObject::status);
            Table { operator: Some(*operator), routes, active: status.map(|status| status == Status::Active) }
        })
        .chain(objects.nameless.routes.iter().map(|routes| Table { operator: None, routes, active: None }))
        .collect();
    tables.sort_by(|a, b| a.routes.root.cmp(&b.routes.root));
    // What is not found beside files that were not understood may be found once they are.
    let digest = Some(&tables).filter(|_| !objects.is_opaque()).and_then(|tables| digest(tables, policy));
    let region = match known.last.filter(|last| last.policy == *policy) {
        _ if digest.is_some_and(known.is_clean) => Region::nothing(),
        Some(last) => Region::around(last.differences(&tables)),
        None => Region::everything(),
    };
    let lost = tables.iter().map(|table| &table.routes.rules.lost).filter(|lost| **lost != Lost::Nothing).collect();
    let sweep = Sweep { tables, policy, objects, lost };
    let places = |table: &Table<'_, '_>| region.places(&table.routes.rules.items);
    let places: Vec<Vec<u32>> = sweep.tables.par_iter().map(places).collect();
    let mut entries: Vec<Entry> = Vec::with_capacity(places.iter().map(Vec::len).sum());
    for ((table, number), places) in sweep.tables.iter().zip(0..).zip(places) {
        let rules = &table.routes.rules;
        entries.extend(places.into_iter().map(|rule| {
            let item = &rules.items[rule as usize];
            let mut doubt = rules.doubt(rule as usize);
            // A rule of an operator that is known to take no part takes none, whatever it says.
            doubt.active = table.active != Some(false) && (doubt.active || table.active.is_none() && item.active);
            let (takes_part, narrows) = (table.active == Some(true) && item.active, item.narrows.is_some());
            let (prefix, priority) = (item.prefix, item.priority);
            let drained = item.weight == 0 && item.split.is_some();
            Entry { prefix, table: number, rule, priority, takes_part, narrows, drained, doubt }
        }));
    }
    entries.par_sort_unstable_by_key(Entry::order);
    // No prefix contains one with another first digit.
    let parts: Vec<&[Entry]> = entries.chunk_by(|a, b| a.prefix.first_digit() == b.prefix.first_digit()).collect();
    let of_part = |part: &&[Entry]| {
        let mut sink = Sink::default();
        sweep.run(part, &mut sink);
        sink
    };
    let sinks: Vec<Sink> = parts.par_iter().map(of_part).collect();
    for found in sinks {
        sink.append(found);
    }
    digest.filter(|_| sink.len() == found).map(|digest| Clean::of(&sweep, digest))
}

/// Tells rules, and what they are checked by, from any others; none where some of them could not be read.
fn digest(tables: &[Table<'_, '_>], policy: &RoutingPolicy) -> Option<Digest> {
    let mut bytes = format!("{policy:?}").into_bytes();
    for Table { operator, routes, active } in tables {
        if routes.partial {
            return None;
        }
        bytes.extend_from_slice((*operator)?.as_str().as_bytes());
        bytes.push(active.map_or(2, u8::from));
        bytes.extend_from_slice(&routes.rules.hash.bytes());
    }
    Some(Digest::of(bytes))
}

impl Clean {
    fn of(sweep: &Sweep<'_, '_>, digest: Digest) -> Self {
        let table = |Table { operator, routes, active }: &Table<'_, '_>| {
            let (rules, hash) = (routes.rules.items.clone(), routes.rules.hash);
            Some(((*operator)?.clone(), CleanTable { rules, hash, active: *active }))
        };
        Self { policy: sweep.policy.clone(), tables: sweep.tables.iter().filter_map(table).collect(), digest }
    }

    /// Tells these rules, and what they were checked by, from any others.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// The prefixes at which an operator of either tree says something else than in the other. Rules of nobody are new.
    fn differences(&self, tables: &[Table<'_, '_>]) -> Vec<E164Prefix> {
        let was = self.tables.iter().map(|(operator, CleanTable { rules, hash, active })| {
            (operator, Said { rules, hash: *hash, context: *active })
        });
        let is = tables.iter().filter_map(|Table { operator, routes, active }| {
            Some(((*operator)?, Said { rules: &routes.rules.items, hash: routes.rules.hash, context: *active }))
        });
        let nameless = tables.iter().filter(|table| table.operator.is_none());
        let new = nameless.flat_map(|table| table.routes.rules.items.iter().map(|rule| rule.prefix));
        changed(&was.collect(), &is.collect()).into_iter().chain(new).collect()
    }
}

impl Entry {
    /// By prefix, then by document, then by place, as one number: a million comparisons are of machine words.
    fn order(&self) -> u128 {
        u128::from(self.prefix.word()) << 64 | u128::from(self.table) << 32 | u128::from(self.rule)
    }
}

struct Sweep<'o, 'a> {
    tables: Vec<Table<'o, 'a>>,
    policy: &'o RoutingPolicy,
    objects: &'o Objects<'a>,
    /// The rules that are in no table.
    lost: Vec<&'a Lost>,
}

impl Sweep<'_, '_> {
    fn run(&self, entries: &[Entry], sink: &mut Sink) {
        // Groups of equal prefixes that contain the present one, broadest first: at most fifteen.
        let mut above: Vec<&[Entry]> = Vec::new();
        for group in entries.chunk_by(|a, b| a.prefix == b.prefix) {
            let prefix = group[0].prefix;
            // Each contains the next, so that those left behind are the last ones.
            while above.last().is_some_and(|broader| !broader[0].prefix.contains(prefix)) {
                above.pop();
            }
            self.same_operator(group, sink);
            self.same_priority(group, sink);
            for same in group.chunk_by(|a, b| a.table == b.table) {
                // Of a prefix that stands twice in an operator only the first is measured: the second has to go anyway.
                if let Some(entry) = same.iter().find(|entry| entry.takes_part) {
                    self.nesting(*entry, &above, sink);
                }
            }
            above.push(group);
        }
    }

    /// A prefix stands once in an operator, active or not.
    fn same_operator(&self, group: &[Entry], sink: &mut Sink) {
        for same in group.chunk_by(|a, b| a.table == b.table) {
            let first = same[0];
            for later in &same[1..] {
                let operator = self.operator(*later);
                let message = format!("prefix `{}` stands twice in operator {}", later.prefix, named(operator));
                let draft = Draft::new(Code::PrefixConflictSameOperator, self.place(*later, "prefix"), message)
                    .related(self.place(first, "prefix"), "the first rule")
                    .help("keep one rule for a prefix; a second operator with another priority is a failover")
                    .about_some(operator);
                sink.push(draft);
            }
        }
    }

    /// Active rules of different operators with one prefix and priority must be one declared split.
    fn same_priority(&self, group: &[Entry], sink: &mut Sink) {
        // Nearly every rule is alone with its prefix, and a split of one that takes traffic is nobody's rival.
        if let [alone] = group
            && !(alone.takes_part && alone.drained)
        {
            return;
        }
        let mut active: SmallVec<[Entry; 8]> = group.iter().copied().filter(|entry| entry.takes_part).collect();
        // A rule whose priority, weight or split could not be read is nobody's rival.
        active.retain(|entry| !entry.doubt.share);
        active.dedup_by_key(|entry| entry.table);
        active.sort_by_key(|entry| entry.priority);
        for rivals in active.chunk_by(|a, b| a.priority == b.priority) {
            let mut clean = true;
            let split = |entry: &Entry| &self.rule(*entry).split;
            // The first rule, and the first that does not share with it: one of the two is the rival of any later one.
            let odd = rivals.iter().find(|entry| split(entry) != split(&rivals[0]));
            for later in &rivals[1..] {
                let shares = |earlier: &&Entry| split(later).is_some() && split(earlier) == split(later);
                let rival = std::iter::once(&rivals[0]).chain(odd).find(|earlier| !shares(earlier));
                let Some(first) = rival.filter(|first| *first < later) else { continue };
                clean = false;
                let (one, two) = (named(self.operator(*first)), named(self.operator(*later)));
                let priority = later.priority;
                let message = format!("operators {one} and {two} both serve `{}` at priority {priority}", later.prefix);
                let draft = Draft::new(Code::PrefixConflictAcrossOperators, self.place(*later, "prefix"), message)
                    .related(self.place(*first, "prefix"), format!("{one} has the same prefix and priority"))
                    .help("give one another priority for failover, or declare a share: the same `split` name in both rules")
                    .about_some(self.operator(*later));
                sink.push(draft);
            }
            if let [others @ .., last] = rivals
                && clean
                && (!others.is_empty() || split(last).is_some())
                && rivals.iter().all(|entry| self.rule(*entry).weight == 0)
                && !self.may_lack_a_member(group, *last)
            {
                let message = format!("every weight of the split of `{}` is 0: nobody serves it", last.prefix);
                let mut draft = Draft::new(Code::SplitWithoutWeight, self.member(*last), message)
                    .help("give at least one operator of the split a weight above 0")
                    .about_some(self.operator(*last));
                for other in others {
                    let message = format!("{} has weight 0 too", named(self.operator(*other)));
                    draft = draft.related(self.member(*other), message);
                }
                sink.push(draft);
            }
        }
    }

    /// Whether what a split lacks may be a rule that could not be read, or of which it is not known whether it takes part.
    fn may_lack_a_member(&self, group: &[Entry], member: Entry) -> bool {
        let may_join = |entry: &Entry| match entry.doubt {
            Doubt { share: true, active, .. } => active || entry.takes_part,
            Doubt { active, .. } => active && entry.priority == member.priority,
        };
        let may_be_lost = |split: &Name| {
            self.lost.iter().any(|lost| lost.may_share(split)) || self.objects.may_hide_rules(split.as_str())
        };
        group.iter().any(may_join) || self.rule(member).split.as_ref().is_some_and(may_be_lost)
    }

    fn table(&self, entry: Entry) -> &Table<'_, '_> {
        &self.tables[entry.table as usize]
    }

    fn rule(&self, entry: Entry) -> &Rule {
        &self.table(entry).routes.rules.items[entry.rule as usize]
    }

    fn operator(&self, entry: Entry) -> Option<&OperatorId> {
        self.table(entry).operator
    }

    fn member(&self, entry: Entry) -> Anchor {
        let routes = self.table(entry).routes;
        routes.root.clone().at("spec.rules").index(routes.rules.place(entry.rule as usize))
    }

    fn place(&self, entry: Entry, field: &str) -> Anchor {
        self.member(entry).at(field)
    }
}
