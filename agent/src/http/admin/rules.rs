//! `/v1/admin/operators/{id}/routing-rules[/{ruleId}]`. A rule is known by the digits of its prefix, which stands once in
//! an operator.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bindery_schema::routes::Rule;
use bindery_schema::value::{E164Prefix, OperatorId};
use bindery_schema::wire::admin::{AdminRule, Operation};
use bindery_schema::wire::api::Page;
use serde_json::Value;

use super::body::Body;
use super::call::{Answer, Call, make};
use super::operators::known;
use crate::http::error::{Code, Problem};
use crate::http::page::{PageQuery, named};
use crate::shared::Shared;
use crate::store::postgres::{read, rules, sync_state};
use crate::write::tag;

/// A page of an operator's rules by prefix.
pub(super) async fn list(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AdminRule>>, Problem> {
    let limit = page.limit()?;
    let after = page.after()?;
    let items = all(&shared, &known(&id)?).await?.into_iter().filter(|rule| *rule.id > *after).collect();
    Ok(Json(named(items, limit, |rule| &rule.id)))
}

/// One rule.
pub(super) async fn read(
    State(shared): State<Shared>,
    Path((id, rule)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(one(&shared, &known(&id)?, &rule, StatusCode::OK).await?.into_response())
}

/// Adds a rule.
pub(super) async fn create(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    Body(rule): Body<Value>,
) -> Result<Response, Problem> {
    let operator = known(&id)?;
    let operation = Operation::CreateRule { operator: operator.clone(), rule };
    make(shared, call, operation, async move |shared, committed| {
        let rule = committed.objects.first().cloned().unwrap_or_default();
        let location = format!("/v1/admin/operators/{operator}/routing-rules/{rule}");
        Ok(one(&shared, &operator, &rule, StatusCode::CREATED).await?.at(location))
    })
    .await
}

/// Changes a rule.
pub(super) async fn update(
    State(shared): State<Shared>,
    Path((id, rule)): Path<(String, String)>,
    call: Call,
    Body(patch): Body<Value>,
) -> Result<Response, Problem> {
    let (operator, prefix) = (known(&id)?, prefix(&rule)?);
    let operation = Operation::UpdateRule { operator: operator.clone(), prefix, rule: patch };
    make(shared, call, operation, async move |shared, committed| {
        let rule = committed.objects.first().cloned().unwrap_or_default();
        one(&shared, &operator, &rule, StatusCode::OK).await
    })
    .await
}

/// Takes a rule out.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Path((id, rule)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let operation = Operation::DeleteRule { operator: known(&id)?, prefix: prefix(&rule)? };
    make(shared, call, operation, async |_, _| Ok(Answer::no_content())).await
}

fn prefix(id: &str) -> Result<E164Prefix, Problem> {
    let missing = || Problem::new(Code::ObjectNotFound).detail("a rule's id is the digits of its prefix");
    E164Prefix::from_digits(id).ok_or_else(missing)
}

async fn one(shared: &Shared, operator: &OperatorId, id: &str, status: StatusCode) -> Result<Answer, Problem> {
    let rules = all(shared, operator).await?;
    let missing = || Problem::new(Code::ObjectNotFound).detail(format!("operator {operator} has no such rule"));
    let rule = rules.into_iter().find(|rule| rule.id == id).ok_or_else(missing)?;
    let tag = tag::of(&rule.rule);
    Ok(Answer::of(status, &rule).tagged(tag))
}

async fn all(shared: &Shared, operator: &OperatorId) -> Result<Vec<AdminRule>, Problem> {
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let generation = sync_state::read(&mut snapshot).await?.generation;
    let row = read::operator(&mut snapshot, operator).await?.filter(|row| row.deleted_at.is_none());
    row.ok_or_else(|| Problem::no_operator(operator.as_str()))?;
    let rules = rules::of(&mut snapshot, &[operator.as_str()]).await?.remove(operator).unwrap_or_default();
    snapshot.commit().await?;
    let view = |rule: Rule| AdminRule { id: rule.prefix.digits(), operator: operator.clone(), rule, generation };
    Ok(rules.into_iter().map(view).collect())
}
