//! Makes the next table from a table and what changed since.

use bindery_schema::value::{E164Prefix, OperatorId};
use bindery_schema::wire::routing::{PackedRoute, RouteChange, RoutingChanges};

use super::build::{self, Interned};
use super::{Group, Parts, Table};

/// Why changes do not go onto a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// They begin at another step.
    #[error("the changes since step {since} do not go onto step {generation}")]
    OtherStep {
        /// Where they begin.
        since: i64,
        /// What there is.
        generation: i64,
    },
    /// They are not in order, or one comes twice.
    #[error("the changes are not in order")]
    Order,
    /// More rows than there are places.
    #[error("more rows than a table takes")]
    TooMany,
}

impl Table {
    /// The table of the step the changes lead to. Walks over the whole table once: tens of milliseconds for a million
    /// prefixes, whatever the number of changes.
    pub fn changed(&self, changes: &RoutingChanges) -> Result<Self, ChangeError> {
        let (since, generation) = (changes.since, self.generation);
        if since != generation || changes.generation < since {
            return Err(ChangeError::OtherStep { since, generation });
        }
        let key = |change: &RouteChange| (change.prefix, change.operator.clone());
        if !changes.changes.is_sorted_by(|a, b| key(a) < key(b)) {
            return Err(ChangeError::Order);
        }
        let mut merge = Merge::onto(self, changes);
        let mut rest = &*changes.changes;
        for (at, Group { prefix, .. }) in self.groups.iter().copied().enumerate() {
            while let Some(new) = next(&mut rest, |change| change.prefix < prefix) {
                merge.prefix(new[0].prefix, &[], new);
            }
            let own = next(&mut rest, |change| change.prefix == prefix).unwrap_or_default();
            merge.prefix(prefix, self.routes_at(at), own);
        }
        while let Some(new) = next(&mut rest, |_| true) {
            merge.prefix(new[0].prefix, &[], new);
        }
        if merge.parts.routes.len() > build::MOST {
            return Err(ChangeError::TooMany);
        }
        Ok(Self::assemble(merge.finish()))
    }
}

/// Takes the changes of the next prefix, where they are wanted.
fn next<'c>(rest: &mut &'c [RouteChange], wanted: impl Fn(&RouteChange) -> bool) -> Option<&'c [RouteChange]> {
    let first = rest.first().filter(|first| wanted(first))?;
    let (taken, left) = rest.split_at(rest.partition_point(|change| change.prefix <= first.prefix));
    *rest = left;
    Some(taken)
}

/// The next table, as far as it is made.
struct Merge {
    parts: Parts,
    operators: Interned<OperatorId>,
    costs: Interned<bindery_schema::value::Cost>,
    /// Places of the operators before, among those now.
    moved: Vec<u32>,
    buffer: Vec<PackedRoute>,
}

impl Merge {
    fn onto(table: &Table, changes: &RoutingChanges) -> Self {
        // Operators stay in order of their ids, so new ones may move those that were there.
        let mut all = Interned::of(table.operators.to_vec());
        changes.changes.iter().filter(|change| change.route.is_some()).for_each(|change| {
            all.place(&change.operator);
        });
        let (operators, moved) = all.sorted();
        let parts = Parts {
            generation: changes.generation,
            commit: changes.commit.clone(),
            groups: Vec::with_capacity(table.groups.len()),
            routes: Vec::with_capacity(table.routes.len()),
            ..Parts::default()
        };
        let costs = Interned::of(table.costs.to_vec());
        Self { parts, operators: Interned::of(operators), costs, moved, buffer: Vec::new() }
    }

    /// Adds a prefix with the routes it had and what became of them.
    fn prefix(&mut self, prefix: E164Prefix, before: &[PackedRoute], changes: &[RouteChange]) {
        self.buffer.clear();
        let moved = |route: &PackedRoute| PackedRoute { operator: self.moved[route.operator as usize], ..*route };
        self.buffer.extend(before.iter().map(moved));
        for change in changes {
            let Some(terms) = change.route else {
                let place = self.operators.known(&change.operator);
                self.buffer.retain(|route| Some(route.operator) != place);
                continue;
            };
            let operator = self.operators.place(&change.operator);
            self.buffer.retain(|route| route.operator != operator);
            let cost = terms.cost.map_or(0, |cost| self.costs.place(&cost) + 1);
            self.buffer.push(PackedRoute { priority: terms.priority, operator, weight: terms.weight, cost });
        }
        if !changes.is_empty() {
            self.buffer.sort_unstable();
        }
        if !self.buffer.is_empty() {
            self.parts.add(prefix, &self.buffer);
        }
    }

    /// The parts, without operators and costs that nothing names any more.
    fn finish(self) -> Parts {
        let Self { mut parts, operators, costs, .. } = self;
        let (operators, costs) = (operators.into_values(), costs.into_values());
        let (mut operator_used, mut cost_used) = (vec![false; operators.len()], vec![false; costs.len() + 1]);
        for route in &parts.routes {
            operator_used[route.operator as usize] = true;
            cost_used[route.cost as usize] = true;
        }
        // No cost keeps its place, 0.
        cost_used[0] = true;
        let (operator_place, cost_place) = (places(&operator_used), places(&cost_used));
        for route in &mut parts.routes {
            route.operator = operator_place[route.operator as usize];
            route.cost = cost_place[route.cost as usize];
        }
        parts.operators =
            operators.into_iter().zip(operator_used).filter_map(|(id, used)| used.then_some(id)).collect();
        parts.costs = costs.into_iter().zip(&cost_used[1..]).filter_map(|(cost, used)| used.then_some(cost)).collect();
        parts
    }
}

/// The place of each used one among the used ones.
fn places(used: &[bool]) -> Vec<u32> {
    let mut next = 0;
    let place = |used: &bool| {
        let place = next;
        next += u32::from(*used);
        place
    };
    used.iter().map(place).collect()
}
