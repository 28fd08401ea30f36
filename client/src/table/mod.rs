//! The routing table in memory: small, immutable, and quick to look a number up in.
//!
//! A table is built whole ([`Table::decode`], [`Builder`], [`Table::changed`]) and never altered; whoever follows the
//! agent swaps one for the next. Prefixes lie sorted in one array as machine words, each directly before what lies inside
//! it, as the nodes of a tree read from the top. A lookup is therefore one binary search for the last prefix at or before
//! the number, and a step to a broader prefix, or a few, where that one does not contain it. The routes of all prefixes
//! lie in one further array; operators and costs are kept once and named by their place.
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
/// Leading digits the index tells apart. Five are as many as country code and network have in most plans, and their
/// places fit the second cache of any server.
const INDEXED: u32 = 5;
/// Entries of the index: one for every five digits, and one behind the last.
const ENTRIES: usize = 10_usize.pow(INDEXED) + 1;

/// The routing table of one applied step.
#[derive(Clone)]
pub struct Table {
    generation: i64,
    commit: Option<Box<str>>,
    operators: Box<[OperatorId]>,
    costs: Box<[Cost]>,
    /// Sorted, each once.
    prefixes: Box<[E164Prefix]>,
    /// Where the routes of a prefix begin; one entry more than there are prefixes.
    first: Box<[u32]>,
    /// Place of the nearest broader prefix.
    broader: Box<[u32]>,
    routes: Box<[PackedRoute]>,
    /// Where the prefixes begin that have these five leading digits or greater ones.
    index: Box<[u32]>,
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
        self.prefixes.len()
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
        (0..self.prefixes.len()).flat_map(move |at| {
            self.routes_at(at).iter().map(move |route| RouteRow {
                prefix: self.prefixes[at],
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
        size_of_val(&*self.prefixes)
            + size_of_val(&*self.first)
            + size_of_val(&*self.broader)
            + size_of_val(&*self.routes)
            + size_of_val(&*self.index)
            + size_of_val(&*self.operators)
            + size_of_val(&*self.costs)
            + self.commit.as_deref().map_or(0, str::len)
            + ids
    }

    fn cost(&self, route: PackedRoute) -> Option<Cost> {
        (route.cost as usize).checked_sub(1).map(|place| self.costs[place])
    }

    fn routes_at(&self, at: usize) -> &[PackedRoute] {
        &self.routes[self.first[at] as usize..self.first[at + 1] as usize]
    }

    /// Puts sorted parts together: finds each prefix's nearest broader one and makes the index.
    fn assemble(parts: Parts) -> Self {
        let Parts { generation, commit, operators, costs, prefixes, mut first, routes } = parts;
        first.push(place(routes.len()));
        let mut broader = Vec::with_capacity(prefixes.len());
        for (at, prefix) in prefixes.iter().enumerate() {
            let mut up = at.checked_sub(1).map_or(NONE, place);
            while up != NONE && !prefixes[up as usize].contains(*prefix) {
                up = broader[up as usize];
            }
            broader.push(up);
        }
        let mut index = Vec::with_capacity(ENTRIES);
        for (at, prefix) in prefixes.iter().enumerate() {
            let head = lookup::head(prefix.word());
            index.resize(index.len().max(head + 1), place(at));
        }
        index.resize(ENTRIES, place(prefixes.len()));
        Self {
            generation,
            commit: commit.map(String::into_boxed_str),
            operators: operators.into(),
            costs: costs.into(),
            prefixes: prefixes.into(),
            first: first.into(),
            broader: broader.into(),
            routes: routes.into(),
            index: index.into(),
        }
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
            .field("prefixes", &self.prefixes.len())
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
    prefixes: Vec<E164Prefix>,
    first: Vec<u32>,
    routes: Vec<PackedRoute>,
}

/// A place in an array of which there are at most [`build::MOST`].
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}
