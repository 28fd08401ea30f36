//! A plan for people to read and for programs to take apart.

use std::fmt;

use bindery_schema::change::{Action, CredentialsChange, FieldChange, ListChange, MnoChange, OperatorChange, Updated};
use bindery_schema::contract::{Contract, Period, Reservation};
use bindery_schema::plan::Plan;
use bindery_schema::routes::{DEFAULT_WEIGHT, Rule};
use serde_json::Value;

/// Writes a plan as text: one line an object, what differs indented below it, a summary, and what holds it.
pub fn human(plan: &Plan, out: &mut impl fmt::Write) -> fmt::Result {
    if plan.is_empty() {
        return writeln!(out, "No changes.");
    }
    for change in &plan.mnos {
        mno(change, out)?;
    }
    for change in &plan.operators {
        operator(change, out)?;
    }
    summary(plan, out)?;
    if plan.holds.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nThe plan is held:")?;
    for hold in &plan.holds {
        writeln!(out, "  {}: {}", hold.guardrail, hold.message)?;
    }
    writeln!(out, "A commit with this trailer releases it:\n\n  Bindery-Allow: {}", plan.hash)
}

/// A plan as JSON: the plan itself and how many objects it touches, as `counts`.
pub fn json(plan: &Plan) -> Value {
    // Serialising a plain value into memory fails for no value of these types.
    let mut value = serde_json::to_value(plan).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        members.insert("counts".to_owned(), serde_json::to_value(plan.counts()).unwrap_or_default());
    }
    value
}

fn symbol(action: &Action) -> char {
    match action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
        Action::Rename { .. } => '>',
        Action::Restore => '^',
    }
}

fn mno(change: &MnoChange, out: &mut impl fmt::Write) -> fmt::Result {
    writeln!(out, "{} carrier {}", symbol(&change.action), change.id)?;
    fields(&change.action, &change.fields, out)?;
    members("contracts", &change.contracts, contract, out)?;
    members("reservations", &change.reservations, reservation, out)
}

fn operator(change: &OperatorChange, out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, "{} operator {} (carrier {})", symbol(&change.action), change.id, change.mno)?;
    if let Action::Rename { old_id } = &change.action {
        write!(out, ", until now {old_id}")?;
    }
    writeln!(out)?;
    fields(&change.action, &change.fields, out)?;
    members("routes", &change.routes, rule, out)?;
    match change.credentials {
        CredentialsChange::Write => writeln!(out, "    credentials: the sealed password is written"),
        CredentialsChange::Missing => writeln!(out, "    credentials: not set, and no password is sealed"),
        CredentialsChange::Delete => writeln!(out, "    credentials: deleted"),
        CredentialsChange::Keep if change.action == Action::Update && change.changed_fields().is_empty() => {
            writeln!(out, "    credentials: no longer sealed in git, the password stays as it is")
        }
        CredentialsChange::Keep => Ok(()),
    }
}

/// A new object has nothing to compare with, so only what comes is shown.
fn fields(action: &Action, changes: &[FieldChange], out: &mut impl fmt::Write) -> fmt::Result {
    for FieldChange { path, before, after } in changes {
        if *action == Action::Create {
            writeln!(out, "    {path}: {after}")?;
        } else {
            writeln!(out, "    {path}: {} -> {}", shown(before), shown(after))?;
        }
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    if value.is_null() { "absent".to_owned() } else { value.to_string() }
}

/// Writes the members of a list that differ; one that changes, before and after.
fn members<T>(
    name: &str,
    change: &ListChange<T>,
    describe: impl Fn(&T) -> (String, String),
    out: &mut impl fmt::Write,
) -> fmt::Result {
    for (symbol, list) in [('-', &change.removed), ('+', &change.added)] {
        for member in list {
            let (key, content) = describe(member);
            writeln!(out, "    {name} {symbol} {key} {content}")?;
        }
    }
    for Updated { before, after } in &change.updated {
        let (key, content) = describe(before);
        writeln!(out, "    {name} ~ {key} {content} -> {}", describe(after).1)?;
    }
    Ok(())
}

/// A rule's prefix, and the rest of it; what is as the defaults have it is left out.
fn rule(rule: &Rule) -> (String, String) {
    let content = [
        Some(format!("priority {}", rule.priority)),
        (rule.weight != DEFAULT_WEIGHT).then(|| format!("weight {}", rule.weight)),
        rule.cost.map(|cost| format!("cost {cost}")),
        (!rule.active).then(|| "inactive".to_owned()),
        rule.narrows.map(|broader| format!("narrows {broader}")),
        rule.split.as_ref().map(|split| format!("split {split}")),
    ];
    (rule.prefix.to_string(), content.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn contract(contract: &Contract) -> (String, String) {
    let terms = format!("{} TPS {} {}", contract.contracted_tps, contract.period(), contract.document);
    let fines = contract.fine_schedule.iter().map(|step| {
        let per = serde_json::to_value(step.per).unwrap_or_default();
        let per = per.as_str().unwrap_or_default().to_lowercase();
        format!("fine {} a {per} over {} %", step.fine, step.over_percent)
    });
    let content: Vec<String> = std::iter::once(terms).chain(fines).collect();
    (format!("{} {}", contract.direction, contract.reference), content.join(", "))
}

fn reservation(reservation: &Reservation) -> (String, String) {
    let period = match (reservation.effective_from, reservation.effective_to) {
        (Some(from), to) => format!(" {}", Period { from, to }),
        (None, Some(to)) => format!(" to {to}"),
        (None, None) => String::new(),
    };
    let key = format!("{} {}", reservation.direction, reservation.tenant);
    (key, format!("{} TPS{period}", reservation.reserved_tps))
}

/// One line: operators and carriers by action, rules, and the beginning of the hash.
fn summary(plan: &Plan, out: &mut impl fmt::Write) -> fmt::Result {
    let actions = || plan.operators.iter().map(|c| &c.action).chain(plan.mnos.iter().map(|c| &c.action));
    let words = ["create", "update", "rename", "restore", "delete"];
    let numbers = words.map(|word| (actions().filter(|action| action.as_str() == word).count(), word));
    let parts = numbers.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} to {word}"));
    let parts: Vec<String> = parts.collect();
    let routes = plan.counts().routes;
    let rules = if routes == 1 { "rule" } else { "rules" };
    writeln!(out, "\nPlan: {}; {routes} {rules}; hash {}", parts.join(", "), plan.hash.short())
}
