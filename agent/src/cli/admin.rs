//! The admin API as the commands use it: address, token, and errors that say what the agent said.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bindery_schema::secret::Secret;
use bindery_schema::wire::api::Page;
use clap::Args;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::backoff::Delays;
use crate::config::SecretSource;

/// Longest wait for the agent's answer: longer than the agent gives itself.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Longest stream: the agent ends each after an hour.
const STREAM: Duration = Duration::from_secs(2 * 3_600);
/// How often a change is sent at most.
const ATTEMPTS: u32 = 4;
/// Shortest and longest wait before it is sent again.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// Where an agent's admin listener is, and who asks.
#[derive(Debug, Args)]
pub struct Admin {
    /// Address of the admin listener
    #[arg(long, visible_alias = "server", env = "BINDERY_ADMIN_URL", value_name = "URL")]
    url: String,
    /// Bearer token of somebody who may
    #[arg(
        long,
        env = "BINDERY_ADMIN_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        value_parser = super::secret,
        required_unless_present = "token_file"
    )]
    token: Option<Secret>,
    /// File with the token; it goes before the token itself
    #[arg(long, env = "BINDERY_ADMIN_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A change of the configuration.
pub struct Change<'c> {
    /// How.
    pub method: Method,
    /// Of what.
    pub path: &'c str,
    /// To what.
    pub body: Option<Value>,
    /// The entity tag the object has to have.
    pub if_match: Option<String>,
    /// Whether only the plan is wanted.
    pub dry_run: bool,
    /// Makes a repetition harmless.
    pub key: String,
}

/// An answer: status, entity tag, and body.
pub type Answer = (StatusCode, Option<String>, Value);

impl Admin {
    /// Reads a document.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<T> {
        let found = self.find(path, query).await?;
        found.with_context(|| format!("the agent knows no {path}; is it of another version?"))
    }

    /// Reads a document that may not be there.
    pub async fn find<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Option<T>> {
        let (status, body) = self.exchange(Method::GET, path, query, None).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => serde_json::from_value(body).map(Some).context("the agent's answer is not what it should be"),
        }
    }

    /// Reads items of a list, page by page, until there are `most` of them.
    pub async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        most: usize,
    ) -> anyhow::Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let limit = (most - items.len()).clamp(1, 1_000);
            let page = [("limit", limit.to_string())];
            let query: Vec<_> = query.iter().cloned().chain(page).chain(cursor.map(|next| ("cursor", next))).collect();
            let page: Page<T> = self.get(path, &query).await?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() || items.len() >= most {
                items.truncate(most);
                return Ok(items);
            }
        }
    }

    /// Opens a stream of events, after the last one that was seen; `None` where what came after that is not known any more.
    pub async fn open(&self, path: &str, last: Option<i64>) -> anyhow::Result<Option<Response>> {
        let mut request = self.request(Method::GET, path, &[])?.timeout(STREAM);
        if let Some(id) = last {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await;
        let answer = answer.with_context(|| format!("the agent at {} cannot be reached", self.url))?;
        let status = answer.status();
        if status == StatusCode::GONE {
            return Ok(None);
        }
        if !status.is_success() {
            let body = answer.bytes().await.unwrap_or_default();
            bail!("{}", refusal(status, &serde_json::from_slice(&body).unwrap_or_default()));
        }
        Ok(Some(answer))
    }

    /// Says something to the agent.
    pub async fn tell(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.exchange(method, path, &[], body).await?;
        if status == StatusCode::NOT_FOUND {
            bail!("{}", refusal(status, &answer));
        }
        Ok(answer)
    }

    /// Makes a change. Where the agent is not reached, its answer is lost or something is away, the change is sent again
    /// with the same key, so that it is made once.
    pub async fn change(&self, change: &Change<'_>) -> anyhow::Result<Answer> {
        let mut delays = Delays::new(AGAIN.0, AGAIN.1);
        for _ in 1..ATTEMPTS {
            match self.attempt(change).await {
                Ok((status, tag, body)) if status.is_success() => return Ok((status, tag, body)),
                Ok((status, _, body)) if !comes_to_pass(status, &body) => bail!("{}", refusal(status, &body)),
                Ok(_) | Err(_) => tokio::time::sleep(delays.longer()).await,
            }
        }
        let (status, tag, body) = self.attempt(change).await?;
        if !status.is_success() {
            bail!("{}", refusal(status, &body));
        }
        Ok((status, tag, body))
    }

    async fn attempt(&self, change: &Change<'_>) -> anyhow::Result<Answer> {
        let query: &[_] = if change.dry_run { &[("dryRun", "true".to_owned())] } else { &[] };
        let mut request = self.request(change.method.clone(), change.path, query)?;
        request = request.header("idempotency-key", &change.key);
        if let Some(tag) = &change.if_match {
            request = request.header("if-match", tag);
        }
        if let Some(body) = &change.body {
            request = request.json(body);
        }
        self.answer(request).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.request(method, path, query)?;
        if let Some(body) = body {
            request = request.json(&body);
        }
        let (status, _, body) = self.answer(request).await?;
        if !status.is_success() && status != StatusCode::NOT_FOUND {
            bail!("{}", refusal(status, &body));
        }
        Ok((status, body))
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, String)]) -> anyhow::Result<RequestBuilder> {
        // Only the first call in a process counts, and another provider that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.url.trim_end_matches('/')))
            .with_context(|| format!("{} is no address", self.url))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let token = match (&self.token_file, &self.token) {
            (Some(file), _) => SecretSource::File(file.clone()).read()?,
            (None, Some(token)) => token.clone(),
            (None, None) => bail!("no token: give --token-file or --token"),
        };
        Ok(client.request(method, url).bearer_auth(token.expose()))
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let answer = request.send().await;
        let answer = answer.with_context(|| format!("the agent at {} cannot be reached", self.url))?;
        let status = answer.status();
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = answer.bytes().await.context("the agent's answer broke off")?;
        Ok((status, tag, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

/// Whether a change that was not made may be a moment later.
fn comes_to_pass(status: StatusCode, problem: &Value) -> bool {
    status == StatusCode::SERVICE_UNAVAILABLE && problem["code"] != "SYNC_PAUSED"
        || problem["code"] == "REQUEST_IN_PROGRESS"
}

/// What a problem document says.
fn refusal(status: StatusCode, problem: &Value) -> String {
    let detail = ["detail", "title"].iter().find_map(|key| problem[key].as_str());
    let mut text =
        format!("the agent answers {status}{}", detail.map(|detail| format!(": {detail}")).unwrap_or_default());
    // The first is the detail already.
    for finding in problem["findings"].as_array().into_iter().flatten().skip(1) {
        let word = |key: &str| finding[key].as_str().unwrap_or_default();
        text.push_str(&format!("\n  {} {}", word("code"), word("message")));
    }
    text
}
