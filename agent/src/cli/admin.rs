//! The admin API as the commands use it: address, token, and errors that say what the agent said.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bindery_schema::secret::Secret;
use bindery_schema::wire::api::Page;
use clap::Args;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longest wait for the agent's answer: longer than the agent gives itself.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where an agent's admin listener is, and who asks.
#[derive(Debug, Args)]
pub struct Admin {
    /// Address of the admin listener
    #[arg(long, env = "BINDERY_ADMIN_URL", value_name = "URL")]
    url: String,
    /// Bearer token of somebody who may
    #[arg(long, env = "BINDERY_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN", value_parser = super::secret)]
    token: Secret,
}

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

    /// Says something to the agent.
    pub async fn tell(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.exchange(method, path, &[], body).await?;
        if status == StatusCode::NOT_FOUND {
            bail!("{}", refusal(status, &answer));
        }
        Ok(answer)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        // Only the first call in a process counts, and another provider that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.url.trim_end_matches('/')))
            .with_context(|| format!("{} is no address", self.url))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = client.request(method, url).bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await;
        let answer = answer.with_context(|| format!("the agent at {} cannot be reached", self.url))?;
        let status = answer.status();
        let body = answer.bytes().await.context("the agent's answer broke off")?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if !status.is_success() && status != StatusCode::NOT_FOUND {
            bail!("{}", refusal(status, &body));
        }
        Ok((status, body))
    }
}

/// What a problem document says.
fn refusal(status: StatusCode, problem: &Value) -> String {
    let detail = ["detail", "title"].iter().find_map(|key| problem[key].as_str());
    format!("the agent answers {status}{}", detail.map(|detail| format!(": {detail}")).unwrap_or_default())
}
