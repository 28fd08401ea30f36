//! What each operation does to the files.

use bindery_compiler::edit::{self, Object};
use bindery_compiler::{seal, slug};
use bindery_schema::API_VERSION;
use bindery_schema::secret::Secret;
use bindery_schema::value::{E164Prefix, Instant, MnoId, OperatorId};
use bindery_schema::wire::admin::{ContractKey, NewMno, NewOperator, Operation, OperatorPatch, ReservationKey};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::draft::{Draft, NewPassword};
use super::error::Error;

const RULES: &str = "spec.rules";
const CONTRACTS: &str = "spec.contracts";
const RESERVATIONS: &str = "spec.reservations";
/// Longest password any carrier is known to take.
const LONGEST_PASSWORD: usize = 64;

/// Carries an operation out on a draft and returns the object it is about.
pub(super) fn carry_out(operation: &Operation, draft: &mut Draft<'_>, now: Timestamp) -> Result<String, Error> {
    match operation {
        Operation::CreateOperator(new) => return create_operator(new, draft, now),
        Operation::CreateMno(new) => return create_mno(new, draft),
        Operation::UpdateOperator { id, patch } => update_operator(id, patch, draft, now)?,
        Operation::DeleteOperator { id } => {
            known_operator(id, draft)?;
            draft.remove(&Object::Routes(id))?;
            draft.remove(&Object::Operator(id))?;
        }
        Operation::CreateRule { operator, rule } => create_rule(operator, rule, draft)?,
        Operation::UpdateRule { operator, prefix, rule } => {
            edit_rule(operator, *prefix, draft, |text, object, member| {
                edit::merge_member(text, object, RULES, member, rule)
            })?;
        }
        Operation::DeleteRule { operator, prefix } => {
            edit_rule(operator, *prefix, draft, |text, object, member| {
                edit::remove_member(text, object, RULES, member)
            })?;
        }
        Operation::UpdateMno { id, spec } => {
            draft.edit(&Object::Mno(id), |text| edit::merge(text, &Object::Mno(id), &json!({ "spec": spec })))?;
        }
        Operation::DeleteMno { id } => delete_mno(id, draft)?,
        Operation::CreateContract { mno, contract } => add(mno, CONTRACTS, contract, draft)?,
        Operation::UpdateContract { key, contract } => {
            edit_contract(key, draft, |text, object, member| {
                edit::merge_member(text, object, CONTRACTS, member, contract)
            })?;
        }
        Operation::DeleteContract { key } => {
            edit_contract(key, draft, |text, object, member| edit::remove_member(text, object, CONTRACTS, member))?;
        }
        Operation::CreateReservation { mno, reservation } => add(mno, RESERVATIONS, reservation, draft)?,
        Operation::UpdateReservation { key, reservation } => {
            edit_reservation(key, draft, |text, object, member| {
                edit::merge_member(text, object, RESERVATIONS, member, reservation)
            })?;
        }
        Operation::DeleteReservation { key } => {
            edit_reservation(key, draft, |text, object, member| {
                edit::remove_member(text, object, RESERVATIONS, member)
            })?;
        }
    }
    Ok(object(operation, ""))
}

/// What an operation is about, in words for a commit's first line.
pub(super) fn summary(operation: &Operation, object: &str) -> String {
    match operation {
        Operation::CreateOperator(_) => format!("Create operator {object}"),
        Operation::UpdateOperator { patch, .. } if patch.spec.is_none() && patch.mno.is_none() => {
            format!("Rotate the password of {object}")
        }
        Operation::UpdateOperator { .. } => format!("Update operator {object}"),
        Operation::DeleteOperator { .. } => format!("Delete operator {object}"),
        Operation::CreateRule { operator, .. } => format!("Route +{object} to {operator}"),
        Operation::UpdateRule { operator, prefix, .. } => format!("Update the rule {prefix} of {operator}"),
        Operation::DeleteRule { operator, prefix } => format!("Take the rule {prefix} from {operator}"),
        Operation::CreateMno(_) => format!("Create carrier {object}"),
        Operation::UpdateMno { .. } => format!("Update carrier {object}"),
        Operation::DeleteMno { .. } => format!("Delete carrier {object}"),
        Operation::CreateContract { .. } => format!("Add contract {object}"),
        Operation::UpdateContract { .. } => format!("Update contract {object}"),
        Operation::DeleteContract { .. } => format!("Delete contract {object}"),
        Operation::CreateReservation { .. } => format!("Reserve throughput at {object}"),
        Operation::UpdateReservation { key, .. } => format!("Update a reservation of {}", key.tenant),
        Operation::DeleteReservation { key } => format!("Delete a reservation of {}", key.tenant),
    }
}

/// The object an operation is about, where its commit is all that is left of the call.
pub(super) fn object(operation: &Operation, message: &str) -> String {
    let named = |prefix: &str| {
        let mut lines = message.lines().map(|line| line.trim_start_matches("- "));
        lines.find_map(|line| line.strip_prefix(prefix)).unwrap_or_default().to_owned()
    };
    match operation {
        Operation::CreateOperator(NewOperator { id, .. }) => {
            id.as_ref().map_or_else(|| named("Create operator "), ToString::to_string)
        }
        Operation::CreateMno(NewMno { id, .. }) => {
            id.as_ref().map_or_else(|| named("Create carrier "), ToString::to_string)
        }
        Operation::UpdateOperator { id, .. } | Operation::DeleteOperator { id } => id.to_string(),
        Operation::CreateRule { rule, .. } => rule_id(rule),
        Operation::UpdateRule { prefix, rule, .. } => {
            if rule.get("prefix").is_some() {
                rule_id(rule)
            } else {
                prefix.digits()
            }
        }
        Operation::DeleteRule { prefix, .. } => prefix.digits(),
        Operation::UpdateMno { id, .. } | Operation::DeleteMno { id } => id.to_string(),
        Operation::CreateContract { mno, contract } => new_contract_id(mno, contract),
        Operation::UpdateContract { key, .. } | Operation::DeleteContract { key } => key.id(),
        Operation::CreateReservation { mno, .. } => mno.to_string(),
        Operation::UpdateReservation { key, .. } | Operation::DeleteReservation { key } => key.id(),
    }
}

/// A rule is known by the digits of its prefix.
fn rule_id(rule: &Value) -> String {
    rule.get("prefix").and_then(Value::as_str).unwrap_or_default().trim_start_matches('+').to_owned()
}

fn create_operator(new: &NewOperator, draft: &mut Draft<'_>, now: Timestamp) -> Result<String, Error> {
    known_mno(&new.mno, draft)?;
    let id = match &new.id {
        Some(id) if draft.retired.contains(id.as_str()) => return Err(Error::Retired(id.clone())),
        Some(id) if !draft.is_free(id) => return Err(Error::Exists(format!("operator {id}"))),
        Some(id) => id.clone(),
        None => derived_id(new, draft)?,
    };
    let object = Object::Operator(&id);
    let path = format!("{}/{id}.yaml", draft.folder_of(&Object::Mno(&new.mno)));
    let document = json!({
        "apiVersion": API_VERSION, "kind": "Operator", "metadata": {"id": id, "mno": new.mno}, "spec": new.spec,
    });
    draft.create(&object, &path, &document)?;
    if let Some(password) = &new.password {
        set_password(&id, &password.0, draft, now)?;
    }
    Ok(id.to_string())
}

/// An id from carrier and name. One that is taken, or ever was, gets the next number.
fn derived_id(new: &NewOperator, draft: &Draft<'_>) -> Result<OperatorId, Error> {
    let name = new.spec.get("displayName").and_then(Value::as_str).unwrap_or_default();
    let numbered = (1..).map(|number| slug::operator(&new.mno, name, number));
    let free = numbered.take(1_000).flatten().find(|id| draft.is_free(id));
    free.ok_or_else(|| Error::BadRequest("no id can be derived from carrier and name: give one".to_owned()))
}

fn update_operator(id: &OperatorId, patch: &OperatorPatch, draft: &mut Draft<'_>, now: Timestamp) -> Result<(), Error> {
    known_operator(id, draft)?;
    let mut merge = Map::new();
    if let Some(mno) = &patch.mno {
        known_mno(mno, draft)?;
        merge.insert("metadata".to_owned(), json!({ "mno": mno }));
    }
    if let Some(spec) = &patch.spec {
        merge.insert("spec".to_owned(), spec.clone());
    }
    if !merge.is_empty() {
        let object = Object::Operator(id);
        draft.edit(&object, |text| edit::merge(text, &object, &merge.into()))?;
    }
    match &patch.password {
        Some(password) => set_password(id, &password.0, draft, now),
        None => Ok(()),
    }
}

/// Seals a password into the file where the policy says to whom, else notes there that it was changed.
fn set_password(id: &OperatorId, password: &Secret, draft: &mut Draft<'_>, now: Timestamp) -> Result<(), Error> {
    let text = password.expose();
    if text.is_empty() || text.len() > LONGEST_PASSWORD || text.contains(char::is_control) {
        let rule = format!("password is 1 to {LONGEST_PASSWORD} octets without control characters");
        return Err(Error::BadRequest(rule));
    }
    let object = Object::Operator(id);
    let recipients = &draft.catalog.policy.secrets.recipients;
    if recipients.is_empty() {
        let rotated = json!({"spec": {"credentials": {"rotatedAt": Instant::from(now)}}});
        draft.edit(&object, |text| edit::merge(text, &object, &rotated))?;
    } else {
        let sealed = seal::seal(id, password, recipients)?;
        draft.edit(&object, |text| edit::set_sealed(text, id, &sealed))?;
    }
    draft.passwords.push(NewPassword { operator: id.clone(), password: password.clone() });
    Ok(())
}

fn create_rule(operator: &OperatorId, rule: &Value, draft: &mut Draft<'_>) -> Result<(), Error> {
    known_operator(operator, draft)?;
    let object = Object::Routes(operator);
    if draft.file_of(&object).is_some() {
        return draft.edit(&object, |text| edit::insert(text, &object, RULES, rule));
    }
    let path = format!("{}/{operator}.routes.yaml", draft.folder_of(&Object::Operator(operator)));
    let document = json!({
        "apiVersion": API_VERSION, "kind": "Routes", "metadata": {"operator": operator}, "spec": {"rules": [rule]},
    });
    draft.create(&object, &path, &document)
}

fn edit_rule(
    operator: &OperatorId,
    prefix: E164Prefix,
    draft: &mut Draft<'_>,
    edit: impl Fn(&str, &Object<'_>, edit::Member<'_>) -> Result<String, edit::Error>,
) -> Result<(), Error> {
    known_rule(operator, prefix, draft)?;
    let (object, prefix) = (Object::Routes(operator), json!(prefix));
    draft.edit(&object, |text| edit(text, &object, &[("prefix", &prefix)]))
}

fn create_mno(new: &NewMno, draft: &mut Draft<'_>) -> Result<String, Error> {
    let word = |name: &str| new.spec.get(name).and_then(Value::as_str).unwrap_or_default();
    let derived = || slug::carrier(word("country").parse().ok()?, word("name"));
    let id = new.id.clone().or_else(derived);
    let id = id.ok_or_else(|| Error::BadRequest("no id can be derived from country and name: give one".to_owned()))?;
    let object = Object::Mno(&id);
    if draft.file_of(&object).is_some() {
        return Err(Error::Exists(format!("carrier {id}")));
    }
    let document = json!({"apiVersion": API_VERSION, "kind": "Mno", "metadata": {"id": id}, "spec": new.spec});
    draft.create(&object, &format!("operators/{id}/mno.yaml"), &document)?;
    Ok(id.to_string())
}

fn delete_mno(id: &MnoId, draft: &mut Draft<'_>) -> Result<(), Error> {
    known_mno(id, draft)?;
    let left = draft
        .catalog
        .operators
        .iter()
        .filter(|(operator, of)| of.mno == *id && draft.file_of(&Object::Operator(operator)).is_some());
    let operators: Vec<&str> = left.take(5).map(|(operator, _)| operator.as_str()).collect();
    if !operators.is_empty() {
        return Err(Error::InUse { mno: id.clone(), operators: operators.join(", ") });
    }
    draft.remove(&Object::TpsContract(id))?;
    draft.remove(&Object::Mno(id))
}

/// Adds a member to a list of the carrier's `TpsContract`, which is made where there is none.
fn add(mno: &MnoId, list: &str, item: &Value, draft: &mut Draft<'_>) -> Result<(), Error> {
    known_mno(mno, draft)?;
    let object = Object::TpsContract(mno);
    if draft.file_of(&object).is_some() {
        return draft.edit(&object, |text| edit::insert(text, &object, list, item));
    }
    let mut document = json!({
        "apiVersion": API_VERSION, "kind": "TpsContract", "metadata": {"mno": mno}, "spec": {"contracts": []},
    });
    document["spec"][list.trim_start_matches("spec.")] = json!([item]);
    draft.create(&object, &format!("contracts/{mno}.yaml"), &document)
}

fn edit_contract(
    key: &ContractKey,
    draft: &mut Draft<'_>,
    edit: impl Fn(&str, &Object<'_>, edit::Member<'_>) -> Result<String, edit::Error>,
) -> Result<(), Error> {
    let known = draft.catalog.mnos.get(&key.mno).map(|mno| &mno.contracts.contracts);
    if !known.is_some_and(|contracts| contracts.iter().any(|contract| key.names(contract))) {
        return Err(Error::NotFound(format!("contract {}", key.id())));
    }
    let (direction, reference) = (json!(key.direction), json!(key.reference));
    let object = Object::TpsContract(&key.mno);
    draft.edit(&object, |text| edit(text, &object, &[("direction", &direction), ("ref", &reference)]))
}

/// Edits a reservation, whose first day is written down only where it is not that of the carrier's first contract.
fn edit_reservation(
    key: &ReservationKey,
    draft: &mut Draft<'_>,
    edit: impl Fn(&str, &Object<'_>, edit::Member<'_>) -> Result<String, edit::Error>,
) -> Result<(), Error> {
    let known = draft.catalog.mnos.get(&key.mno).map(|mno| &mno.contracts.reservations);
    if !known.is_some_and(|reservations| reservations.iter().any(|reservation| key.names(reservation))) {
        let ReservationKey { tenant, mno, direction, effective_from } = key;
        return Err(Error::NotFound(format!("reservation of {tenant} at {mno} {direction} from {effective_from}")));
    }
    let (tenant, way, from) = (json!(key.tenant), json!(key.direction), json!(key.effective_from));
    let object = Object::TpsContract(&key.mno);
    draft.edit(&object, |text| {
        let from_day = |day| edit(text, &object, &[("tenant", &tenant), ("direction", &way), ("effectiveFrom", day)]);
        match from_day(&from) {
            Err(edit::Error::NoMember { .. }) => from_day(&Value::Null),
            edited => edited,
        }
    })
}

fn known_mno(id: &MnoId, draft: &Draft<'_>) -> Result<(), Error> {
    draft.file_of(&Object::Mno(id)).map(drop).ok_or_else(|| Error::NotFound(format!("carrier {id}")))
}

fn known_operator(id: &OperatorId, draft: &Draft<'_>) -> Result<(), Error> {
    draft.file_of(&Object::Operator(id)).map(drop).ok_or_else(|| Error::NotFound(format!("operator {id}")))
}

fn known_rule(operator: &OperatorId, prefix: E164Prefix, draft: &Draft<'_>) -> Result<(), Error> {
    known_operator(operator, draft)?;
    let rules = draft.catalog.operators.get(operator).map(|operator| &operator.rules);
    let found = rules.is_some_and(|rules| rules.iter().any(|rule| rule.prefix == prefix));
    if found { Ok(()) } else { Err(Error::NotFound(format!("rule {prefix} of operator {operator}"))) }
}

fn new_contract_id(mno: &MnoId, contract: &Value) -> String {
    let word = |name: &str| contract.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{mno}:{}:{}", word("direction"), word("ref"))
}
