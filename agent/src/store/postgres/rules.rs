//! `ops.routing_rules` and `ops.routing_changes`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bindery_schema::change::ListChange;
use bindery_schema::routes::Rule;
use bindery_schema::value::{Cost, E164Prefix, OperatorId};
use sqlx::PgConnection;

use super::{Error, parse};
use crate::failpoint::{self, Point};

const TABLE: &str = "ops.routing_rules";
/// The first step. Nobody knows a step before it, so its changes are asked for by nobody; noting them takes as long as
/// the rules themselves.
const FIRST: i64 = 1;
/// Bytes sent to the server at a time while copying.
const CHUNK: usize = 256 * 1024;

type Row = (String, String, i32, i32, Option<String>, Option<String>, bool, Option<String>, Option<String>);

/// The rules of some operators in prefix order.
pub async fn of(connection: &mut PgConnection, ids: &[&str]) -> Result<BTreeMap<OperatorId, Vec<Rule>>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        r#"select operator_id, prefix, priority, weight, cost::text, currency, active, narrows, split
           from ops.routing_rules where operator_id = any($1) order by operator_id, prefix collate "C""#,
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let mut rules: BTreeMap<OperatorId, Vec<Rule>> = BTreeMap::new();
    for row in rows {
        let (operator, rule) = rule(row)?;
        rules.entry(operator).or_default().push(rule);
    }
    Ok(rules)
}

/// Which of an operator's rules a page holds.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Prefixes after these digits.
    pub after: String,
    /// Prefixes that begin with these digits only.
    pub within: String,
    /// At most so many.
    pub limit: i64,
}

/// A page of an operator's rules in prefix order.
pub async fn page(connection: &mut PgConnection, id: &OperatorId, page: &Selection) -> Result<Vec<Rule>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        r#"select operator_id, prefix, priority, weight, cost::text, currency, active, narrows, split
           from ops.routing_rules
           where operator_id = $1 and prefix collate "C" > $2 and starts_with(prefix, $3)
           order by prefix collate "C" limit $4"#,
    )
    .bind(id.as_str())
    .bind(&page.after)
    .bind(&page.within)
    .bind(page.limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| rule(row).map(|(_, rule)| rule)).collect()
}

/// One rule of an operator.
pub async fn one(connection: &mut PgConnection, id: &OperatorId, prefix: E164Prefix) -> Result<Option<Rule>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select operator_id, prefix, priority, weight, cost::text, currency, active, narrows, split
         from ops.routing_rules where operator_id = $1 and prefix = $2",
    )
    .bind(id.as_str())
    .bind(prefix.digits())
    .fetch_optional(connection)
    .await?;
    row.map(|row| rule(row).map(|(_, rule)| rule)).transpose()
}

fn rule(
    (operator, prefix, priority, weight, cost, currency, active, narrows, split): Row,
) -> Result<(OperatorId, Rule), Error> {
    let rule = Rule {
        prefix: digits(&prefix)?,
        priority: number(priority)?,
        weight: number(weight)?,
        cost: match (cost, currency) {
            (Some(amount), Some(currency)) => {
                Some(Cost { amount: parse(TABLE, &amount)?, currency: parse(TABLE, &currency)? })
            }
            _ => None,
        },
        active,
        narrows: narrows.map(|prefix| digits(&prefix)).transpose()?,
        split: split.map(|name| parse(TABLE, &name)).transpose()?,
    };
    Ok((parse(TABLE, &operator)?, rule))
}

/// Carries out the rule changes of a step and, but for the first step, notes each for the change feed. They are copied
/// into a temporary table and merged, which is as good for one rule and many times faster for a million.
pub async fn merge(
    connection: &mut PgConnection,
    changes: &[(&OperatorId, &ListChange<Rule>)],
    generation: i64,
) -> Result<(), Error> {
    if changes.iter().all(|(_, change)| change.is_empty()) {
        return Ok(());
    }
    sqlx::query(
        "create temporary table routing_delta (operator_id text, prefix text, priority integer, weight integer,
             cost numeric, currency text, active boolean, narrows text, split text, change text) on commit drop",
    )
    .execute(&mut *connection)
    .await?;
    let mut copy = connection.copy_in_raw("copy routing_delta from stdin").await?;
    let mut buffer = String::new();
    for (operator, change) in changes {
        let added = change.added.iter().map(|rule| (rule, "added"));
        let updated = change.updated.iter().map(|updated| (&updated.after, "updated"));
        let removed = change.removed.iter().map(|rule| (rule, "removed"));
        for (rule, kind) in added.chain(updated).chain(removed) {
            let _ = write!(buffer, "{operator}\t");
            fields(&mut buffer, rule);
            let _ = writeln!(buffer, "\t{kind}");
            if buffer.len() >= CHUNK {
                copy.send(std::mem::take(&mut buffer).into_bytes()).await?;
            }
        }
    }
    copy.send(buffer.into_bytes()).await?;
    failpoint::reach(Point::Copying).await;
    copy.finish().await?;
    sqlx::query("analyze routing_delta").execute(&mut *connection).await?;
    if changes.iter().any(|(_, change)| !change.removed.is_empty()) {
        sqlx::query(
            "delete from ops.routing_rules r using routing_delta d
             where d.change = 'removed' and r.operator_id = d.operator_id and r.prefix = d.prefix",
        )
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query(
        "insert into ops.routing_rules
             (operator_id, prefix, priority, weight, cost, currency, active, narrows, split)
         select operator_id, prefix, priority, weight, cost, currency, active, narrows, split
         from routing_delta where change <> 'removed'
         on conflict (operator_id, prefix) do update set priority = excluded.priority, weight = excluded.weight,
             cost = excluded.cost, currency = excluded.currency, active = excluded.active,
             narrows = excluded.narrows, split = excluded.split",
    )
    .execute(&mut *connection)
    .await?;
    if generation <= FIRST {
        return Ok(());
    }
    sqlx::query(
        "insert into ops.routing_changes (generation, operator_id, prefix, change)
         select $1, operator_id, prefix, change from routing_delta",
    )
    .bind(generation)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes every rule of some operators and notes each for the change feed.
pub async fn remove_all(connection: &mut PgConnection, ids: &[&str], generation: i64) -> Result<(), Error> {
    sqlx::query(
        "with gone as (delete from ops.routing_rules where operator_id = any($1) returning operator_id, prefix)
         insert into ops.routing_changes (generation, operator_id, prefix, change)
         select $2, operator_id, prefix, 'removed' from gone",
    )
    .bind(ids)
    .bind(generation)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes for the change feed that an operator's rules go, before it is renamed.
pub async fn note_leaving(connection: &mut PgConnection, old: &OperatorId, generation: i64) -> Result<(), Error> {
    note_all(connection, old, "removed", generation).await
}

/// Notes for the change feed that an operator's rules come, after it was renamed and its rules were merged.
pub async fn note_arriving(connection: &mut PgConnection, new: &OperatorId, generation: i64) -> Result<(), Error> {
    sqlx::query("delete from ops.routing_changes where operator_id = $1 and generation = $2")
        .bind(new.as_str())
        .bind(generation)
        .execute(&mut *connection)
        .await?;
    note_all(connection, new, "added", generation).await
}

/// Notes for the change feed that all rules of some operators begin or cease to take part, after they were merged. What
/// the step notes of a rule already says enough: the feed is read together with the rules as they are.
pub async fn note_switched(connection: &mut PgConnection, ids: &[&str], generation: i64) -> Result<(), Error> {
    if ids.is_empty() || generation <= FIRST {
        return Ok(());
    }
    sqlx::query(
        "insert into ops.routing_changes (generation, operator_id, prefix, change)
         select $2, operator_id, prefix, 'updated' from ops.routing_rules where operator_id = any($1)
         on conflict do nothing",
    )
    .bind(ids)
    .bind(generation)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes one change for every rule an operator has now.
async fn note_all(
    connection: &mut PgConnection,
    operator: &OperatorId,
    change: &str,
    generation: i64,
) -> Result<(), Error> {
    sqlx::query(
        "insert into ops.routing_changes (generation, operator_id, prefix, change)
         select $2, operator_id, prefix, $3 from ops.routing_rules where operator_id = $1",
    )
    .bind(operator.as_str())
    .bind(generation)
    .bind(change)
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns of a rule after its operator, as [`fields`] and [`super::full`] order them.
pub const COLUMNS: [&str; 8] = ["prefix", "priority", "weight", "cost", "currency", "active", "narrows", "split"];

/// A rule's columns in COPY's text format. Only a name can hold a character that needs escaping there.
pub fn fields(out: &mut String, rule: &Rule) {
    const NULL: &str = "\\N";
    let narrows = rule.narrows.map_or_else(|| NULL.to_owned(), E164Prefix::digits);
    let split = rule.split.as_ref().map_or_else(|| NULL.to_owned(), |name| name.as_str().replace('\\', "\\\\"));
    let (amount, currency) = rule.cost.map_or_else(
        || (NULL.to_owned(), NULL.to_owned()),
        |cost| (cost.amount.to_string(), cost.currency.to_string()),
    );
    let Rule { prefix, priority, weight, active, .. } = rule;
    // Writing into a string does not fail.
    let _ =
        write!(out, "{}\t{priority}\t{weight}\t{amount}\t{currency}\t{active}\t{narrows}\t{split}", prefix.digits());
}

fn digits(text: &str) -> Result<E164Prefix, Error> {
    E164Prefix::from_digits(text).ok_or_else(|| Error::Corrupt { table: TABLE, reason: format!("prefix `{text}`") })
}

fn number(value: i32) -> Result<u16, Error> {
    u16::try_from(value)
        .map_err(|_| Error::Corrupt { table: TABLE, reason: format!("{value} is no priority or weight") })
}
