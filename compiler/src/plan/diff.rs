//! What differs between two contents: fields of a spec, members of a list.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use bindery_schema::change::{FieldChange, ListChange, Updated};
use bindery_schema::contract::{Contract, Reservation};
use bindery_schema::mno::MnoSpec;
use bindery_schema::operator::OperatorSpec;
use bindery_schema::routes::Rule;
use bindery_schema::value::MnoId;
use serde::Serialize;
use serde_json::Value;

/// The fields of an operator that differ, by path. Without a before every field is new.
///
/// The sealed password is no field: its change is the credentials' and its text never enters a plan.
pub(super) fn operator_fields(
    before: Option<(&MnoId, &OperatorSpec)>,
    after: (&MnoId, &OperatorSpec),
) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let mno = before.map_or(Value::Null, |(mno, _)| json(mno));
    let spec = before.map_or(Value::Null, |(_, spec)| json(&spec.without_sealed()));
    compare("mno", &mno, &json(after.0), &mut changes);
    compare("", &spec, &json(&after.1.without_sealed()), &mut changes);
    changes
}

/// The fields of a carrier that differ, by path. Without a before every field is new.
pub(super) fn mno_fields(before: Option<&MnoSpec>, after: &MnoSpec) -> Vec<FieldChange> {
    fields(&before.map_or(Value::Null, json), &json(after))
}

/// The rules that differ. A rule is known by its prefix.
pub(super) fn rules(before: &[Rule], after: &[Rule]) -> ListChange<Rule> {
    list(before, after, |rule| rule.prefix)
}

/// The contracts that differ. A contract is known by its direction and reference.
pub(super) fn contracts(before: &[Contract], after: &[Contract]) -> ListChange<Contract> {
    list(before, after, |contract| (contract.direction, contract.reference.clone()))
}

/// The reservations that differ. A reservation is known by its tenant, direction and first day.
pub(super) fn reservations(before: &[Reservation], after: &[Reservation]) -> ListChange<Reservation> {
    list(before, after, |reservation| (reservation.tenant.clone(), reservation.direction, reservation.effective_from))
}

/// Merges two lists in the order of their keys. Members of one key are paired one by one, so none is lost.
fn list<T: Clone + PartialEq, K: Ord>(before: &[T], after: &[T], key: impl Fn(&T) -> K) -> ListChange<T> {
    // Where a list is in order already, as rules are, sorting it is one pass.
    let mut old = in_order(before, &key).into_iter().peekable();
    let mut new = in_order(after, &key).into_iter().peekable();
    let mut change = ListChange::default();
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(before), Some(after)) => key(before).cmp(&key(after)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return change,
        };
        match order {
            Ordering::Less => change.removed.extend(old.next().cloned()),
            Ordering::Greater => change.added.extend(new.next().cloned()),
            Ordering::Equal => {
                let pair = old.next().zip(new.next()).filter(|(before, after)| before != after);
                change
                    .updated
                    .extend(pair.map(|(before, after)| Updated { before: before.clone(), after: after.clone() }));
            }
        }
    }
}

fn in_order<T, K: Ord>(members: &[T], key: impl Fn(&T) -> K) -> Vec<&T> {
    let mut members: Vec<&T> = members.iter().collect();
    members.sort_by_key(|member| key(member));
    members
}

/// The leaves that differ between two objects, by dotted path.
pub fn fields(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", before, after, &mut changes);
    changes
}

/// Notes the leaves that differ, by path. An array is a leaf: its members have no name a person could look up.
fn compare(path: &str, before: &Value, after: &Value, changes: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let names: BTreeSet<&String> = match (before, after) {
        (Value::Object(old), Value::Object(new)) => old.keys().chain(new.keys()).collect(),
        (Value::Object(only), Value::Null) | (Value::Null, Value::Object(only)) if !only.is_empty() => {
            only.keys().collect()
        }
        _ => {
            changes.push(FieldChange { path: path.to_owned(), before: before.clone(), after: after.clone() });
            return;
        }
    };
    for name in names {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let member = |value: &Value| value.get(name).cloned().unwrap_or_default();
        compare(&below, &member(before), &member(after), changes);
    }
}

fn json(value: &impl Serialize) -> Value {
    // Serialising a plain value into memory fails for no value of these types.
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn paths(before: &Value, after: &Value) -> Vec<String> {
        fields(before, after).into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn names_leaves_by_dotted_path_and_takes_arrays_whole() {
        let before = json!({"a": 1, "smpp": {"host": "x", "port": 1}, "list": [1, 2], "gone": {"deep": true}});
        let after = json!({"a": 1, "smpp": {"host": "y", "port": 1}, "list": [2, 1], "new": {"deep": {"er": 1}}});
        assert_eq!(paths(&before, &after), ["gone.deep", "list", "new.deep.er", "smpp.host"]);
        assert_eq!(paths(&json!({"a": {}}), &json!({})), ["a"]);
        assert!(paths(&before, &before).is_empty());
    }

    proptest! {
        #[test]
        fn a_list_change_leads_from_before_to_after(
            before in prop::collection::btree_map(0u8..20, 0u8..3, 0..12),
            after in prop::collection::btree_map(0u8..20, 0u8..3, 0..12),
        ) {
            let members = |map: &std::collections::BTreeMap<u8, u8>| map.clone().into_iter().collect::<Vec<_>>();
            let change = list(&members(&before), &members(&after), |member| member.0);
            let mut result = before.clone();
            for (key, value) in &change.removed {
                prop_assert_eq!(result.remove(key), Some(*value));
            }
            for Updated { before, after } in &change.updated {
                prop_assert_ne!(before, after);
                prop_assert_eq!(result.insert(after.0, after.1), Some(before.1));
            }
            for (key, value) in &change.added {
                prop_assert_eq!(result.insert(*key, *value), None);
            }
            prop_assert_eq!(result, after);
        }
    }
}
