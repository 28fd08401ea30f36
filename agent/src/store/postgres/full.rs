//! Every row of the configuration tables as it stands, whether or not bindery could have written it.
//!
//! Columns that tell when a row changed and by which commit are left out: they are history, and git does not know them.
//! Rules come in COPY's text form, a million of them in a second or two; the other tables are small and come as JSON.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};

use super::Error;

/// Rows by the name of their object, such as `operator/af-roshan-1`; a row by column.
pub type Rows = BTreeMap<String, Map<String, Value>>;

/// The configuration tables.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Carriers, operators, contracts and reservations, tombstones included.
    pub rows: Rows,
    /// Rules of each operator: lines as [`super::rules::fields`] writes them, in no order.
    pub rules: BTreeMap<String, Vec<String>>,
}

/// The name of the object a row is, and the row, of each table.
const ROWS: [(&str, &str); 4] = [
    ("'mno/' || t.id", "ops.mnos"),
    ("'operator/' || t.id", "ops.operators"),
    ("concat_ws('/', 'contract', t.mno_id, t.bind_direction, t.contract_ref)", "ops.tps_contracts"),
    (
        "concat_ws('/', 'reservation', t.mno_id, t.tenant_id, t.bind_direction, t.effective_from)",
        "routing.tenant_preferences",
    ),
];

/// Reads all of them. The caller's transaction is what makes them one state.
pub async fn read(connection: &mut PgConnection) -> Result<Tables, Error> {
    let mut tables = Tables::default();
    for (name, table) in ROWS {
        let sql =
            format!("select {name}, to_jsonb(t) - array['source_commit', 'created_at', 'updated_at'] from {table} t");
        let rows: Vec<(String, Json<Map<String, Value>>)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
        tables.rows.extend(rows.into_iter().map(|(name, row)| (name, row.0)));
    }
    let mut copied = connection
        .copy_out_raw(
            "copy (select operator_id, prefix, priority, weight, trim_scale(cost), currency, active::text, narrows, split
                   from ops.routing_rules) to stdout",
        )
        .await?;
    // A piece may end in the middle of a line.
    let mut rest = Vec::new();
    while let Some(piece) = copied.try_next().await? {
        rest.extend_from_slice(&piece);
        let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { continue };
        let text = String::from_utf8_lossy(&rest[..end]);
        for (operator, rule) in text.split('\n').filter_map(|line| line.split_once('\t')) {
            match tables.rules.get_mut(operator) {
                Some(rules) => rules.push(rule.to_owned()),
                None => drop(tables.rules.insert(operator.to_owned(), vec![rule.to_owned()])),
            }
        }
        rest.drain(..=end);
    }
    Ok(tables)
}
