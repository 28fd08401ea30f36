//! A trace as a colleague would tell it.

use std::fmt;

use bindery_schema::contract::Direction;
use bindery_schema::operator::Status;
use bindery_schema::value::Day;
use jiff::Timestamp;

use super::{ContractState, InForce, OperatorState, Reason, Rejected, Route, Trace};

/// Writes a trace: where the number goes, the rules in the order they were looked at, and the state of what serves it.
pub fn human(trace: &Trace<'_>, at: Timestamp, out: &mut impl fmt::Write) -> fmt::Result {
    headline(trace, at, out)?;
    let operators = trace.routes.iter().map(|route| route.operator).chain(trace.rejected.iter().map(|r| r.operator));
    let width = operators.map(|id| id.as_str().len()).max().unwrap_or(0);
    // One column for all prefixes of the answer; a prefix is its digits and a `+`.
    let prefixes = trace.routes.iter().map(|route| route.prefix).chain(trace.rejected.iter().map(|r| r.prefix));
    let longest = prefixes.map(|prefix| prefix.len() + 1).max().unwrap_or(0);
    let total: u32 = trace.routes.iter().map(|route| u32::from(route.weight)).sum();
    if width > 0 {
        writeln!(out)?;
    }
    for route in &trace.routes {
        let Route { operator, prefix, priority, weight } = route;
        let (operator, prefix) = (operator.as_str(), prefix.to_string());
        write!(out, "  serves   {prefix:longest$}  {operator:width$}  priority {priority}")?;
        if trace.routes.len() > 1 {
            let percent = f64::from(*weight) * 100.0 / f64::from(total);
            write!(out, ", {percent:.1} % of the traffic (weight {weight} of {total})")?;
        }
        writeln!(out)?;
    }
    for rejected in &trace.rejected {
        let (operator, prefix) = (rejected.operator.as_str(), rejected.prefix.to_string());
        writeln!(out, "  loses    {prefix:longest$}  {operator:width$}  {}", why(rejected, trace))?;
    }
    if !trace.operators.is_empty() {
        writeln!(out)?;
    }
    for state in &trace.operators {
        operator(state, at, out)?;
    }
    for state in &trace.contracts {
        contract(state, out)?;
    }
    Ok(())
}

fn headline(trace: &Trace<'_>, at: Timestamp, out: &mut impl fmt::Write) -> fmt::Result {
    let country = trace.country.map(|country| format!(" ({country})")).unwrap_or_default();
    write!(out, "{}{country} ", trace.number)?;
    match &*trace.routes {
        [] if trace.rejected.is_empty() => write!(out, "is served by nobody: no rule matches it")?,
        [] if trace.rejected.iter().any(|rejected| rejected.reason == Reason::NoWeight) => {
            write!(out, "is served by nobody: what wins has weight 0 and takes no traffic")?;
        }
        [] => write!(out, "is served by nobody: every rule that matches is switched off")?,
        [route] => write!(out, "goes to {}", route.operator)?,
        routes => write!(out, "is shared by {} operators", routes.len())?,
    }
    writeln!(out, ", at {at:.0}")
}

fn why(rejected: &Rejected<'_>, trace: &Trace<'_>) -> String {
    let Rejected { operator, priority, .. } = rejected;
    match rejected.reason {
        Reason::OperatorInactive => format!("{operator} is INACTIVE"),
        Reason::RuleInactive => "the rule is inactive".to_owned(),
        Reason::ShorterPrefix => match trace.routes.first() {
            Some(route) => format!("a shorter prefix than {}", route.prefix),
            None => "a shorter prefix than the one that wins".to_owned(),
        },
        Reason::HigherPriority => match trace.routes.first() {
            Some(route) => format!("priority {priority} comes after {}: it takes over when that fails", route.priority),
            None => format!("priority {priority} comes after the one that wins"),
        },
        Reason::NoWeight => format!("priority {priority} with weight 0 takes no traffic"),
    }
}

fn operator(state: &OperatorState<'_>, at: Timestamp, out: &mut impl fmt::Write) -> fmt::Result {
    let OperatorState { operator, mno, status, tps, rename } = state;
    let status = match status {
        Status::Active => "ACTIVE",
        Status::Inactive => "INACTIVE",
    };
    let outbound = tps.of(Direction::Outbound);
    write!(out, "  operator {operator} of carrier {mno} is {status}, {outbound} messages a second outbound")?;
    if let Some(rename) = rename {
        if at < rename.effective_at.timestamp() {
            write!(out, "; it becomes {} at {}", rename.new_id, rename.effective_at)?;
        } else {
            write!(out, "; it was {} until {}", rename.old_id, rename.effective_at)?;
        }
    }
    writeln!(out)
}

fn contract(state: &ContractState<'_>, out: &mut impl fmt::Write) -> fmt::Result {
    let mno = state.mno;
    let (Some(reference), Some(tps), Some(from)) = (state.reference, state.contracted_tps, state.effective_from) else {
        return writeln!(out, "  carrier {mno} has no outbound contract");
    };
    let end = |to: Option<Day>| to.map_or_else(|| "without end".to_owned(), |to| format!("until {to}"));
    match state.state {
        InForce::InForce => writeln!(
            out,
            "  contract {reference} is in force from {from} {}, {tps} messages a second outbound",
            end(state.effective_to)
        ),
        InForce::NotYet => writeln!(out, "  no outbound contract of {mno} is in force: {reference} begins on {from}"),
        InForce::Ended | InForce::None => {
            writeln!(out, "  no outbound contract of {mno} is in force: {reference} ran {}", end(state.effective_to))
        }
    }
}
