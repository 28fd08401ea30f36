//! One token for all requests: obtained once, renewed by whoever looks after it, replaced when Vault takes it no more.
//!
//! Whoever needs a token while there is none waits for the one log-in that is under way; requests never log in each by
//! themselves. A refusal (403) may mean a missing permission or a dead token: the token itself is asked about before it
//! is replaced, so a missing permission causes no log-ins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bindery_schema::secret::Secret;
use reqwest::header::HeaderValue;
use reqwest::{Certificate, Identity, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

use super::{Error, Health};
use crate::config::{self, AppRole, SecretSource};
use crate::metrics::{Metrics, Operation};
use crate::store::breaker::Breaker;

/// Longest wait for an answer; a request is one key, so a slower answer is an outage.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Requests in a row without an answer after which Vault is left alone for a while.
const PATIENCE: u32 = 3;
const TOKEN: &str = "x-vault-token";

/// Where tokens come from.
#[derive(Debug)]
enum Origin {
    Given(SecretSource),
    AppRole(AppRole),
}

/// What is asked of the API.
struct Request<'a> {
    /// As errors and metrics call it.
    operation: &'static str,
    method: Method,
    /// Below `/v1/`.
    path: &'a str,
    body: Option<Value>,
}

impl Request<'_> {
    /// The span it is made in. Its address is told as a template: the operator is that of the span around it.
    fn span(&self) -> Span {
        let path = self.path.split('?').next().unwrap_or_default();
        let mut before = "";
        let parts = path.split('/').map(|part| {
            let is_id = ["operators", "deleted"].contains(&before);
            before = part;
            if is_id { "{id}" } else { part }
        });
        let template = format!("/v1/{}", parts.collect::<Vec<_>>().join("/"));
        info_span!(
            "vault",
            otel.name = format!("{} {template}", self.method),
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = %self.method,
            url.template = template,
            http.response.status_code = Empty,
            bindery.vault.operation = self.operation,
        )
    }
}

/// A client with a token.
#[derive(Debug)]
pub(super) struct Session {
    http: reqwest::Client,
    base: String,
    origin: Origin,
    token: ArcSwapOption<HeaderValue>,
    /// Held by the one who logs in.
    login: Mutex<()>,
    breaker: Breaker,
    /// Of log-ins, where a refusal counts too: a wrong secret id is not tried with every request.
    logins: Breaker,
    metrics: Arc<Metrics>,
}

impl Session {
    /// A session with the configured server; nothing is asked yet.
    pub(super) fn new(config: &config::Vault, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let origin = match (&config.token, &config.approle) {
            (Some(token), None) => Origin::Given(token.clone()),
            (None, Some(role)) => Origin::AppRole(role.clone()),
            _ => return Err(Error::Configuration),
        };
        Ok(Self {
            http: client(config)?,
            base: format!("{}/v1", config.addr.trim_end_matches('/')),
            origin,
            token: ArcSwapOption::empty(),
            login: Mutex::new(()),
            breaker: Breaker::new("vault", PATIENCE),
            logins: Breaker::new("vault log-in", 1),
            metrics,
        })
    }

    /// Whether the server can serve. Asked even while requests rest, so that an outage is over as soon as it is seen.
    pub(super) async fn ping(&self) -> Result<Health, Error> {
        let url = format!("{}/sys/health", self.base);
        let answer = self.http.get(url).send().await.map_err(unreachable)?;
        self.breaker.answers();
        match answer.status().as_u16() {
            200 => Ok(Health::Ready),
            // Performance and disaster recovery standbys have codes of their own.
            429 | 472 | 473 => Ok(Health::Standby),
            501 => Ok(Health::Uninitialized),
            503 => Ok(Health::Sealed),
            status => Err(Error::Refused { operation: "health", status }),
        }
    }

    /// One request; `None` for 404. An answer without a body is `null`.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Option<Value>, Error> {
        let request = Request { operation, method, path, body };
        let token = self.token().await?;
        match self.exchange(&request, Some(&token)).await {
            Err(Error::Refused { status: 403, .. }) if self.is_dead(&token).await? => {
                let token = self.replace(&token).await?;
                self.exchange(&request, Some(&token)).await
            }
            result => result,
        }
    }

    /// Renews the token where it can be renewed, or gets another one before it ends, and says how long it lasts; `None`
    /// for one that does not expire.
    pub(super) async fn renew(&self) -> Result<Option<Duration>, Error> {
        let found = self.call("token", Method::GET, "auth/token/lookup-self", None).await?.unwrap_or_default();
        let number = |pointer| found.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        let (ttl, first) = (number("/data/ttl"), number("/data/creation_ttl"));
        if ttl == 0 {
            return Ok(None);
        }
        let mut left = ttl;
        if found.pointer("/data/renewable") == Some(&Value::Bool(true)) {
            let renewed = self.call("token", Method::POST, "auth/token/renew-self", Some(json!({}))).await?;
            left = renewed
                .and_then(|answer| answer.pointer("/auth/lease_duration").and_then(Value::as_u64))
                .unwrap_or(ttl);
        }
        // Less than half of what a new one has: its longest life ends, or it cannot be renewed.
        if left * 2 < first || left == 0 {
            let token = self.token().await?;
            match self.origin {
                Origin::AppRole(_) => {
                    self.replace(&token).await?;
                    left = first;
                }
                Origin::Given(_) if self.replace(&token).await.is_ok_and(|other| other != token) => left = first,
                Origin::Given(_) => tracing::warn!(seconds = left, "the token for Vault expires and cannot be renewed"),
            }
        }
        Ok(Some(Duration::from_secs(left)))
    }

    /// The token in force; the first to ask gets it.
    async fn token(&self) -> Result<Arc<HeaderValue>, Error> {
        if let Some(token) = self.token.load_full() {
            return Ok(token);
        }
        let _one = self.login.lock().await;
        match self.token.load_full() {
            Some(token) => Ok(token),
            None => self.authenticate().await,
        }
    }

    /// Another token than this one, unless somebody has got one already.
    async fn replace(&self, old: &Arc<HeaderValue>) -> Result<Arc<HeaderValue>, Error> {
        let _one = self.login.lock().await;
        match self.token.load_full() {
            Some(token) if !Arc::ptr_eq(&token, old) => Ok(token),
            _ => self.authenticate().await,
        }
    }

    async fn is_dead(&self, token: &HeaderValue) -> Result<bool, Error> {
        let request = Request { operation: "token", method: Method::GET, path: "auth/token/lookup-self", body: None };
        match self.exchange(&request, Some(token)).await {
            Ok(_) => Ok(false),
            Err(Error::Refused { status: 403, .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn authenticate(&self) -> Result<Arc<HeaderValue>, Error> {
        let token = match &self.origin {
            Origin::Given(source) => source.read()?,
            Origin::AppRole(role) => {
                let leave = self.logins.enter().map_err(|_| Error::Resting)?;
                let result = self.log_in(role).await;
                leave.came_of(result.is_ok());
                result?
            }
        };
        let mut header = HeaderValue::from_str(token.expose()).map_err(|_| Error::Configuration)?;
        header.set_sensitive(true);
        let header = Arc::new(header);
        self.token.store(Some(header.clone()));
        Ok(header)
    }

    async fn log_in(&self, role: &AppRole) -> Result<Secret, Error> {
        let secret_id = role.secret_id.as_ref().map(SecretSource::read).transpose()?;
        let mut body = json!({ "role_id": role.role_id });
        if let Some(secret_id) = &secret_id {
            body["secret_id"] = secret_id.expose().into();
        }
        let path = format!("auth/{}/login", role.mount.trim_matches('/'));
        let request = Request { operation: "login", method: Method::POST, path: &path, body: Some(body) };
        let answer = self.exchange(&request, None).await?;
        let mut answer = answer.ok_or(Error::Refused { operation: "login", status: 404 })?;
        match answer.pointer_mut("/auth/client_token").map(Value::take) {
            Some(Value::String(token)) => Ok(Secret::new(token)),
            _ => Err(Error::Malformed("login")),
        }
    }

    async fn exchange(&self, request: &Request<'_>, token: Option<&HeaderValue>) -> Result<Option<Value>, Error> {
        let leave = self.breaker.enter().map_err(|_| Error::Resting)?;
        let started = Instant::now();
        let result = self.send(request, token).await;
        leave.came_of(!matches!(result, Err(Error::Unreachable(_))));
        let outcome = if result.is_ok() { "ok" } else { "error" };
        self.metrics.vault_requests.get_or_create(&Operation { operation: request.operation, outcome }).inc();
        self.metrics.vault_duration.observe(started.elapsed().as_secs_f64());
        result
    }

    async fn send(&self, request: &Request<'_>, token: Option<&HeaderValue>) -> Result<Option<Value>, Error> {
        let span = request.span();
        let result = self.attempt(request, token).instrument(span.clone()).await;
        if result.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        result
    }

    async fn attempt(&self, request: &Request<'_>, token: Option<&HeaderValue>) -> Result<Option<Value>, Error> {
        let Request { operation, method, path, body } = request;
        let mut request = self.http.request(method.clone(), format!("{}/{path}", self.base));
        if let Some(token) = token {
            request = request.header(TOKEN, token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(unreachable)?;
        Span::current().record("http.response.status_code", answer.status().as_u16());
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let bytes = answer.bytes().await.map_err(unreachable)?;
                if bytes.is_empty() {
                    return Ok(Some(Value::Null));
                }
                serde_json::from_slice(&bytes).map(Some).map_err(|_| Error::Malformed(operation))
            }
            status => Err(Error::Refused { operation, status: status.as_u16() }),
        }
    }
}

fn unreachable(error: reqwest::Error) -> Error {
    Error::Unreachable(error.without_url())
}

fn client(config: &config::Vault) -> Result<reqwest::Client, Error> {
    // No proxy: Vault is inside the network, and over plain HTTP a proxy would read the passwords.
    let mut builder = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).connect_timeout(TIMEOUT);
    let files = config.tls.read()?;
    if let Some(ca) = files.ca {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&ca).map_err(|_| Error::Configuration)?);
    } else if config.addr.starts_with("http://") {
        // Reading the system's certificates takes long and fails where there are none.
        builder = builder.tls_certs_only(Vec::new());
    }
    if let Some((cert, key)) = files.identity {
        let pem = Secret::new([&String::from_utf8_lossy(&cert), key.expose()].join("\n"));
        builder = builder.identity(Identity::from_pem(pem.expose().as_bytes()).map_err(|_| Error::Configuration)?);
    }
    builder.build().map_err(|_| Error::Configuration)
}
