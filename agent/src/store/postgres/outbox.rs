//! `ops.outbox`: events that are owed.

use bindery_schema::wire::event::CloudEvent;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Error, json_of};
use crate::telemetry::Trace;

/// An event not yet known to be published.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Its place in the order.
    pub seq: i64,
    /// Its id.
    pub id: Uuid,
    /// Its type.
    pub event_type: String,
    /// The whole event in its envelope.
    pub payload: Value,
    /// What it came of.
    pub trace: Trace,
    /// Its age in seconds.
    pub age: f64,
}

/// Adds events in their order, each with what it came of.
pub async fn append(connection: &mut PgConnection, events: &[(CloudEvent, Trace)]) -> Result<(), Error> {
    let id = |event: &CloudEvent| event.id.parse::<Uuid>().unwrap_or_else(|_| Uuid::now_v7());
    let (traces, events): (Vec<_>, Vec<_>) = events.iter().map(|(event, trace)| (trace, event)).unzip();
    sqlx::query(
        "insert into ops.outbox (id, subject, object_id, payload, traceparent, tracestate)
         select i, s, o, p, t, u
         from unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::text[]) with ordinality
             as e (i, s, o, p, t, u, n) order by n",
    )
    .bind(events.iter().map(|event| id(event)).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.subject.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(json_of).collect::<Vec<_>>())
    .bind(traces.iter().map(|trace| trace.parent()).collect::<Vec<_>>())
    .bind(traces.iter().map(|trace| trace.state()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// A row as it is read.
type Row = (i64, Uuid, String, Value, f64, Option<String>, Option<String>);

/// The oldest events that are owed.
pub async fn pending(pool: &PgPool, limit: i64) -> Result<Vec<Pending>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select seq, id, subject, payload, extract(epoch from now() - created_at)::float8, traceparent, tracestate
         from ops.outbox where published_at is null order by seq limit $1",
    )
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let read = |(seq, id, event_type, payload, age, parent, state): Row| {
        let trace = Trace::new(parent, state);
        Pending { seq, id, event_type, payload, trace, age }
    };
    Ok(rows.into_iter().map(read).collect())
}

/// How many events are owed.
pub async fn count(pool: &PgPool) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select count(*) from ops.outbox where published_at is null").fetch_one(pool).await?)
}

/// Marks events as published.
pub async fn mark_published(pool: &PgPool, seqs: &[i64]) -> Result<(), Error> {
    sqlx::query("update ops.outbox set published_at = now() where seq = any($1) and published_at is null")
        .bind(seqs)
        .execute(pool)
        .await?;
    Ok(())
}
