//! `GET /v1/internal/operators/{id}/credentials`: the only place a password leaves the agent.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::OperatorCredentials;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

use super::Internal;
use crate::http::error::{Code, Problem};
use crate::http::identity::Client;
use crate::metrics::Outcome;
use crate::shared::Shared;
use crate::store::postgres::{read, sync_state};

/// The operator and its password. Each request leaves a line in the log and a count, never the password.
pub(super) async fn read(
    State(internal): State<Internal>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
) -> Result<Json<OperatorCredentials>, Problem> {
    let span = info_span!("credentials.read", bindery.operator.id = Empty, bindery.outcome = Empty);
    let answer = find(&internal.shared, &id).instrument(span.clone()).await;
    let outcome = match &answer {
        Ok(_) => "ok",
        Err(problem) => match problem.code() {
            Code::OperatorNotFound => "not_found",
            Code::CredentialsNotSet => "not_set",
            _ => "unavailable",
        },
    };
    span.record("bindery.outcome", outcome);
    internal.shared.metrics.credentials_requests.get_or_create(&Outcome { outcome }).inc();
    // Debug form, and no more than an id is long: what a caller writes may be anything.
    let operator: String = id.chars().take(63).collect();
    tracing::info!(%client, ?operator, outcome, "credentials were asked for");
    answer.map(Json)
}

async fn find(shared: &Shared, id: &str) -> Result<OperatorCredentials, Problem> {
    let operator: OperatorId = id.parse().map_err(|_| Problem::no_operator(id))?;
    Span::current().record("bindery.operator.id", operator.as_str());
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let step = sync_state::read(&mut snapshot).await?;
    let row = read::operator(&mut snapshot, &operator).await?.filter(|row| row.deleted_at.is_none());
    // Given back before Vault is asked: a slow Vault must not hold a connection to Postgres.
    snapshot.commit().await?;
    let row = row.ok_or_else(|| Problem::no_operator(id))?;
    let stored = shared.stores.vault.read_credentials(&operator).await?;
    let stored = stored.ok_or_else(|| Problem::new(Code::CredentialsNotSet))?;
    Ok(OperatorCredentials {
        operator_id: row.id,
        mno_id: row.mno,
        smpp: row.spec.smpp,
        password: stored.password,
        version: stored.version,
        generation: step.generation,
    })
}
