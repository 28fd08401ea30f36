//! `ops.mnos`, `ops.tps_contracts` and `routing.tenant_preferences`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery_schema::catalog::Mno;
use bindery_schema::change::{Action, MnoChange};
use bindery_schema::contract::{Contract, Direction, Reservation, TpsContractSpec};
use bindery_schema::live::{LiveMno, MnoDetail};
use bindery_schema::value::MnoId;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Error, parse};

const MNOS: &str = "ops.mnos";
const CONTRACTS: &str = "ops.tps_contracts";
const RESERVATIONS: &str = "routing.tenant_preferences";

/// Carrier, direction, reference, messages a second, first day, day after the last, document, fines.
type ContractRow = (String, String, String, i64, String, Option<String>, String, Value);

/// Every carrier's hashes, tombstones included.
pub async fn observe(connection: &mut PgConnection) -> Result<BTreeMap<MnoId, LiveMno>, Error> {
    let rows: Vec<(String, String, String, bool)> =
        sqlx::query_as("select id, spec_hash, contracts_hash, deleted_at is not null from ops.mnos")
            .fetch_all(connection)
            .await?;
    let live = |(id, spec_hash, contracts_hash, deleted): (String, String, String, bool)| {
        let spec_hash = parse(MNOS, &spec_hash)?;
        let contracts_hash = parse(MNOS, &contracts_hash)?;
        Ok((parse(MNOS, &id)?, LiveMno { spec_hash, contracts_hash, deleted, detail: None }))
    };
    rows.into_iter().map(live).collect()
}

/// The content of some carriers, tombstones included.
pub async fn details(connection: &mut PgConnection, ids: &[MnoId]) -> Result<BTreeMap<MnoId, MnoDetail>, Error> {
    let ids: Vec<&str> = ids.iter().map(MnoId::as_str).collect();
    let rows: Vec<(String, Value)> = sqlx::query_as("select id, spec from ops.mnos where id = any($1)")
        .bind(&ids)
        .fetch_all(&mut *connection)
        .await?;
    let mut contracts = contracts_of(connection, Some(&ids)).await?;
    let detail = |(id, spec): (String, Value)| {
        let spec = serde_json::from_value(spec)
            .map_err(|error| Error::Corrupt { table: MNOS, reason: format!("the spec of {id}: {error}") })?;
        let id: MnoId = parse(MNOS, &id)?;
        let contracts = Arc::new(contracts.remove(&id).unwrap_or_default());
        Ok((id, MnoDetail { spec: Arc::new(spec), contracts }))
    };
    rows.into_iter().map(detail).collect()
}

/// Whether a carrier exists and is not deleted.
pub async fn exists(connection: &mut PgConnection, id: &MnoId) -> Result<bool, Error> {
    let query = sqlx::query_scalar("select exists (select from ops.mnos where id = $1 and deleted_at is null)");
    Ok(query.bind(id.as_str()).fetch_one(connection).await?)
}

/// The contracts and reservations of some carriers, or of all; those without any are left out.
pub async fn contracts_of(
    connection: &mut PgConnection,
    ids: Option<&[&str]>,
) -> Result<BTreeMap<MnoId, TpsContractSpec>, Error> {
    let mut found: BTreeMap<MnoId, TpsContractSpec> = BTreeMap::new();
    let rows: Vec<ContractRow> = sqlx::query_as(
        "select mno_id, bind_direction, contract_ref, contracted_tps, effective_from::text, effective_to::text,
                document, fine_schedule
         from ops.tps_contracts where $1::text[] is null or mno_id = any($1)
         order by mno_id, bind_direction desc, effective_from",
    )
    .bind(ids)
    .fetch_all(&mut *connection)
    .await?;
    for (mno, direction, reference, tps, from, to, document, fines) in rows {
        let contract = Contract {
            reference: parse(CONTRACTS, &reference)?,
            direction: direction_of(CONTRACTS, &direction)?,
            contracted_tps: count(CONTRACTS, tps)?,
            effective_from: parse(CONTRACTS, &from)?,
            effective_to: to.map(|to| parse(CONTRACTS, &to)).transpose()?,
            document: parse(CONTRACTS, &document)?,
            fine_schedule: serde_json::from_value(fines)
                .map_err(|error| Error::Corrupt { table: CONTRACTS, reason: format!("fines of {mno}: {error}") })?,
        };
        found.entry(parse(CONTRACTS, &mno)?).or_default().contracts.push(contract);
    }
    let rows: Vec<(String, String, String, i64, String, Option<String>)> = sqlx::query_as(
        "select mno_id, tenant_id, bind_direction, reserved_tps, effective_from::text, effective_to::text
         from routing.tenant_preferences where $1::text[] is null or mno_id = any($1)
         order by mno_id, tenant_id, bind_direction desc, effective_from",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    for (mno, tenant, direction, tps, from, to) in rows {
        let reservation = Reservation {
            tenant: parse(RESERVATIONS, &tenant)?,
            direction: direction_of(RESERVATIONS, &direction)?,
            reserved_tps: count(RESERVATIONS, tps)?,
            effective_from: Some(parse(RESERVATIONS, &from)?),
            effective_to: to.map(|to| parse(RESERVATIONS, &to)).transpose()?,
        };
        found.entry(parse(RESERVATIONS, &mno)?).or_default().reservations.push(reservation);
    }
    Ok(found)
}

/// Writes carriers as a plan wants them. Contracts are written anew with their carrier: there are few of them.
pub async fn write(connection: &mut PgConnection, changes: &[MnoChange], commit: &str) -> Result<(), Error> {
    let kept: Vec<(&MnoId, &Mno)> =
        changes.iter().filter_map(|change| change.desired.as_ref().map(|mno| (&change.id, mno))).collect();
    let gone: Vec<&str> =
        changes.iter().filter(|change| change.action == Action::Delete).map(|change| change.id.as_str()).collect();
    let touched: Vec<&str> = changes.iter().map(|change| change.id.as_str()).collect();

    sqlx::query("delete from ops.tps_contracts where mno_id = any($1)")
        .bind(&touched)
        .execute(&mut *connection)
        .await?;
    sqlx::query("delete from routing.tenant_preferences where mno_id = any($1)")
        .bind(&touched)
        .execute(&mut *connection)
        .await?;
    sqlx::query("update ops.mnos set deleted_at = now(), updated_at = now(), source_commit = $2 where id = any($1)")
        .bind(&gone)
        .bind(commit)
        .execute(&mut *connection)
        .await?;
    upsert(connection, &kept, commit).await?;
    insert_contracts(connection, &kept).await?;
    insert_reservations(connection, &kept).await
}

/// The row git wants for a carrier: every column but those that tell when it changed and by which commit.
pub fn row(id: &MnoId, mno: &Mno) -> Value {
    json!({
        "id": id,
        "name": mno.spec.name,
        "country": mno.spec.country,
        "spec": *mno.spec,
        "spec_hash": mno.spec_hash,
        "contracts_hash": mno.contracts_hash,
        "source_path": mno.source,
    })
}

/// The row git wants for a contract. Whether it is over depends on the day it was written and is left out.
pub fn contract_row(mno: &MnoId, contract: &Contract) -> Value {
    json!({
        "mno_id": mno,
        "bind_direction": contract.direction,
        "contract_ref": contract.reference,
        "contracted_tps": contract.contracted_tps,
        "effective_from": contract.effective_from,
        "effective_to": contract.effective_to,
        "document": contract.document,
        "fine_schedule": contract.fine_schedule,
    })
}

/// The row git wants for a reservation.
pub fn reservation_row(mno: &MnoId, reservation: &Reservation) -> Value {
    json!({
        "mno_id": mno,
        "tenant_id": reservation.tenant,
        "bind_direction": reservation.direction,
        "reserved_tps": reservation.reserved_tps,
        // The catalog has resolved every first day; the epoch stands for one it could not.
        "effective_from": reservation.effective_from.map_or_else(|| "1970-01-01".to_owned(), |day| day.to_string()),
        "effective_to": reservation.effective_to,
    })
}

async fn upsert(connection: &mut PgConnection, kept: &[(&MnoId, &Mno)], commit: &str) -> Result<(), Error> {
    sqlx::query(
        "insert into ops.mnos (id, name, country, spec, spec_hash, contracts_hash, source_path, source_commit)
         select id, name, country, spec, spec_hash, contracts_hash, source_path, $2
         from jsonb_populate_recordset(null::ops.mnos, $1)
         on conflict (id) do update set name = excluded.name, country = excluded.country, spec = excluded.spec,
             spec_hash = excluded.spec_hash, contracts_hash = excluded.contracts_hash,
             source_path = excluded.source_path, source_commit = excluded.source_commit,
             updated_at = now(), deleted_at = null",
    )
    .bind(kept.iter().map(|(id, mno)| row(id, mno)).collect::<Value>())
    .bind(commit)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_contracts(connection: &mut PgConnection, kept: &[(&MnoId, &Mno)]) -> Result<(), Error> {
    let rows = kept.iter().flat_map(|(id, mno)| mno.contracts.contracts.iter().map(|c| contract_row(id, c)));
    sqlx::query(
        "insert into ops.tps_contracts
             (mno_id, bind_direction, contract_ref, contracted_tps, effective_from, effective_to, document, fine_schedule,
              ended)
         select mno_id, bind_direction, contract_ref, contracted_tps, effective_from, effective_to, document,
             fine_schedule, coalesce(effective_to <= (now() at time zone 'utc')::date, false)
         from jsonb_populate_recordset(null::ops.tps_contracts, $1)",
    )
    .bind(rows.collect::<Value>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_reservations(connection: &mut PgConnection, kept: &[(&MnoId, &Mno)]) -> Result<(), Error> {
    let rows = kept.iter().flat_map(|(id, mno)| mno.contracts.reservations.iter().map(|r| reservation_row(id, r)));
    sqlx::query(
        "insert into routing.tenant_preferences
             (mno_id, tenant_id, bind_direction, reserved_tps, effective_from, effective_to)
         select mno_id, tenant_id, bind_direction, reserved_tps, effective_from, effective_to
         from jsonb_populate_recordset(null::routing.tenant_preferences, $1)",
    )
    .bind(rows.collect::<Value>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Ids of the carriers that exist.
pub async fn ids(connection: &mut PgConnection) -> Result<Vec<MnoId>, Error> {
    let ids: Vec<String> = sqlx::query_scalar("select id from ops.mnos where deleted_at is null order by id")
        .fetch_all(connection)
        .await?;
    ids.iter().map(|id| parse(MNOS, id)).collect()
}

/// Ids of the carriers that exist, in this country and with this text in id or name where these are given.
pub async fn matching(
    connection: &mut PgConnection,
    country: Option<&str>,
    text: Option<&str>,
) -> Result<Vec<MnoId>, Error> {
    let ids: Vec<String> = sqlx::query_scalar(
        r"select id from ops.mnos
          where deleted_at is null and ($1::text is null or country = $1)
              and ($2::text is null or position(lower($2) in lower(concat_ws(E'\n', id, name))) > 0)",
    )
    .bind(country)
    .bind(text)
    .fetch_all(connection)
    .await?;
    ids.iter().map(|id| parse(MNOS, id)).collect()
}

fn direction_of(table: &'static str, text: &str) -> Result<Direction, Error> {
    let found = Direction::ALL.into_iter().find(|direction| direction.as_str() == text);
    found.ok_or_else(|| Error::Corrupt { table, reason: format!("direction `{text}`") })
}

fn count(table: &'static str, tps: i64) -> Result<u32, Error> {
    u32::try_from(tps).map_err(|_| Error::Corrupt { table, reason: format!("{tps} messages a second") })
}
