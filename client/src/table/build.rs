//! Makes a table from rows in any order.

use std::collections::HashMap;
use std::hash::Hash;

use bindery_schema::value::{Cost, E164Prefix, OperatorId};
use bindery_schema::wire::api::{RouteRow, RoutingTable};
use bindery_schema::wire::routing::PackedRoute;

use super::{Group, NONE, Parts, Table, place};

/// Most rows of a table: places are 32 bits wide, and the last stands for none.
pub(super) const MOST: usize = NONE as usize - 1;

/// Why rows are no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An operator has a prefix twice, as no applied configuration has it.
    #[error("operator {operator} has the prefix {prefix} twice")]
    Twice {
        /// The operator.
        operator: OperatorId,
        /// The prefix.
        prefix: E164Prefix,
    },
    /// More rows than there are places.
    #[error("more rows than a table takes")]
    TooMany,
}

/// Gathers rows and makes a table of them.
#[derive(Debug, Default)]
pub struct Builder {
    operators: Interned<OperatorId>,
    costs: Interned<Cost>,
    rows: Vec<(E164Prefix, PackedRoute)>,
}

impl Builder {
    /// Adds a row; the order does not matter.
    pub fn push(&mut self, row: &RouteRow) {
        let operator = self.operators.place(&row.operator);
        let cost = row.cost.map_or(0, |cost| self.costs.place(&cost) + 1);
        self.rows.push((row.prefix, PackedRoute { priority: row.priority, operator, weight: row.weight, cost }));
    }

    /// The table of a step.
    pub fn finish(self, generation: i64, commit: Option<String>) -> Result<Table, BuildError> {
        let Self { operators, costs, mut rows } = self;
        if rows.len() > MOST {
            return Err(BuildError::TooMany);
        }
        let (operators, new_place) = operators.sorted();
        for (_, route) in &mut rows {
            route.operator = new_place[route.operator as usize];
        }
        rows.sort_unstable();
        for same in rows.chunk_by(|a, b| a.0 == b.0) {
            let mut seen: Vec<u32> = same.iter().map(|(_, route)| route.operator).collect();
            seen.sort_unstable();
            if let Some(twice) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(BuildError::Twice { operator: operators[twice[0] as usize].clone(), prefix: same[0].0 });
            }
        }
        let mut parts = Parts { generation, commit, operators, costs: costs.into_values(), ..Parts::default() };
        for (prefix, route) in rows {
            parts.add(prefix, &[route]);
        }
        Ok(Table::assemble(parts))
    }
}

impl Parts {
    /// Adds routes of a prefix that is the last one or comes after it.
    pub(super) fn add(&mut self, prefix: E164Prefix, routes: &[PackedRoute]) {
        if self.groups.last().is_none_or(|last| last.prefix != prefix) {
            self.groups.push(Group { prefix, first: place(self.routes.len()), broader: NONE });
        }
        self.routes.extend_from_slice(routes);
    }
}

impl Table {
    /// The table that the agent's JSON shows.
    pub fn from_json(table: &RoutingTable) -> Result<Self, BuildError> {
        let mut builder = Builder::default();
        table.rows.iter().for_each(|row| builder.push(row));
        builder.finish(table.generation, table.commit.clone())
    }
}

/// Values kept once, by the order in which they came.
#[derive(Debug)]
pub(super) struct Interned<T> {
    values: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { values: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Ord + Clone> Interned<T> {
    /// The values sorted, and the new place of each old one.
    pub(super) fn sorted(self) -> (Vec<T>, Vec<u32>) {
        let mut order: Vec<usize> = (0..self.values.len()).collect();
        order.sort_unstable_by_key(|old| &self.values[*old]);
        let mut new_place = vec![0; order.len()];
        for (new, old) in (0..).zip(&order) {
            new_place[*old] = new;
        }
        (order.into_iter().map(|old| self.values[old].clone()).collect(), new_place)
    }
}

impl<T: Hash + Eq + Clone> Interned<T> {
    /// Values that are known already, by their places.
    pub(super) fn of(values: Vec<T>) -> Self {
        let places = values.iter().cloned().zip(0..).collect();
        Self { values, places }
    }

    /// The place of a value, which is added where it is not known.
    pub(super) fn place(&mut self, value: &T) -> u32 {
        if let Some(place) = self.places.get(value) {
            return *place;
        }
        let place = place(self.values.len());
        self.values.push(value.clone());
        self.places.insert(value.clone(), place);
        place
    }

    /// The place of a value, where it is known.
    pub(super) fn known(&self, value: &T) -> Option<u32> {
        self.places.get(value).copied()
    }

    /// The values by their places.
    pub(super) fn into_values(self) -> Vec<T> {
        self.values
    }
}
