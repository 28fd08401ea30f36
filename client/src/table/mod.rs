//! The routing table in memory: small, immutable, and quick to look a number up in.
//!
//! A table is built whole ([`Table::decode`], [`Builder`], [`Table::changed`]) and never altered; whoever follows the
//! agent swaps one for the next. Prefixes lie sorted in one array as machine words, each directly before what lies inside
//! it, as the nodes of a tree read from the top. A lookup is therefore one binary search for the last prefix at or before
//! the number, and a step to a broader prefix, or a few, where that one does not contain it. An index of the leading
//! digits leaves a handful of prefixes to search. The routes of all prefixes lie in one further array; operators and costs
//! are kept once and named by their place.
//!
//! What a lookup costs is the memory it waits for: an entry of the index, one or two lines of prefixes, one of routes.
//!
//! Pure: no IO, no clock, no randomness.

mod build;
mod change;
mod decode;
mod lookup;
#[cfg(test)]
mod tests;

use bindery_schema::value::{Cost, E164Prefix, OperatorId};
use bindery_schema::wire::api::RouteRow;
use bindery_schema::wire::routing::PackedRoute;

pub use build::{BuildError, Builder};
pub use change::ChangeError;
pub use decode::DecodeError;
pub use lookup::{AllHealthy, Candidate, Decision, Health, Route, SkipReason, Skipped, Verdict, share_key};

/// No broader prefix.
const NONE: u32 = u32::MAX;
/// Most leading digits the index tells apart: a million entries, fewer than a full table has prefixes.
const MOST_INDEXED: u32 = 6;

/// The routing table of one applied step.
#[derive(Clone)]
pub struct Table {
    generation: i64,
    commit: Option<Box<str>>,
    operators: Box<[OperatorId]>,
    costs: Box<[Cost]>,
    /// By prefix, each once.
    groups: Box<[Group]>,
    routes: Box<[PackedRoute]>,
    index: Index,
}

/// A prefix. What a lookup asks of it lies together.
#[derive(Debug, Clone, Copy)]
struct Group {
    prefix: E164Prefix,
    /// Where its routes begin; they end where those of the next begin.
    first: u32,
    /// Place of the nearest broader prefix.
    broader: u32,
}

/// Where the prefixes begin that have some leading digits or greater ones.
#[derive(Debug, Clone)]
struct Index {
    /// How many digits.
    digits: u32,
    /// An entry for every such number, and one behind the last.
    begins: Box<[u32]>,
}

impl Table {
    /// A table in which nobody serves anything, of no step: what is known before the first answer.
    pub fn empty() -> Self {
        Self::assemble(Parts::default())
    }

    /// Number of the applied step.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// The applied commit.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// How many distinct prefixes there are.
    pub fn prefix_count(&self) -> usize {
        self.groups.len()
    }

    /// How many rows there are.
    pub fn route_count(&self) -> usize {
        self.routes.len()
    }

    /// Every operator that serves some prefix or did so lately, by id.
    pub fn operators(&self) -> &[OperatorId] {
        &self.operators
    }

    /// Every row by prefix, priority and operator, as the agent's JSON has them.
    pub fn rows(&self) -> impl Iterator<Item = RouteRow> {
        (0..self.groups.len()).flat_map(move |at| {
            self.routes_at(at).iter().map(move |route| RouteRow {
                prefix: self.groups[at].prefix,
                operator: self.operators[route.operator as usize].clone(),
                priority: route.priority,
                weight: route.weight,
                cost: self.cost(*route),
            })
        })
    }

    /// Bytes on the heap, ids and costs included.
    pub fn heap_bytes(&self) -> usize {
        let ids: usize = self.operators.iter().map(|id| id.as_str().len() + 2 * size_of::<usize>()).sum();
        size_of_val(&*self.groups)
            + size_of_val(&*self.routes)
            + size_of_val(&*self.index.begins)
            + size_of_val(&*self.operators)
            + size_of_val(&*self.costs)
            + self.commit.as_deref().map_or(0, str::len)
            + ids
    }

    fn cost(&self, route: PackedRoute) -> Option<Cost> {
        (route.cost as usize).checked_sub(1).map(|place| self.costs[place])
    }

    fn routes_at(&self, at: usize) -> &[PackedRoute] {
        let end = self.groups.get(at + 1).map_or(self.routes.len(), |next| next.first as usize);
        &self.routes[self.groups[at].first as usize..end]
    }

    /// Puts sorted parts together: finds each prefix's nearest broader one and makes the index.
    fn assemble(parts: Parts) -> Self {
        let Parts { generation, commit, operators, costs, mut groups, routes } = parts;
        for at in 1..groups.len() {
            let prefix = groups[at].prefix;
            let mut up = place(at - 1);
            while up != NONE && !groups[up as usize].prefix.contains(prefix) {
                up = groups[up as usize].broader;
            }
            groups[at].broader = up;
        }
        Self {
            generation,
            commit: commit.map(String::into_boxed_str),
            operators: operators.into(),
            costs: costs.into(),
            index: Index::of(&groups),
            groups: groups.into(),
            routes: routes.into(),
        }
    }
}

impl Index {
    /// One digit more for each tenfold of prefixes: small tables stay small.
    fn of(groups: &[Group]) -> Self {
        let digits = groups.len().checked_ilog10().map_or(1, |tens| (tens + 1).min(MOST_INDEXED));
        let entries = 10_usize.pow(digits) + 1;
        let mut begins = Vec::with_capacity(entries);
        for (at, group) in groups.iter().enumerate() {
            let head = group.prefix.leading(digits) as usize;
            begins.resize(begins.len().max(head + 1), place(at));
        }
        begins.resize(entries, place(groups.len()));
        Self { digits, begins: begins.into() }
    }

    /// The places of the prefixes that have the leading digits of a number.
    fn range(&self, number: E164Prefix) -> std::ops::Range<usize> {
        let head = number.leading(self.digits) as usize;
        self.begins[head] as usize..self.begins[head + 1] as usize
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::empty()
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("generation", &self.generation)
            .field("prefixes", &self.groups.len())
            .field("routes", &self.routes.len())
            .field("operators", &self.operators.len())
            .finish_non_exhaustive()
    }
}

/// What a table is put together from.
#[derive(Debug, Default)]
struct Parts {
    generation: i64,
    commit: Option<String>,
    operators: Vec<OperatorId>,
    costs: Vec<Cost>,
    groups: Vec<Group>,
    routes: Vec<PackedRoute>,
}

/// A place in an array of which there are at most [`build::MOST`].
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}
