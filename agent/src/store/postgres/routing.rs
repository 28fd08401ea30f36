//! The routing table and its change feed, as clients of the internal API read them.

use std::collections::HashMap;

use bindery_schema::value::{Amount, Cost, Currency, E164Prefix, OperatorId};
use bindery_schema::wire::api::RouteRow;
use bindery_schema::wire::routing::{PackedRoute, RouteChange, RouteTerms};
use futures::stream::{Stream, StreamExt as _};
use sqlx::PgConnection;

use super::{Error, parse};

const RULES: &str = "ops.routing_rules";

/// The rules that take part in routing, as `r`: active ones of ACTIVE operators.
macro_rules! in_use {
    () => {
        "ops.routing_rules r join ops.operators o on o.id = r.operator_id
           where r.active and o.status = 'ACTIVE' and o.deleted_at is null"
    };
}

type Raw = (String, String, i32, i32, Option<String>, Option<String>);

/// Active rules of ACTIVE operators by prefix, priority and operator, row by row: there may be millions.
pub fn table(connection: &mut PgConnection) -> impl Stream<Item = Result<RouteRow, Error>> + '_ {
    let rows = sqlx::query_as::<_, Raw>(concat!(
        "select r.prefix, r.operator_id, r.priority, r.weight, r.cost::text, r.currency from ",
        in_use!(),
        r#" order by r.prefix collate "C", r.priority, r.operator_id collate "C""#
    ))
    .fetch(connection);
    rows.map(|row| {
        let (prefix, operator, priority, weight, amount, currency) = row?;
        let malformed = || Error::Corrupt { table: RULES, reason: format!("the rule of {operator} for {prefix}") };
        let RouteTerms { priority, weight, cost } =
            terms(priority, weight, amount.as_deref(), currency.as_deref()).ok_or_else(malformed)?;
        let prefix = E164Prefix::from_digits(&prefix).ok_or_else(malformed)?;
        Ok(RouteRow { prefix, operator: parse(RULES, &operator)?, priority, weight, cost })
    })
}

/// The same rows in no order, with operators and costs kept once.
#[derive(Debug, Default)]
pub struct Rows {
    /// Operators in the order in which they came.
    pub operators: Vec<OperatorId>,
    /// Costs, likewise.
    pub costs: Vec<Cost>,
    /// Prefixes with their routes.
    pub rows: Vec<(E164Prefix, PackedRoute)>,
}

/// Reads all rows by COPY and without an order: the quickest way to have them all.
pub async fn rows(connection: &mut PgConnection) -> Result<Rows, Error> {
    let statement = concat!(
        "copy (select r.prefix, r.operator_id, r.priority, r.weight, r.cost, r.currency from ",
        in_use!(),
        ") to stdout"
    );
    let mut gathered = Gathered::default();
    let mut pieces = connection.copy_out_raw(statement).await?;
    // A line may be cut anywhere between two pieces.
    let mut rest: Vec<u8> = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        let lines = if rest.is_empty() {
            &*piece
        } else {
            rest.extend_from_slice(&piece);
            &*rest
        };
        let end = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for line in lines[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            gathered.line(line)?;
        }
        rest = lines[end..].to_vec();
    }
    Ok(gathered.rows)
}

#[derive(Default)]
struct Gathered {
    rows: Rows,
    operators: HashMap<String, u32>,
    costs: HashMap<String, u32>,
}

impl Gathered {
    /// Takes a line of COPY's text format. None of these columns has a character that is escaped there.
    fn line(&mut self, line: &[u8]) -> Result<(), Error> {
        let text = std::str::from_utf8(line).unwrap_or_default();
        let row = self.row(text).ok_or_else(|| Error::Corrupt { table: RULES, reason: format!("`{text}`") })?;
        self.rows.rows.push(row);
        Ok(())
    }

    fn row(&mut self, text: &str) -> Option<(E164Prefix, PackedRoute)> {
        let (prefix, rest) = text.split_once('\t')?;
        let (operator, rest) = rest.split_once('\t')?;
        let (priority, rest) = rest.split_once('\t')?;
        let (weight, cost) = rest.split_once('\t')?;
        let operator = self.operator(operator)?;
        let cost = if cost.contains("\\N") { 0 } else { self.cost(cost)? };
        let route = PackedRoute { priority: priority.parse().ok()?, operator, weight: weight.parse().ok()?, cost };
        Some((E164Prefix::from_digits(prefix)?, route))
    }

    fn operator(&mut self, id: &str) -> Option<u32> {
        if let Some(place) = self.operators.get(id) {
            return Some(*place);
        }
        let place = u32::try_from(self.rows.operators.len()).ok()?;
        self.rows.operators.push(id.parse().ok()?);
        self.operators.insert(id.to_owned(), place);
        Some(place)
    }

    fn cost(&mut self, text: &str) -> Option<u32> {
        if let Some(place) = self.costs.get(text) {
            return Some(*place);
        }
        let (amount, currency) = text.split_once('\t')?;
        self.rows.costs.push(Cost { amount: amount.parse().ok()?, currency: currency.parse().ok()? });
        // Places count from 1.
        let place = u32::try_from(self.rows.costs.len()).ok()?;
        self.costs.insert(text.to_owned(), place);
        Some(place)
    }
}

/// From which step on the change feed is complete.
pub async fn changes_from(connection: &mut PgConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select changes_from from ops.sync_state").fetch_one(connection).await?)
}

/// What is now true of every operator and prefix that changed after a step, by prefix and operator; at most `limit`.
pub async fn changes(connection: &mut PgConnection, since: i64, limit: i64) -> Result<Vec<RouteChange>, Error> {
    type Raw = (String, String, Option<i32>, Option<i32>, Option<String>, Option<String>);
    let rows: Vec<Raw> = sqlx::query_as(concat!(
        "with touched as (
               select distinct operator_id, prefix from ops.routing_changes where generation > $1 limit $2)
           select t.prefix, t.operator_id, r.priority, r.weight, r.cost::text, r.currency
           from touched t left join (select r.* from ",
        in_use!(),
        r#") r on r.operator_id = t.operator_id and r.prefix = t.prefix
           order by t.prefix collate "C", t.operator_id collate "C""#
    ))
    .bind(since)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let change = |(prefix, operator, priority, weight, amount, currency): Raw| {
        let malformed = || Error::Corrupt { table: RULES, reason: format!("the rule of {operator} for {prefix}") };
        let route = match (priority, weight) {
            (Some(priority), Some(weight)) => {
                Some(terms(priority, weight, amount.as_deref(), currency.as_deref()).ok_or_else(malformed)?)
            }
            _ => None,
        };
        let prefix = E164Prefix::from_digits(&prefix).ok_or_else(malformed)?;
        Ok(RouteChange { prefix, operator: parse(RULES, &operator)?, route })
    };
    rows.into_iter().map(change).collect()
}

fn terms(priority: i32, weight: i32, amount: Option<&str>, currency: Option<&str>) -> Option<RouteTerms> {
    let cost = match (amount, currency) {
        (Some(amount), Some(currency)) => {
            let (amount, currency): (Amount, Currency) = (amount.parse().ok()?, currency.parse().ok()?);
            Some(Cost { amount, currency })
        }
        _ => None,
    };
    Some(RouteTerms { priority: priority.try_into().ok()?, weight: weight.try_into().ok()?, cost })
}

/// Which of some operators take traffic.
pub async fn taking_traffic(connection: &mut PgConnection, ids: &[&str]) -> Result<Vec<String>, Error> {
    let sql = "select id from ops.operators where id = any($1) and status = 'ACTIVE' and deleted_at is null";
    Ok(sqlx::query_scalar(sql).bind(ids).fetch_all(connection).await?)
}
