//! A plan for people to read and for programs to take apart.

use std::fmt;

use bindery_schema::change::{
    Action, Becomes, CredentialsChange, FieldChange, ListChange, MnoChange, OperatorChange, Updated,
};
use bindery_schema::contract::{Contract, Period, Reservation};
use bindery_schema::impact::Loosening;
use bindery_schema::plan::{Counts, Hold, Plan};
use bindery_schema::report::{EnvironmentReport, PlanReport, Schedule, ScheduledRename};
use bindery_schema::routes::{DEFAULT_WEIGHT, Rule};
use serde_json::Value;

use super::NoPlan;
use super::blast::{self, Table};
use super::policy::grouped;
use crate::diagnostic::Code;
use crate::diagnostic::render::shown_lines;

/// Most rows of a table that people are shown.
const ROWS: usize = 20;

/// Writes a plan as text: one line an object, what differs indented below it, a summary, and what holds it.
pub fn human(plan: &Plan, out: &mut impl fmt::Write) -> fmt::Result {
    if plan.is_empty() {
        return writeln!(out, "No changes.");
    }
    let mut text = String::new();
    objects(plan, &mut text)?;
    summary(plan, 0, &mut text)?;
    holds(plan, &mut text)?;
    out.write_str(&shown_lines(&text))
}

/// Writes a plan with its blast radius; a policy that becomes less strict is shown without any change, too.
pub fn human_report(report: &PlanReport, out: &mut impl fmt::Write) -> fmt::Result {
    let mut text = String::new();
    report_lines(report, &mut text)?;
    out.write_str(&shown_lines(&text))
}

fn report_lines(report: &PlanReport, out: &mut impl fmt::Write) -> fmt::Result {
    if report.plan.is_empty() && report.renames.is_empty() {
        let whose = if report.environments.is_empty() { "" } else { " to the base" };
        writeln!(out, "No changes{whose}.")?;
    } else {
        objects(&report.plan, out)?;
        if !report.renames.is_empty() {
            let gap = if report.plan.is_empty() { "" } else { "\n" };
            writeln!(out, "{gap}Scheduled renames:")?;
            report.renames.iter().try_for_each(|rename| writeln!(out, "  {}", scheduled(rename)))?;
        }
        for Table { title, head, rows } in blast::tables(&report.impact) {
            writeln!(out, "\n{title}, worst first:")?;
            let shown = &rows[..rows.len().min(ROWS)];
            let width = |column: usize| shown.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
            let widths: Vec<usize> = (0..head.len()).map(|column| width(column).max(head[column].len())).collect();
            aligned(head.iter().copied(), &widths, out)?;
            shown.iter().try_for_each(|row| aligned(row.iter().map(String::as_str), &widths, out))?;
            if rows.len() > shown.len() {
                writeln!(out, "  and {} more (--format json)", rows.len() - shown.len())?;
            }
        }
        let sentences = blast::sentences(report);
        if !sentences.is_empty() {
            writeln!(out, "\nBlast radius:")?;
            sentences.iter().try_for_each(|sentence| writeln!(out, "  {sentence}"))?;
        }
        summary(&report.plan, report.renames.len(), out)?;
    }
    if !report.environments.is_empty() {
        writeln!(out, "\nWhere an environment differs from the base:")?;
        report.environments.iter().try_for_each(|one| writeln!(out, "  {}", environment(one)))?;
    }
    loosened(&report.loosened, out)?;
    holds(&report.plan, out)?;
    report.environments.iter().try_for_each(|one| {
        held(&format!("The plan for environment {} is held", one.name), &one.holds, one.trailer.as_deref(), out)
    })
}

/// Says why there is no plan, and what is known all the same.
pub fn no_plan(NoPlan { reason, loosened: list }: &NoPlan, out: &mut impl fmt::Write) -> fmt::Result {
    writeln!(out, "no plan: {reason}")?;
    let mut text = String::new();
    loosened(list, &mut text)?;
    out.write_str(&shown_lines(&text))
}

fn loosened(list: &[Loosening], out: &mut impl fmt::Write) -> fmt::Result {
    if list.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nThe policy becomes less strict:")?;
    grouped(list).iter().try_for_each(|item| {
        writeln!(out, "  {}: {} ({})", item.path, item.message.replace(char::is_control, " "), applies(item))
    })
}

/// From when on a policy is less strict.
pub(super) fn applies(item: &Loosening) -> &'static str {
    if item.effective { "applies to this change" } else { "applies from the next change on" }
}

/// One line: which operator gets which id when, and what was said of that before.
pub(super) fn scheduled(rename: &ScheduledRename) -> String {
    let ScheduledRename { old_id, new_id, before, after, .. } = rename;
    match (before, after) {
        (before, Some(Schedule { effective_at, drain_seconds })) => {
            let earlier = match before {
                Some(old) if old.effective_at != *effective_at => format!(" instead of {}", old.effective_at),
                Some(old) => format!(", drained for {drain_seconds} instead of {} seconds", old.drain_seconds),
                None => String::new(),
            };
            format!("operator {old_id} becomes {new_id} at {effective_at}{earlier}")
        }
        (Some(Schedule { effective_at, .. }), None) => {
            format!("operator {old_id} does not become {new_id} at {effective_at} any more")
        }
        (None, None) => format!("operator {old_id} keeps its id"),
    }
}

/// One line: what happens to operators of an environment beyond what happens to the base, and where to see it.
pub(super) fn environment(report: &EnvironmentReport) -> String {
    let EnvironmentReport { name, counts, unchanged, .. } = report;
    let Counts { created, updated, deleted, restored, renamed, .. } = *counts;
    let actions = [
        (created, "created"),
        (updated, "updated"),
        (renamed, "renamed"),
        (restored, "restored"),
        (deleted, "deleted"),
    ];
    let mut parts: Vec<String> = actions
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, done)| format!("{} {done}", blast::counted(*number, "operator")))
        .collect();
    if *unchanged > 0 {
        let verb = if *unchanged == 1 { "stays" } else { "stay" };
        parts.push(format!("{} of the base's plan {verb} unchanged", blast::counted(*unchanged, "operator")));
    }
    format!("environment {name}: {}; bindery plan --env {name} shows it", parts.join(", "))
}

fn aligned<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize], out: &mut impl fmt::Write) -> fmt::Result {
    let line: Vec<String> = cells.zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    writeln!(out, "  {}", line.join("  ").trim_end())
}

/// Every change, carriers first.
fn objects(plan: &Plan, out: &mut impl fmt::Write) -> fmt::Result {
    plan.mnos.iter().try_for_each(|change| mno(change, out))?;
    plan.operators.iter().try_for_each(|change| operator(change, out))
}

/// Every change, for a reader who may see the beginning only: operators that go or bind elsewhere, carriers that go with
/// all that was reserved of them, then the rest.
pub(super) fn worst_first(plan: &Plan, out: &mut impl fmt::Write) -> fmt::Result {
    let deletes = |action: &Action| *action == Action::Delete;
    let mut mnos: Vec<&MnoChange> = plan.mnos.iter().collect();
    mnos.sort_by_key(|change| !deletes(&change.action));
    let mut operators: Vec<&OperatorChange> = plan.operators.iter().collect();
    operators.sort_by_key(|change| (!deletes(&change.action), !change.moves_endpoint()));
    let severe = operators.partition_point(|change| deletes(&change.action) || change.moves_endpoint());
    operators[..severe].iter().try_for_each(|change| operator(change, out))?;
    mnos.iter().try_for_each(|change| mno(change, out))?;
    operators[severe..].iter().try_for_each(|change| operator(change, out))
}

fn holds(plan: &Plan, out: &mut impl fmt::Write) -> fmt::Result {
    held("The plan is held", &plan.holds, plan.trailer().as_deref(), out)
}

fn held(title: &str, holds: &[Hold], trailer: Option<&str>, out: &mut impl fmt::Write) -> fmt::Result {
    let Some(trailer) = trailer else { return Ok(()) };
    writeln!(out, "\n{title} ({}):", Code::PlanHeld)?;
    for hold in holds {
        writeln!(out, "  {}: {}", hold.guardrail, hold.message)?;
    }
    writeln!(out, "A commit with this trailer releases it:\n\n  {trailer}")
}

/// A plan's report as JSON; `schema/json/plan.json` describes it.
pub fn json(report: &PlanReport) -> Value {
    // Serialising a plain value into memory fails for no value of these types.
    serde_json::to_value(report).unwrap_or_default()
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
    if let Some(Becomes { id, effective_at }) = &change.becomes {
        write!(out, ", {id} from {effective_at} on")?;
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

/// One line: operators and carriers by action, renames that are scheduled otherwise, rules, and the beginning of the hash
/// where it identifies something.
fn summary(plan: &Plan, scheduled: usize, out: &mut impl fmt::Write) -> fmt::Result {
    let hash = if plan.is_guarded() { format!("; hash {}", plan.hash.short()) } else { String::new() };
    writeln!(out, "\nPlan: {}{hash}", counts(plan, scheduled))
}

/// Operators and carriers by action, renames that are scheduled otherwise, and rules.
pub(super) fn counts(plan: &Plan, scheduled: usize) -> String {
    let actions = || plan.operators.iter().map(|c| &c.action).chain(plan.mnos.iter().map(|c| &c.action));
    let words = ["create", "update", "rename", "restore", "delete"];
    let numbers = words.map(|word| (actions().filter(|action| action.as_str() == word).count(), word));
    let parts = numbers.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} to {word}"));
    let later = (scheduled > 0).then(|| blast::counted(scheduled, "scheduled rename"));
    let parts: Vec<String> = parts.chain(later).collect();
    format!("{}; {}", parts.join(", "), blast::counted(plan.counts().routes, "rule"))
}
