//! `ops.operators`.

use std::collections::BTreeMap;

use bindery_schema::catalog::Operator;
use bindery_schema::live::{LiveOperator, OperatorDetail};
use bindery_schema::operator::OperatorSpec;
use bindery_schema::value::{MnoId, OperatorId};
use serde_json::Value;
use sqlx::PgConnection;

use super::{Error, json_of, name_of, parse, rules};

const TABLE: &str = "ops.operators";

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

/// The carrier and the spec of every operator that exists, by id.
pub async fn all(connection: &mut PgConnection) -> Result<Vec<(OperatorId, MnoId, OperatorSpec)>, Error> {
    let rows: Vec<(String, String, Value)> =
        sqlx::query_as("select id, mno_id, spec from ops.operators where deleted_at is null order by id")
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

/// Writes operators as a plan wants them; tombstones among them come back to life.
pub async fn upsert(
    connection: &mut PgConnection,
    rows: &[(&OperatorId, &Operator)],
    commit: &str,
) -> Result<(), Error> {
    fn column<T>(rows: &[(&OperatorId, &Operator)], value: impl Fn(&Operator) -> T) -> Vec<T> {
        rows.iter().map(|(_, operator)| value(operator)).collect()
    }
    sqlx::query(
        "insert into ops.operators (id, mno_id, display_name, status, host, port, system_id, bind_mode, tps_outbound,
             tps_inbound, spec, spec_hash, routes_hash, credentials_hash, source_path, source_commit)
         select *, $16 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[],
             $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::jsonb[], $12::text[], $13::text[], $14::text[],
             $15::text[])
         on conflict (id) do update set mno_id = excluded.mno_id, display_name = excluded.display_name,
             status = excluded.status, host = excluded.host, port = excluded.port, system_id = excluded.system_id,
             bind_mode = excluded.bind_mode, tps_outbound = excluded.tps_outbound, tps_inbound = excluded.tps_inbound,
             spec = excluded.spec, spec_hash = excluded.spec_hash, routes_hash = excluded.routes_hash,
             credentials_hash = excluded.credentials_hash, source_path = excluded.source_path,
             source_commit = excluded.source_commit, updated_at = now(), deleted_at = null",
    )
    .bind(rows.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())
    .bind(column(rows, |o| o.mno.to_string()))
    .bind(column(rows, |o| o.spec.display_name.to_string()))
    .bind(column(rows, |o| name_of(o.spec.status)))
    .bind(column(rows, |o| o.spec.smpp.host.to_string()))
    .bind(column(rows, |o| i32::from(o.spec.smpp.port)))
    .bind(column(rows, |o| o.spec.smpp.system_id.to_string()))
    .bind(column(rows, |o| name_of(o.spec.smpp.bind_mode)))
    .bind(column(rows, |o| i64::from(o.spec.tps.outbound)))
    .bind(column(rows, |o| i64::from(o.spec.tps.inbound)))
    .bind(column(rows, |o| json_of(o.spec.without_sealed())))
    .bind(column(rows, |o| o.spec_hash.to_string()))
    .bind(column(rows, |o| o.routes_hash.to_string()))
    .bind(column(rows, |o| o.credentials_hash.map(|hash| hash.to_string())))
    .bind(column(rows, |o| o.source.to_string()))
    .bind(commit)
    .execute(connection)
    .await?;
    Ok(())
}

fn spec_of(id: &str, spec: Value) -> Result<OperatorSpec, Error> {
    serde_json::from_value(spec)
        .map_err(|error| Error::Corrupt { table: TABLE, reason: format!("the spec of {id}: {error}") })
}
