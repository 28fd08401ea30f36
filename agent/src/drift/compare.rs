//! What differs between what is stored and what is wanted. Pure.
//!
//! Both sides are brought into one form first: a spec is read as its type and written again, so that a default that is
//! spelt out and the order of keys say nothing; amounts come without trailing zeros; dates and numbers are JSON's.

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery_compiler::plan;
use bindery_schema::catalog::Operator;
use bindery_schema::contract::FineStep;
use bindery_schema::mno::MnoSpec;
use bindery_schema::operator::OperatorSpec;
use bindery_schema::routes::Rule;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::drift::{Difference, DriftDirection, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::store::postgres::full::{Rows, Tables};
use crate::store::postgres::rules;

/// What differs in the configuration tables.
pub fn tables(stored: &Tables, wanted: &Rows, operators: &BTreeMap<OperatorId, Arc<Operator>>) -> Vec<Difference> {
    let mut differences = rows(&stored.rows, wanted);
    rules_of_all(&stored.rules, operators, &mut differences);
    differences
}

fn rows(stored: &Rows, wanted: &Rows) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (object, after) in wanted {
        let Some(before) = stored.get(object) else {
            differences.push(whole(Store::Postgres, object, DriftDirection::Missing, Value::Null));
            continue;
        };
        let mut before = normal(object, before);
        // Columns git says nothing about, such as one somebody added.
        before.retain(|column, _| after.contains_key(column));
        let (before, after) = (Value::Object(before), Value::Object(normal(object, after)));
        differences.extend(fields(Store::Postgres, object, &before, &after));
    }
    // A tombstone is history.
    let living = |row: &Map<String, Value>| row.get("deleted_at").is_none_or(Value::is_null);
    for (object, before) in stored.iter().filter(|(object, row)| !wanted.contains_key(*object) && living(row)) {
        let before = without_secrets(Value::Object(before.clone()));
        differences.push(whole(Store::Postgres, object, DriftDirection::Unknown, before));
    }
    differences
}

/// The leaves that differ between two objects of one name.
pub fn fields(store: Store, object: &str, stored: &Value, wanted: &Value) -> Vec<Difference> {
    let differs = |change: bindery_schema::change::FieldChange| {
        let secret = is_secret(&change.path);
        let shown = |value: Value| if secret { Value::Null } else { without_secrets(value) };
        Difference {
            store,
            object: object.to_owned(),
            direction: DriftDirection::Differs,
            stored: shown(change.before),
            wanted: shown(change.after),
            field: Some(change.path),
        }
    };
    plan::fields(stored, wanted).into_iter().map(differs).collect()
}

/// A whole object that is missing or unknown.
pub fn whole(store: Store, object: &str, direction: DriftDirection, stored: Value) -> Difference {
    Difference { store, object: object.to_owned(), field: None, direction, stored, wanted: Value::Null }
}

/// Whether a field is a password, sealed or not, that someone wrote into a column.
fn is_secret(path: &str) -> bool {
    path.split('.').any(|part| part == "credentials") && !path.ends_with("rotatedAt")
}

fn without_secrets(mut value: Value) -> Value {
    if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("credentials");
    }
    value
}

/// A row whose typed columns are written as their type writes them. What cannot be read as its type stays as it is.
fn normal(object: &str, row: &Map<String, Value>) -> Map<String, Value> {
    fn as_type<T: DeserializeOwned + Serialize>(value: &mut Value) {
        let typed = serde_json::from_value::<T>(value.clone()).and_then(serde_json::to_value);
        if let Ok(typed) = typed {
            *value = typed;
        }
    }
    let mut row = row.clone();
    if let Some(spec) = row.get_mut("spec") {
        if object.starts_with("operator/") { as_type::<OperatorSpec>(spec) } else { as_type::<MnoSpec>(spec) }
    }
    if let Some(fines) = row.get_mut("fine_schedule") {
        as_type::<Vec<FineStep>>(fines);
    }
    row
}

fn rules_of_all(
    stored: &BTreeMap<String, Vec<String>>,
    operators: &BTreeMap<OperatorId, Arc<Operator>>,
    differences: &mut Vec<Difference>,
) {
    for (id, operator) in operators {
        let before = stored.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        rules_of(id.as_str(), before, &operator.rules, differences);
    }
    let known = |id: &str| id.parse::<OperatorId>().is_ok_and(|id| operators.contains_key(&id));
    for (id, before) in stored.iter().filter(|(id, _)| !known(id)) {
        rules_of(id, before, &[], differences);
    }
}

/// What differs in the rules of one operator. Where nothing does, one pass over the lines finds that.
fn rules_of(operator: &str, stored: &[String], wanted: &[Rule], differences: &mut Vec<Difference>) {
    let before: BTreeMap<&str, &str> = stored.iter().map(|line| (prefix(line), line.as_str())).collect();
    let mut kept = 0;
    let mut line = String::new();
    for rule in wanted {
        line.clear();
        rules::fields(&mut line, rule);
        let object = || format!("rule/{operator}/{}", prefix(&line));
        match before.get(prefix(&line)) {
            Some(before) => {
                kept += 1;
                if *before != line {
                    differences.extend(fields(Store::Postgres, &object(), &rule_row(before), &rule_row(&line)));
                }
            }
            None => differences.push(whole(Store::Postgres, &object(), DriftDirection::Missing, Value::Null)),
        }
    }
    if kept == before.len() {
        return;
    }
    let wanted: std::collections::BTreeSet<String> = wanted.iter().map(|rule| rule.prefix.digits()).collect();
    for (prefix, line) in before.into_iter().filter(|(prefix, _)| !wanted.contains(*prefix)) {
        let object = format!("rule/{operator}/{prefix}");
        differences.push(whole(Store::Postgres, &object, DriftDirection::Unknown, rule_row(line)));
    }
}

fn prefix(line: &str) -> &str {
    line.split('\t').next().unwrap_or_default()
}

/// A rule's line by column.
fn rule_row(line: &str) -> Value {
    let value = |(column, text): (&&str, &str)| {
        let value = match (*column, text) {
            (_, "\\N") => Value::Null,
            ("priority" | "weight" | "active", text) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            (_, text) => text.replace("\\\\", "\\").into(),
        };
        ((*column).to_owned(), value)
    };
    Value::Object(rules::COLUMNS.iter().zip(line.split('\t')).map(value).collect())
}

/// A stored rule as the planner sees it; `None` where it is none bindery could have written.
pub fn rule(line: &str) -> Option<Rule> {
    let row = rule_row(line);
    let text = |column: &str| row[column].as_str();
    let number = |column: &str| row[column].as_u64().and_then(|number| u16::try_from(number).ok());
    let prefix = |column: &str| text(column).map(bindery_schema::value::E164Prefix::from_digits);
    let cost = match (text("cost"), text("currency")) {
        (None, None) => None,
        (amount, currency) => {
            Some(bindery_schema::value::Cost { amount: amount?.parse().ok()?, currency: currency?.parse().ok()? })
        }
    };
    Some(Rule {
        prefix: prefix("prefix")??,
        priority: number("priority")?,
        weight: number("weight")?,
        cost,
        active: row["active"].as_bool()?,
        narrows: prefix("narrows").map_or(Some(None), |narrows| narrows.map(Some))?,
        split: text("split").map(str::parse).transpose().ok()?,
    })
}
