//! Every rule of a catalog in one sorted table, made for looking up numbers.
//!
//! Sorted prefixes stand like the nodes of a tree read from the top: each directly before what lies inside it. The
//! prefix before or at a number is therefore its longest match or lies inside that, so one binary search and a walk
//! to broader prefixes, of which there are at most fifteen, find all candidates.

use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::operator::Status;
use bindery_schema::value::{E164Prefix, OperatorId};
use jiff::Timestamp;
use rayon::slice::ParallelSliceMut as _;

/// An operator under the id it goes by at the time of the table.
#[derive(Debug, Clone, Copy)]
pub struct Bind<'c> {
    /// The id: until a rename takes effect the former one.
    pub id: &'c OperatorId,
    /// The id it has in the tree.
    pub tree_id: &'c OperatorId,
    /// The operator.
    pub operator: &'c Operator,
}

/// A rule as far as the choice needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The destinations.
    pub prefix: E164Prefix,
    /// The lower one wins.
    pub priority: u16,
    /// Number of the operator in the table.
    pub(super) bind: u32,
    /// Share among equals.
    pub weight: u16,
    /// Whether the rule is active; that its operator is, is another question.
    pub active: bool,
}

/// The rules of one prefix.
#[derive(Debug, Clone, Copy)]
struct Group {
    prefix: E164Prefix,
    /// Where its candidates begin; they end where the next group's begin.
    first: u32,
    /// The nearest broader prefix.
    broader: Option<u32>,
}

/// All rules, active or not, by prefix, priority and operator.
#[derive(Debug)]
pub struct Table<'c> {
    binds: Vec<Bind<'c>>,
    candidates: Vec<Candidate>,
    groups: Vec<Group>,
}

impl<'c> Table<'c> {
    /// Builds the table as it stands at a time.
    pub fn new(catalog: &'c Catalog, at: Timestamp) -> Self {
        let mut binds: Vec<Bind<'c>> = catalog
            .operators
            .iter()
            .map(|(tree_id, operator)| {
                let former = operator.renamed_from.as_ref().filter(|renamed| at < renamed.effective_at.timestamp());
                Bind { id: former.map_or(tree_id, |renamed| &renamed.id), tree_id, operator }
            })
            .collect();
        binds.sort_by(|a, b| a.id.cmp(b.id));
        let mut candidates = Vec::with_capacity(catalog.rule_count());
        for (number, bind) in (0..).zip(&binds) {
            candidates.extend(bind.operator.rules.iter().map(|rule| Candidate {
                prefix: rule.prefix,
                priority: rule.priority,
                bind: number,
                weight: rule.weight,
                active: rule.active,
            }));
        }
        candidates.par_sort_unstable();
        let groups = group(&candidates);
        Self { binds, candidates, groups }
    }

    /// Every rule whose prefix a number lies inside, the longest prefix first, then by priority and operator.
    pub fn candidates(&self, number: E164Prefix) -> impl Iterator<Item = &Candidate> {
        let behind = self.groups.partition_point(|group| group.prefix <= number);
        let mut at = behind.checked_sub(1);
        while let Some(index) = at
            && !self.groups[index].prefix.contains(number)
        {
            at = self.broader(index);
        }
        std::iter::successors(at, |index| self.broader(*index)).flat_map(|index| {
            let end = self.groups.get(index + 1).map_or(self.candidates.len(), |next| next.first as usize);
            &self.candidates[self.groups[index].first as usize..end]
        })
    }

    /// The operator of a rule.
    pub fn bind(&self, candidate: &Candidate) -> Bind<'c> {
        self.binds[candidate.bind as usize]
    }

    /// Whether a rule takes part in routing: it is active, and its operator too.
    pub(super) fn takes_part(&self, candidate: &Candidate) -> bool {
        candidate.active && self.bind(candidate).operator.spec.status == Status::Active
    }

    fn broader(&self, index: usize) -> Option<usize> {
        self.groups[index].broader.map(|broader| broader as usize)
    }
}

fn group(candidates: &[Candidate]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut first = 0;
    for same in candidates.chunk_by(|a, b| a.prefix == b.prefix) {
        let prefix = same[0].prefix;
        let mut broader = u32::try_from(groups.len()).ok().and_then(|number| number.checked_sub(1));
        while let Some(index) = broader
            && !groups[index as usize].prefix.contains(prefix)
        {
            broader = groups[index as usize].broader;
        }
        groups.push(Group { prefix, first, broader });
        first += u32::try_from(same.len()).unwrap_or(u32::MAX);
    }
    groups
}
