//! Bearer tokens of the admin listener (RFC 6750, RFC 7519): who calls, and whether the role suffices.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::Value;

use super::error::{Code, Problem};
use super::jwks::{Key, KeySet};
use super::permissions::{Permission, Role};
use super::rates::Rates;

/// Longest token, in bytes: what fits into one header of common servers.
const LONGEST: usize = 8 << 10;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The token's subject.
    pub(super) subject: String,
    /// The roles it lists.
    pub(super) roles: Vec<Role>,
    /// The tenant it stands for, where it stands for one.
    pub(super) tenant: Option<String>,
}

impl Caller {
    /// Whether it has no role but that of a customer.
    pub(super) fn is_only_tenant(&self) -> bool {
        self.roles.iter().all(|role| *role == Role::Tenant)
    }
}

/// What a token has to be like.
#[derive(Clone)]
pub(super) struct Tokens {
    keys: Arc<KeySet>,
    issuer: Arc<str>,
    audience: Arc<str>,
    roles_claim: Arc<str>,
    tenant_claim: Arc<str>,
    /// How far the clocks of issuer and agent may be apart, in seconds.
    leeway: u64,
}

impl Tokens {
    /// Tokens of the configured issuer for the configured audience.
    pub(super) fn new(config: &crate::config::Admin, keys: Arc<KeySet>) -> Self {
        let text = |text: &String| Arc::from(text.as_str());
        let (issuer, audience) = (text(&config.issuer), text(&config.audience));
        let (roles_claim, tenant_claim) = (text(&config.roles_claim), text(&config.tenant_claim));
        Self { keys, issuer, audience, roles_claim, tenant_claim, leeway: config.clock_skew_seconds }
    }

    /// The caller a request's token names.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let Some(header) = given.next() else {
            let missing = Problem::new(Code::Unauthenticated).detail("the request has no bearer token");
            return Err(missing.challenge(r#"Bearer realm="bindery""#));
        };
        let scheme_and_token = header.to_str().ok().and_then(|header| header.split_once(' '));
        let token = match scheme_and_token {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(invalid("the Authorization header holds no bearer token")),
        };
        if given.next().is_some() || token.len() > LONGEST {
            return Err(invalid("the token cannot be read"));
        }
        let keys = self.keys.keys().ok_or_else(|| Problem::new(Code::KeysUnavailable))?;
        self.caller(token, &keys)
    }

    fn caller(&self, token: &str, keys: &[Key]) -> Result<Caller, Problem> {
        let header = decode_header(token).map_err(|_| invalid("the token cannot be read"))?;
        // A token that names its key is checked with that one; one that names none, with each.
        let candidates = keys.iter().filter(|key| header.kid.is_none() || header.kid == key.id);
        let mut failure = invalid("the token is signed with an unknown key");
        for key in candidates {
            match decode::<Value>(token, &key.decoding, &self.validation(key)) {
                Ok(token) => return self.read(&token.claims),
                Err(error) => {
                    let signed = !matches!(error.kind(), ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm);
                    failure = invalid(explain(error.kind()));
                    if signed {
                        break;
                    }
                }
            }
        }
        Err(failure)
    }

    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation::default();
        validation.algorithms.clone_from(&key.algorithms);
        validation.leeway = self.leeway;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation
    }

    fn read(&self, claims: &Value) -> Result<Caller, Problem> {
        let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| invalid("the token names no subject"))?.to_owned();
        let role = |name: &str| name.parse::<Role>().ok();
        let roles = match claim(claims, &self.roles_claim) {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).filter_map(role).collect(),
            Some(Value::String(names)) => names.split_whitespace().filter_map(role).collect(),
            _ => Vec::new(),
        };
        let tenant = claim(claims, &self.tenant_claim).and_then(Value::as_str).map(str::to_owned);
        Ok(Caller { subject, roles, tenant })
    }
}

/// A claim by its name, or by its way through objects: `realm_access.roles`. Names of claims may have dots themselves, as
/// those that are URLs do.
fn claim<'c>(claims: &'c Value, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |object, part| object.get(part)))
}

fn invalid(why: &str) -> Problem {
    let challenge = format!(r#"Bearer realm="bindery", error="invalid_token", error_description="{why}""#);
    Problem::new(Code::Unauthenticated).detail(why).challenge(&challenge)
}

/// What is wrong with a token, in words that hold nothing of it.
fn explain(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the token is from another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks one of exp, iss, aud and sub",
        ErrorKind::InvalidAlgorithm => "the token's algorithm is not that of its key",
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        _ => "the token cannot be read",
    }
}

/// Who may use a group of routes.
#[derive(Clone)]
pub(super) struct Guard {
    /// How callers are known.
    pub(super) tokens: Tokens,
    /// What they need.
    pub(super) permission: Permission,
    /// How often they may ask.
    pub(super) rates: Arc<Rates>,
}

/// Lets callers with the permission pass and attaches who they are.
pub(super) async fn authorize(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let caller = match guard.tokens.authenticate(request.headers()) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    if let Err(problem) = guard.rates.take(&caller.subject) {
        return problem.into_response();
    }
    if !guard.permission.is_granted_to(&caller.roles) {
        tracing::warn!(subject = caller.subject, path = request.uri().path(), "refused a caller without the role");
        let names: Vec<_> = guard.permission.roles().iter().map(|role| role.as_str()).collect();
        let problem = Problem::new(Code::Forbidden).detail(format!("this needs one of the roles {}", names.join(", ")));
        return problem.challenge(r#"Bearer realm="bindery", error="insufficient_scope""#).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

#[cfg(test)]
#[path = "bearer_tests.rs"]
mod tests;
