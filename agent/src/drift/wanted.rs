//! What the applied commit wants the stores to hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery_compiler::plan;
use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::live::Live;
use bindery_schema::value::{Day, OperatorId};
use bindery_schema::wire::api::AppliedCommit;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::store::postgres::full::Rows;
use crate::store::postgres::{carriers, operators};
use crate::store::redis::{self, Entry};
use crate::sync::project;

/// The applied commit, resolved to what the stores know things by.
#[derive(Debug)]
pub struct Wanted {
    /// The step.
    pub applied: AppliedCommit,
    /// What the commit says.
    pub catalog: Arc<Catalog>,
    /// Its operators by the id the stores shall know them by.
    pub operators: BTreeMap<OperatorId, Arc<Operator>>,
}

impl Wanted {
    /// Resolves a commit's catalog. Renames count as far as they were due when the step was applied: one that has become
    /// due since is the next step's. `stored` needs ids and tombstones only.
    pub fn new(applied: AppliedCommit, catalog: Arc<Catalog>, stored: &Live) -> Self {
        let operators = plan::in_stores(&catalog, stored, applied.at.timestamp());
        Self { applied, catalog, operators }
    }

    /// The rows of every small table.
    pub fn rows(&self, now: Timestamp) -> Rows {
        let mut rows = Rows::new();
        for (id, operator) in &self.operators {
            rows.insert(format!("operator/{id}"), living(operators::row(id, operator)));
        }
        for (id, mno) in &self.catalog.mnos {
            rows.insert(format!("mno/{id}"), living(carriers::row(id, mno)));
            for contract in &mno.contracts.contracts {
                let name = format!("contract/{id}/{}/{}", contract.direction, contract.reference);
                let mut row = columns(carriers::contract_row(id, contract));
                // One that is over may have been written before or after that.
                if !contract.period().ended_by(Day::of(now)) {
                    row.insert("ended".to_owned(), false.into());
                }
                rows.insert(name, row);
            }
            for reservation in &mno.contracts.reservations {
                let row = columns(carriers::reservation_row(id, reservation));
                let from = row["effective_from"].as_str().unwrap_or_default();
                let name = format!("reservation/{id}/{}/{}/{from}", reservation.tenant, reservation.direction);
                rows.insert(name, row);
            }
        }
        rows
    }

    /// The keys of Redis but `ops:catalog`.
    pub fn keys(&self, now: Timestamp) -> Result<Vec<Entry>, redis::Error> {
        let operators = self.operators.iter().map(|(id, operator)| (id, &operator.mno, &*operator.spec));
        let contracts = self.catalog.mnos.iter().map(|(id, mno)| (id, &*mno.contracts));
        project::entries(operators, contracts, self.applied.generation, now)
    }
}

/// The row of something that is no tombstone.
fn living(row: Value) -> Map<String, Value> {
    let mut row = columns(row);
    row.insert("deleted_at".to_owned(), Value::Null);
    row
}

fn columns(row: Value) -> Map<String, Value> {
    match row {
        Value::Object(columns) => columns,
        _ => Map::new(),
    }
}
