//! What has to change in a document so that it says something else: as little as can be.

use serde_json::{Map, Value};

/// A step from a value to one inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    At(usize),
}

/// One change of a value that the path leads to. Changes are made one after another: each sees those before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) path: Vec<Step>,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// The value becomes another.
    Set(Value),
    /// The mapping gets a key.
    Add(String, Value),
    /// The mapping loses a key, and has others.
    Drop(String),
    /// The list gets a member before that of this number.
    Insert(usize, Value),
    /// The list loses a member, and has others.
    Take(usize),
}

/// Lays a merge patch over a value (RFC 7396).
pub(super) fn merged(value: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut members = match value {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (key, patch) in patch {
        if patch.is_null() {
            members.shift_remove(key);
        } else {
            let below = members.get_mut(key).map_or(Value::Null, Value::take);
            members.insert(key.clone(), merged(below, patch));
        }
    }
    members.into()
}

/// The changes that make one value another.
pub(super) fn between(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(old, new, &mut Vec::new(), &mut changes);
    changes
}

fn compare(old: &Value, new: &Value, path: &mut Vec<Step>, changes: &mut Vec<Change>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(old), Value::Object(new)) if !old.is_empty() && !new.is_empty() => {
            members(old, new, path, changes);
        }
        (Value::Array(old), Value::Array(new)) if !old.is_empty() && !new.is_empty() => items(old, new, path, changes),
        _ => changes.push(Change { path: path.clone(), what: What::Set(new.clone()) }),
    }
}

/// Keys come before others go, so that a mapping is never without one in between.
fn members(old: &Map<String, Value>, new: &Map<String, Value>, path: &mut Vec<Step>, changes: &mut Vec<Change>) {
    for (key, new) in new {
        match old.get(key) {
            Some(old) => {
                path.push(Step::Key(key.clone()));
                compare(old, new, path, changes);
                path.pop();
            }
            None => changes.push(Change { path: path.clone(), what: What::Add(key.clone(), new.clone()) }),
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        changes.push(Change { path: path.clone(), what: What::Drop(key.clone()) });
    }
}

/// What both lists begin and end with stays; what is between is compared one by one.
fn items(old: &[Value], new: &[Value], path: &mut Vec<Step>, changes: &mut Vec<Change>) {
    let shorter = old.len().min(new.len());
    let same = |pairs: &mut dyn Iterator<Item = (&Value, &Value)>| pairs.take_while(|(old, new)| old == new).count();
    let first = same(&mut old.iter().zip(new));
    let last = same(&mut old.iter().rev().zip(new.iter().rev())).min(shorter - first);
    let both = shorter - last;
    for at in first..both {
        path.push(Step::At(at));
        compare(&old[at], &new[at], path, changes);
        path.pop();
    }
    let mut push = |what| changes.push(Change { path: path.clone(), what });
    for at in (both..old.len() - last).rev() {
        push(What::Take(at));
    }
    for (at, new) in new.iter().enumerate().take(new.len() - last).skip(both) {
        push(What::Insert(at, new.clone()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_is_laid_over_as_the_standard_says() {
        // The examples of RFC 7396, appendix A.
        for (value, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(merged(value, &patch), expected);
        }
    }

    #[test]
    fn only_what_differs_changes() {
        let what =
            |old: Value, new: Value| between(&old, &new).into_iter().map(|change| change.what).collect::<Vec<_>>();
        assert_eq!(what(json!([1, 2, 3]), json!([1, 3])), [What::Take(1)]);
        assert_eq!(what(json!([1, 3]), json!([1, 2, 3])), [What::Insert(1, json!(2))]);
        assert_eq!(what(json!([1, 2]), json!([1, 3])), [What::Set(json!(3))]);
        assert_eq!(what(json!([1]), json!([])), [What::Set(json!([]))]);
        assert_eq!(what(json!({"a": 1}), json!({"b": 1})), [What::Add("b".into(), json!(1)), What::Drop("a".into())]);
        assert_eq!(what(json!({"a": 1}), json!({"a": 1})), []);
    }
}
