//! What a template sees, as `templates/README.md` describes it. No secret is in it.

use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::value::{MnoId, OperatorId};
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::json;

/// The context of a carrier's runbook; none where the catalog does not have it.
pub(super) fn of(catalog: &Catalog, id: &MnoId) -> Option<Value> {
    let mno = catalog.mnos.get(id)?;
    // The index by carrier is not worth keeping: a repository has a few thousand operators at most.
    let operators = catalog.operators.iter().filter(|(_, operator)| operator.mno == *id);
    let operators: Vec<_> = operators.map(|(id, operator)| one(id, operator)).collect();
    Some(Value::from(Serde(json!({
        "mno": with_id(id.as_str(), &*mno.spec),
        "operators": operators,
        "contracts": mno.contracts.contracts,
        "reservations": mno.contracts.reservations,
    }))))
}

fn one(id: &OperatorId, operator: &Operator) -> serde_json::Value {
    let mut value = with_id(id.as_str(), &operator.spec.without_sealed());
    value["prefixes"] = operator.rules.iter().map(|rule| json!(rule.prefix)).collect();
    value
}

fn with_id(id: &str, spec: &impl Serialize) -> serde_json::Value {
    let mut value = json!(spec);
    value["id"] = id.into();
    value
}
