//! A route: what serves it and what the document says of it, declared together, so that neither lacks the other.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};
use bindery_schema::report::PlanReport;
use bindery_schema::wire::admin::Committed;
use bindery_schema::wire::api::Page;
use schemars::JsonSchema;
use serde_json::Value;

use super::error::Code;
use super::openapi::endpoint::{Access, Answer, Body, Endpoint, JSON, Parameter, of};
use super::openapi::parameters::{CURSOR, DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH, LIMIT};
use super::permissions::Permission;

/// How a merge patch is sent; plain JSON is understood as one too.
const PATCH: &[&str] = &["application/merge-patch+json", JSON];
/// What any change may come to.
const OF_CHANGES: &[Code] = &[
    Code::ValidationFailed,
    Code::DuplicateOperator,
    Code::PrefixConflict,
    Code::ContractOverlap,
    Code::DocumentNotFound,
    Code::ReservationExceedsContract,
    Code::TpsExceedsContract,
    Code::PreconditionFailed,
    Code::IdempotencyKeyReused,
    Code::RequestInProgress,
    Code::BranchBroken,
    Code::PlanHeld,
    Code::LayoutNotEditable,
    Code::SyncPaused,
    Code::VaultUnavailable,
    Code::RepositoryUnavailable,
];

/// A method of a path, with what serves it.
pub(super) struct Route<S> {
    /// What is said of it.
    pub(super) endpoint: Endpoint,
    serve: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    fn new(method: Method, path: &'static str, serve: MethodRouter<S>) -> Self {
        let endpoint = Endpoint {
            method,
            path,
            id: "",
            summary: "",
            tag: "",
            access: Access::Open,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
        };
        Self { endpoint, serve }
    }

    /// Reads.
    pub(super) fn get<T: 'static>(path: &'static str, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::GET, path, routing::get(handler))
    }

    /// Creates, or has something done.
    pub(super) fn post<T: 'static>(path: &'static str, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::POST, path, routing::post(handler))
    }

    /// Changes.
    pub(super) fn patch<T: 'static>(path: &'static str, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::PATCH, path, routing::patch(handler))
    }

    /// Deletes, or ends.
    pub(super) fn delete<T: 'static>(path: &'static str, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::DELETE, path, routing::delete(handler))
    }

    /// What it belongs to, what clients call it, and one line for people.
    pub(super) fn named(mut self, tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        (self.endpoint.tag, self.endpoint.id, self.endpoint.summary) = (tag, id, summary);
        self
    }

    /// Open to whoever has a permission.
    pub(super) fn needs(self, permission: Permission) -> Self {
        self.open_to(Access::Token(permission))
    }

    /// Open to some.
    pub(super) fn open_to(mut self, access: Access) -> Self {
        self.endpoint.access = access;
        self
    }

    /// Parameters.
    pub(super) fn takes(mut self, parameters: &[Parameter]) -> Self {
        self.endpoint.parameters.extend_from_slice(parameters);
        self
    }

    /// A body, and one that is accepted.
    pub(super) fn body<T: JsonSchema>(mut self, example: Value) -> Self {
        let media = if self.endpoint.method == Method::PATCH { PATCH } else { &[JSON] };
        self.endpoint.body = Some(Body { media, schema: of::<T>(), required: true, example });
        self
    }

    /// The same, where the body may be left out.
    pub(super) fn optional_body<T: JsonSchema>(self, example: Value) -> Self {
        let mut route = self.body::<T>(example);
        route.endpoint.body.iter_mut().for_each(|body| body.required = false);
        route
    }

    /// An answer in JSON.
    pub(super) fn answers<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.answers_with(Answer { status, description, content: Some((JSON, vec![of::<T>()])), headers: Vec::new() })
    }

    /// An answer without a body.
    pub(super) fn answers_nothing(self, status: u16, description: &'static str) -> Self {
        self.answers_with(Answer { status, description, content: None, headers: Vec::new() })
    }

    /// Any answer.
    pub(super) fn answers_with(mut self, answer: Answer) -> Self {
        self.endpoint.answers.push(answer);
        self
    }

    /// The answers that were named so far have the object's entity tag.
    pub(super) fn tagged(mut self) -> Self {
        self.endpoint.answers.iter_mut().for_each(|answer| answer.headers.push("ETag"));
        self
    }

    /// Codes of its own.
    pub(super) fn fails(mut self, codes: &[Code]) -> Self {
        self.endpoint.codes.extend_from_slice(codes);
        self
    }

    /// A page of a list.
    pub(super) fn lists<T: JsonSchema>(self) -> Self {
        self.takes(&[LIMIT, CURSOR]).answers::<Page<T>>(200, "A page.")
    }

    /// A change that creates an object.
    pub(super) fn creates<T: JsonSchema>(self) -> Self {
        let headers = vec!["ETag", "Location"];
        let content = Some((JSON, vec![of::<T>()]));
        self.answers_with(Answer { status: 201, description: "It was created and is applied.", content, headers })
            .answers::<PlanReport>(200, "The plan, for `dryRun=true`.")
            .changes()
    }

    /// A change of an object.
    pub(super) fn updates<T: JsonSchema>(self) -> Self {
        let content = Some((JSON, vec![of::<T>(), of::<PlanReport>()]));
        let description = "It was changed and the change is applied; the plan, for `dryRun=true`.";
        self.answers_with(Answer { status: 200, description, content, headers: vec!["ETag"] })
            .takes(&[IF_MATCH])
            .changes()
    }

    /// A change that deletes an object.
    pub(super) fn deletes(self) -> Self {
        self.answers_nothing(204, "It was deleted and that is applied.")
            .answers::<PlanReport>(200, "The plan, for `dryRun=true`.")
            .takes(&[IF_MATCH])
            .changes()
    }

    /// What every change of the configuration has in common.
    pub(super) fn changes(self) -> Self {
        let later = "It is committed and will be applied; `GET /v1/admin/sync` tells when.";
        self.takes(&[DRY_RUN, IDEMPOTENCY_KEY]).answers::<Committed>(202, later).fails(OF_CHANGES)
    }

    /// The same route behind a guard.
    pub(super) fn behind(mut self, guard: impl FnOnce(&Endpoint, MethodRouter<S>) -> MethodRouter<S>) -> Self {
        self.serve = guard(&self.endpoint, self.serve);
        self
    }
}

/// What serves routes.
pub(super) fn router<S: Clone + Send + Sync + 'static>(routes: impl IntoIterator<Item = Route<S>>) -> Router<S> {
    routes.into_iter().fold(Router::new(), |router, route| router.route(route.endpoint.path, route.serve))
}
