//! What commands that ask an agent share: where it is, who asks, and what an error of it looks like.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bindery_schema::secret::Secret;
use clap::Args;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longest wait for the agent's answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The agent to ask.
#[derive(Debug, Args)]
pub(super) struct Agent {
    /// Address of the admin listener
    #[arg(long, env = "BINDERY_ADMIN_URL", value_name = "URL")]
    url: String,
    /// Bearer token of a role that may do this
    #[arg(long, env = "BINDERY_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN", value_parser = super::secret)]
    token: Secret,
}

impl Agent {
    /// Reads.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, path, None::<&Value>).await
    }

    /// Asks for something to be done.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        // Only the first call in a process counts, and another provider that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let mut request = client.request(method, &url).bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("the agent at {} cannot be reached", self.url))?;
        let code = answer.status();
        let body = answer.bytes().await.context("the agent's answer broke off")?;
        if !code.is_success() {
            let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
            let detail = ["detail", "title"].iter().find_map(|key| problem[key].as_str());
            bail!("the agent answers {code}{}", detail.map(|detail| format!(": {detail}")).unwrap_or_default());
        }
        serde_json::from_slice(&body).context("the agent's answer is not what it should be")
    }
}
