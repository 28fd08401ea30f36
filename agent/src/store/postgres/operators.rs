//! `ops.operators`.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::catalog::Operator;
use bindery_schema::live::{LiveOperator, OperatorDetail};
use bindery_schema::operator::OperatorSpec;
use bindery_schema::value::{MnoId, OperatorId};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Error, parse, rules};

const TABLE: &str = "ops.operators";
/// Rows sent at a time: a few megabytes.
const ROWS: usize = 1_000;

/// Every operator's hashes, tombstones included.
pub async fn observe(connection: &mut PgConnection) -> Result<BTreeMap<OperatorId, LiveOperator>, Error> {
    let rows: Vec<(String, String, String, String, Option<String>, bool)> = sqlx::query_as(
        "select id, mno_id, spec_hash, routes_hash, credentials_hash, deleted_at is not null from ops.operators",
    )
    .fetch_all(connection)
    .await?;
    let mut live = BTreeMap::new();
    for (id, mno, spec_hash, routes_hash, credentials_hash, deleted) in rows {
        let operator = LiveOperator {
            mno: parse(TABLE, &mno)?,
            spec_hash: parse(TABLE, &spec_hash)?,
            routes_hash: parse(TABLE, &routes_hash)?,
            credentials_hash: credentials_hash.map(|hash| parse(TABLE, &hash)).transpose()?,
            deleted,
            detail: None,
        };
        live.insert(parse(TABLE, &id)?, operator);
    }
    Ok(live)
}

/// The content of some operators with their rules, tombstones included.
pub async fn details(
    connection: &mut PgConnection,
    ids: &[OperatorId],
) -> Result<BTreeMap<OperatorId, OperatorDetail>, Error> {
    let names: Vec<&str> = ids.iter().map(OperatorId::as_str).collect();
    let rows: Vec<(String, Value)> = sqlx::query_as("select id, spec from ops.operators where id = any($1)")
        .bind(&names)
        .fetch_all(&mut *connection)
        .await?;
    let mut rules = rules::of(connection, &names).await?;
    let mut details = BTreeMap::new();
    for (id, spec) in rows {
        let spec = spec_of(&id, spec)?;
        let id: OperatorId = parse(TABLE, &id)?;
        let rules = rules.remove(&id).unwrap_or_default().into();
        details.insert(id, OperatorDetail { spec, rules });
    }
    Ok(details)
}

/// The carrier and the spec of every operator that exists, of some carriers or of all, by id.
pub async fn specs(
    connection: &mut PgConnection,
    mnos: Option<&[&str]>,
) -> Result<Vec<(OperatorId, MnoId, OperatorSpec)>, Error> {
    let rows: Vec<(String, String, Value)> = sqlx::query_as(
        "select id, mno_id, spec from ops.operators
         where deleted_at is null and ($1::text[] is null or mno_id = any($1)) order by id",
    )
    .bind(mnos)
    .fetch_all(connection)
    .await?;
    let read =
        |(id, mno, spec): (String, String, Value)| Ok((parse(TABLE, &id)?, parse(TABLE, &mno)?, spec_of(&id, spec)?));
    rows.into_iter().map(read).collect()
}

/// Gives an operator another id; its rules follow.
pub async fn rename(connection: &mut PgConnection, old: &OperatorId, new: &OperatorId) -> Result<(), Error> {
    sqlx::query("update ops.operators set id = $2 where id = $1")
        .bind(old.as_str())
        .bind(new.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Ids of tombstones.
pub async fn retired(connection: &mut PgConnection) -> Result<BTreeSet<String>, Error> {
    let ids: Vec<String> =
        sqlx::query_scalar("select id from ops.operators where deleted_at is not null").fetch_all(connection).await?;
    Ok(ids.into_iter().collect())
}

/// Makes operators tombstones. Their password is about to be deleted, so its hash no longer says anything.
pub async fn delete(connection: &mut PgConnection, ids: &[&str], commit: &str) -> Result<(), Error> {
    sqlx::query(
        "update ops.operators set deleted_at = now(), updated_at = now(), status = 'INACTIVE', source_commit = $2,
             credentials_hash = null
         where id = any($1)",
    )
    .bind(ids)
    .bind(commit)
    .execute(connection)
    .await?;
    Ok(())
}

/// The row git wants for an operator: every column but those that tell when it changed and by which commit. Writing
/// and looking for drift both begin here, so that they cannot disagree.
pub fn row(id: &OperatorId, operator: &Operator) -> Value {
    let Operator { mno, spec, spec_hash, routes_hash, credentials_hash, source, .. } = operator;
    json!({
        "id": id,
        "mno_id": mno,
        "display_name": spec.display_name,
        "status": spec.status,
        "host": spec.smpp.host,
        "port": spec.smpp.port,
        "system_id": spec.smpp.system_id,
        "bind_mode": spec.smpp.bind_mode,
        "tps_outbound": spec.tps.outbound,
        "tps_inbound": spec.tps.inbound,
        "spec": spec.without_sealed(),
        "spec_hash": spec_hash,
        "routes_hash": routes_hash,
        "credentials_hash": credentials_hash,
        "source_path": source,
    })
}

/// Writes operators as a plan wants them; tombstones among them come back to life.
pub async fn upsert(
    connection: &mut PgConnection,
    rows: &[(&OperatorId, &Operator)],
    commit: &str,
) -> Result<(), Error> {
    for part in rows.chunks(ROWS) {
        let part: Vec<Value> = part.iter().map(|(id, operator)| row(id, operator)).collect();
        sqlx::query(
            "insert into ops.operators (id, mno_id, display_name, status, host, port, system_id, bind_mode,
                 tps_outbound, tps_inbound, spec, spec_hash, routes_hash, credentials_hash, source_path, source_commit)
             select id, mno_id, display_name, status, host, port, system_id, bind_mode, tps_outbound, tps_inbound, spec,
                 spec_hash, routes_hash, credentials_hash, source_path, $2
             from jsonb_populate_recordset(null::ops.operators, $1)
             on conflict (id) do update set mno_id = excluded.mno_id, display_name = excluded.display_name,
                 status = excluded.status, host = excluded.host, port = excluded.port,
                 system_id = excluded.system_id, bind_mode = excluded.bind_mode,
                 tps_outbound = excluded.tps_outbound, tps_inbound = excluded.tps_inbound, spec = excluded.spec,
                 spec_hash = excluded.spec_hash, routes_hash = excluded.routes_hash,
                 credentials_hash = excluded.credentials_hash, source_path = excluded.source_path,
                 source_commit = excluded.source_commit, updated_at = now(), deleted_at = null",
        )
        .bind(Value::Array(part))
        .bind(commit)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

fn spec_of(id: &str, spec: Value) -> Result<OperatorSpec, Error> {
    serde_json::from_value(spec)
        .map_err(|error| Error::Corrupt { table: TABLE, reason: format!("the spec of {id}: {error}") })
}
