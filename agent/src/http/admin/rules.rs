//! `/v1/admin/operators/{id}/routing-rules[/{ruleId}]`. A rule is known by the digits of its prefix, which stands once in
//! an operator.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bindery_schema::routes::Rule;
use bindery_schema::value::{E164Prefix, OperatorId};
use bindery_schema::wire::admin::{AdminRule, Operation};
use bindery_schema::wire::api::Page;
use bindery_schema::wire::patch::Patch;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::PgTransaction;

use super::body::Body;
use super::call::{Answer, Call, make};
use super::operators::known;
use crate::http::error::{Code, Problem};
use crate::http::openapi::parameters::{OPERATOR, PREFIX, RULE};
use crate::http::page::{PageQuery, named};
use crate::http::params::Params;
use crate::http::permissions::Permission;
use crate::http::route::Route;
use crate::shared::Shared;
use crate::store::postgres::{read, rules, sync_state};
use crate::write::tag;

const TAG: &str = "routing-rules";
/// Digits of the longest number (E.164).
const LONGEST_PREFIX: usize = 15;

pub(super) fn routes() -> Vec<Route<Shared>> {
    let list_path = "/v1/admin/operators/{id}/routing-rules";
    let path = "/v1/admin/operators/{id}/routing-rules/{rule}";
    vec![
        Route::get(list_path, list)
            .named(TAG, "listRules", "Rules of an operator by prefix")
            .needs(Permission::ReadOperators)
            .takes(&[OPERATOR, PREFIX])
            .lists::<AdminRule>()
            .fails(&[Code::OperatorNotFound]),
        Route::post(list_path, create)
            .named(TAG, "createRule", "Route a prefix to an operator")
            .needs(Permission::WriteOperators)
            .takes(&[OPERATOR])
            .body::<Rule>(json!({
                "prefix": "+25470", "priority": 10, "weight": 100, "cost": { "amount": "0.0042", "currency": "EUR" },
            }))
            .creates::<AdminRule>()
            .fails(&[Code::OperatorNotFound]),
        Route::get(path, read)
            .named(TAG, "getRule", "One rule")
            .needs(Permission::ReadOperators)
            .takes(&[OPERATOR, RULE])
            .answers::<AdminRule>(200, "The rule.")
            .tagged()
            .fails(&[Code::OperatorNotFound, Code::ObjectNotFound]),
        Route::patch(path, update)
            .named(TAG, "updateRule", "Change a rule")
            .needs(Permission::WriteOperators)
            .takes(&[OPERATOR, RULE])
            .body::<Patch<Rule>>(json!({ "priority": 20 }))
            .updates::<AdminRule>()
            .fails(&[Code::OperatorNotFound, Code::ObjectNotFound]),
        Route::delete(path, delete)
            .named(TAG, "deleteRule", "Take a rule out")
            .needs(Permission::WriteOperators)
            .takes(&[OPERATOR, RULE])
            .deletes()
            .fails(&[Code::OperatorNotFound, Code::ObjectNotFound]),
    ]
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    /// What prefixes begin with, such as `+93` or `93`.
    prefix: Option<String>,
}

/// A page of an operator's rules by prefix; `?prefix=` for those within one.
pub(super) async fn list(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Params(page): Params<PageQuery>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<AdminRule>>, Problem> {
    let (operator, limit) = (known(&id)?, page.limit()?);
    let within = filter.prefix.unwrap_or_default();
    // A plus sign stands for a space in an address.
    let within = within.strip_prefix(['+', ' ']).unwrap_or(&within).to_owned();
    if within.len() > LONGEST_PREFIX || !within.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::new(Code::BadRequest).detail("prefix is digits, with or without a plus sign before them"));
    }
    // One more than asked for tells whether there is a next page.
    let selection = rules::Selection { after: page.after()?, within, limit: i64::from(limit) + 1 };
    let (mut snapshot, generation) = of(&shared, &operator).await?;
    let rules = rules::page(&mut snapshot, &operator, &selection).await?;
    snapshot.commit().await?;
    let items = rules.into_iter().map(|rule| view(&operator, rule, generation)).collect();
    Ok(Json(named(items, limit, |rule: &AdminRule| &rule.id)))
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
    Body(rule): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let operator = known(&id)?;
    let operation = Operation::CreateRule { operator: operator.clone(), rule: rule.into() };
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
    Body(patch): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let (operator, prefix) = (known(&id)?, prefix(&rule)?);
    let operation = Operation::UpdateRule { operator: operator.clone(), prefix, rule: patch.into() };
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
    let prefix = prefix(id)?;
    let (mut snapshot, generation) = of(shared, operator).await?;
    let rule = rules::one(&mut snapshot, operator, prefix).await?;
    snapshot.commit().await?;
    let missing = || Problem::new(Code::ObjectNotFound).detail(format!("operator {operator} has no such rule"));
    let rule = view(operator, rule.ok_or_else(missing)?, generation);
    let tag = tag::of(&rule.rule);
    Ok(Answer::of(status, &rule).tagged(tag))
}

/// One state of the tables, with the number of its step, in which an operator exists.
async fn of(shared: &Shared, operator: &OperatorId) -> Result<(PgTransaction<'static>, i64), Problem> {
    let mut snapshot = read::snapshot(&shared.stores.postgres).await?;
    let generation = sync_state::read(&mut snapshot).await?.generation;
    let row = read::operator(&mut snapshot, operator).await?.filter(|row| row.deleted_at.is_none());
    row.map(|_| (snapshot, generation)).ok_or_else(|| Problem::no_operator(operator.as_str()))
}

fn view(operator: &OperatorId, rule: Rule, generation: i64) -> AdminRule {
    AdminRule { id: rule.prefix.digits(), operator: operator.clone(), rule, generation }
}
