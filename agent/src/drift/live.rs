//! The state the planner would have seen, had hashes told of the differences. Pure.
//!
//! Begins with stores that are equal to the commit and lays each difference over it. What is planned against the result
//! is what heals them, decided by the same planner and held by the same guardrails as any commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use bindery_schema::contract::{Contract, Reservation, TpsContractSpec};
use bindery_schema::hash::{self, Digest};
use bindery_schema::live::{Live, LiveMno, LiveOperator, MnoDetail};
use bindery_schema::operator::OperatorSpec;
use bindery_schema::routes::Rule;
use bindery_schema::value::{MnoId, OperatorId};
use bindery_schema::wire::drift::{Difference, DriftDirection, Store};
use serde_json::{Map, Value, json};

use super::compare;
use super::wanted::Wanted;
use crate::store::postgres::full::Tables;
use crate::store::postgres::operators;

/// Columns of an operator that repeat a part of its spec.
const REPEATED: [(&str, &str); 8] = [
    ("display_name", "/displayName"),
    ("status", "/status"),
    ("host", "/smpp/host"),
    ("port", "/smpp/port"),
    ("system_id", "/smpp/systemId"),
    ("bind_mode", "/smpp/bindMode"),
    ("tps_outbound", "/tps/outbound"),
    ("tps_inbound", "/tps/inbound"),
];

/// Ids and tombstones alone: enough to tell under which id the stores know an operator.
pub fn skeleton(stored: &Tables) -> Live {
    let operators = stored.rows.iter().filter_map(|(object, row)| {
        let id: OperatorId = object.strip_prefix("operator/")?.parse().ok()?;
        let mut live = stranger_operator(row)?;
        live.deleted = row.get("deleted_at").is_some_and(|at| !at.is_null());
        Some((id, live))
    });
    Live { operators: operators.collect(), ..Live::default() }
}

/// The stores as they are, as far as the given differences go.
pub fn of(wanted: &Wanted, stored: &Tables, differences: &[&Difference]) -> Live {
    let mut live = equal(wanted);
    let mut routes = BTreeSet::new();
    let mut contracts = BTreeSet::new();
    for difference in differences {
        let mut name = difference.object.split('/');
        let (Some(kind), Some(id)) = (name.next(), name.next()) else { continue };
        match (difference.store, kind) {
            (Store::Vault, "operator") => {
                if let Some(operator) = id.parse().ok().and_then(|id: OperatorId| live.operators.get_mut(&id)) {
                    operator.credentials_hash = None;
                }
            }
            (Store::Postgres, "operator") => lay_operator(&mut live, wanted, stored, difference.direction, id),
            (Store::Postgres, "mno") => lay_mno(&mut live, wanted, stored, difference.direction, id),
            (Store::Postgres, "rule") => drop(routes.insert(id)),
            (Store::Postgres, "contract" | "reservation") => drop(contracts.insert(id)),
            _ => {}
        }
    }
    for id in routes {
        lay_rules(&mut live, wanted, stored, id);
    }
    for id in contracts {
        lay_contracts(&mut live, wanted, stored, id);
    }
    live
}

fn equal(wanted: &Wanted) -> Live {
    let mnos = wanted.catalog.mnos.iter().map(|(id, mno)| (id.clone(), LiveMno::of(mno)));
    let operators = wanted.operators.iter().map(|(id, operator)| (id.clone(), LiveOperator::of(operator)));
    Live { mnos: mnos.collect(), operators: operators.collect() }
}

/// A hash no content has.
fn differs() -> Digest {
    Digest::of("differs")
}

fn lay_operator(live: &mut Live, wanted: &Wanted, stored: &Tables, direction: DriftDirection, id: &str) {
    let Ok(id) = id.parse::<OperatorId>() else { return };
    let row = stored.rows.get(&format!("operator/{id}"));
    match direction {
        DriftDirection::Missing => drop(live.operators.remove(&id)),
        DriftDirection::Unknown => drop(row.and_then(stranger_operator).map(|row| live.operators.insert(id, row))),
        DriftDirection::Differs => {
            let (Some(operator), Some(row), Some(desired)) =
                (live.operators.get_mut(&id), row, wanted.operators.get(&id))
            else {
                return;
            };
            operator.spec_hash = differs();
            if let Some(mno) = text(row, "mno_id").and_then(|mno| mno.parse().ok()) {
                operator.mno = mno;
            }
            let spec = stored_spec(row, &operators::row(&id, desired));
            if let (Some(spec), Some(detail)) = (spec, operator.detail.as_mut()) {
                detail.spec = spec;
            }
        }
    }
}

/// The spec of a row. A row holds some values twice; of two that are not equal the one that git does not want counts, so
/// that neither hides the other.
fn stored_spec(row: &Map<String, Value>, wanted: &Value) -> Option<OperatorSpec> {
    let mut spec = row.get("spec")?.clone();
    for (column, pointer) in REPEATED {
        if let (Some(value), Some(place)) = (row.get(column), spec.pointer_mut(pointer))
            && *value != wanted[column]
        {
            *place = value.clone();
        }
    }
    serde_json::from_value(spec).ok()
}

/// A row git does not know: the planner deletes it, and with it its rules, whatever they are.
fn stranger_operator(row: &Map<String, Value>) -> Option<LiveOperator> {
    Some(LiveOperator {
        mno: text(row, "mno_id")?.parse().ok()?,
        spec_hash: differs(),
        routes_hash: hash::routes(&[]),
        credentials_hash: None,
        deleted: false,
        detail: None,
    })
}

fn lay_rules(live: &mut Live, wanted: &Wanted, stored: &Tables, id: &str) {
    let Ok(id) = id.parse::<OperatorId>() else { return };
    let Some(desired) = wanted.operators.get(&id) else {
        // Rules of a tombstone: deleting it once more takes them away.
        let row = stored.rows.get(&format!("operator/{id}")).and_then(stranger_operator);
        row.map(|row| live.operators.entry(id).or_insert(row));
        return;
    };
    let Some(operator) = live.operators.get_mut(&id) else { return };
    let lines = stored.rules.get(id.as_str()).map_or(&[][..], Vec::as_slice);
    let mut rules: Vec<Rule> = lines.iter().filter_map(|line| stored_rule(line, &desired.rules)).collect();
    rules.sort_unstable_by_key(|rule| rule.prefix);
    operator.routes_hash = differs();
    if let Some(detail) = &mut operator.detail {
        detail.rules = rules.into();
    }
}

/// A line that is no rule is shown to the planner as one that is not the wanted one, which is all it has to know.
fn stored_rule(line: &str, wanted: &[Rule]) -> Option<Rule> {
    compare::rule(line).or_else(|| {
        let prefix = bindery_schema::value::E164Prefix::from_digits(line.split('\t').next()?)?;
        let wanted = wanted.binary_search_by_key(&prefix, |rule| rule.prefix).ok().and_then(|at| wanted.get(at));
        let unlike = |rule: &Rule| Rule { active: !rule.active, ..rule.clone() };
        wanted.map(unlike).or_else(|| serde_json::from_value(json!({ "prefix": prefix })).ok())
    })
}

fn lay_mno(live: &mut Live, wanted: &Wanted, stored: &Tables, direction: DriftDirection, id: &str) {
    let Ok(id) = id.parse::<MnoId>() else { return };
    match direction {
        DriftDirection::Missing => drop(live.mnos.remove(&id)),
        DriftDirection::Unknown => drop(live.mnos.insert(id, stranger_mno())),
        DriftDirection::Differs => {
            let row = stored.rows.get(&format!("mno/{id}"));
            let spec = row.and_then(|row| serde_json::from_value(row.get("spec")?.clone()).ok());
            let Some(mno) = live.mnos.get_mut(&id).filter(|_| wanted.catalog.mnos.contains_key(&id)) else { return };
            mno.spec_hash = differs();
            if let (Some(spec), Some(detail)) = (spec, mno.detail.as_mut()) {
                detail.spec = Arc::new(spec);
            }
        }
    }
}

fn stranger_mno() -> LiveMno {
    let none = TpsContractSpec::default();
    LiveMno { spec_hash: differs(), contracts_hash: hash::contracts(&none), deleted: false, detail: None }
}

fn lay_contracts(live: &mut Live, wanted: &Wanted, stored: &Tables, id: &str) {
    let Ok(id) = id.parse::<MnoId>() else { return };
    if !wanted.catalog.mnos.contains_key(&id) {
        live.mnos.entry(id).or_insert_with(stranger_mno);
        return;
    }
    let Some(mno) = live.mnos.get_mut(&id) else { return };
    let of = |kind: &str| {
        let beginning = format!("{kind}/{id}/");
        let rows = stored.rows.range(beginning.clone()..).take_while(move |(name, _)| name.starts_with(&beginning));
        rows.map(|(_, row)| row)
    };
    let contracts = TpsContractSpec {
        contracts: of("contract").filter_map(contract).collect(),
        reservations: of("reservation").filter_map(reservation).collect(),
    };
    mno.contracts_hash = differs();
    if let Some(MnoDetail { contracts: before, .. }) = &mut mno.detail {
        *before = Arc::new(contracts);
    }
}

/// A contract's row; one that is none is left out, and written anew with its carrier's others.
fn contract(row: &Map<String, Value>) -> Option<Contract> {
    typed(json!({
        "ref": row.get("contract_ref")?,
        "direction": row.get("bind_direction")?,
        "contractedTps": row.get("contracted_tps")?,
        "effectiveFrom": row.get("effective_from")?,
        "effectiveTo": row.get("effective_to")?,
        "document": row.get("document")?,
        "fineSchedule": row.get("fine_schedule")?,
    }))
}

fn reservation(row: &Map<String, Value>) -> Option<Reservation> {
    typed(json!({
        "tenant": row.get("tenant_id")?,
        "direction": row.get("bind_direction")?,
        "reservedTps": row.get("reserved_tps")?,
        "effectiveFrom": row.get("effective_from")?,
        "effectiveTo": row.get("effective_to")?,
    }))
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

fn text<'a>(row: &'a Map<String, Value>, column: &str) -> Option<&'a str> {
    row.get(column).and_then(Value::as_str)
}
