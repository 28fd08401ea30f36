//! The internal API of the agents, over mutual TLS.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bindery_schema::secret::Secret;
use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Certificate, Client, Identity, Response, StatusCode};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::config::{Config, Tls, TraceHeaders};
use crate::error::{Error, Outage};

/// Longest wait for a connection: another agent may be asked meanwhile.
const CONNECT: Duration = Duration::from_secs(2);

/// Why an agent's answer is not what was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// None can answer now.
    Outage(Outage),
    /// One says that it will not, with the stable code of its problem document.
    Refused(String),
}

impl Failure {
    /// Whether another certificate may be answered otherwise.
    fn may_lie_with_the_files(&self) -> bool {
        match self {
            Self::Outage(outage) => *outage == Outage::Agent,
            Self::Refused(code) => code == "FORBIDDEN",
        }
    }
}

/// The agents.
pub(crate) struct Agents {
    urls: Vec<String>,
    /// Place of the one that answered last.
    preferred: AtomicUsize,
    timeout: Duration,
    trace: Option<TraceHeaders>,
    tls: Tls,
    http: ArcSwap<Client>,
    /// What the client in use was made of.
    files: Mutex<Files>,
}

struct Files {
    ca: Vec<u8>,
    identity: Secret,
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agents").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl Agents {
    /// Reads the certificates; asks nobody yet.
    pub(crate) async fn new(config: &Config) -> Result<Self, Error> {
        // What reqwest and the other clients use where nobody chose a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if config.agents.is_empty() {
            return Err(Error::NoAgent);
        }
        let files = Files::read(&config.tls).await?;
        let http = files.client()?;
        Ok(Self {
            urls: config.agents.iter().map(|url| url.trim_end_matches('/').to_owned()).collect(),
            preferred: AtomicUsize::new(0),
            timeout: config.timeout,
            trace: config.trace,
            tls: config.tls.clone(),
            http: ArcSwap::from_pointee(http),
            files: Mutex::new(files),
        })
    }

    /// Asks the agents in turn until one answers.
    pub(crate) async fn get(&self, path: &str) -> Result<Response, Failure> {
        self.ask(path, "application/json", self.timeout).await
    }

    /// The same for another media type, and with a longer wait.
    pub(crate) async fn ask(&self, path: &str, accept: &str, timeout: Duration) -> Result<Response, Failure> {
        match self.each(path, accept, timeout).await {
            Err(failure) if failure.may_lie_with_the_files() && self.take_over_files().await => {
                self.each(path, accept, timeout).await
            }
            answer => answer,
        }
    }

    async fn each(&self, path: &str, accept: &str, timeout: Duration) -> Result<Response, Failure> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut outage = Outage::Agent;
        for turn in 0..self.urls.len() {
            let at = (first + turn) % self.urls.len();
            let url = format!("{}{path}", self.urls[at]);
            let request = self.http.load().get(url).headers(self.trace()).header(ACCEPT, accept).timeout(timeout);
            let Ok(response) = request.send().await else { continue };
            let status = response.status();
            if status.is_success() {
                self.preferred.store(at, Ordering::Relaxed);
                return Ok(response);
            }
            let code = code(response).await;
            // Without a code it is no agent that speaks, but something in between.
            if status.is_client_error() && !code.is_empty() && status != StatusCode::TOO_MANY_REQUESTS {
                self.preferred.store(at, Ordering::Relaxed);
                return Err(Failure::Refused(code));
            }
            outage = match &*code {
                "VAULT_UNAVAILABLE" => Outage::Vault,
                "STORE_UNAVAILABLE" => Outage::Store,
                _ => outage,
            };
        }
        Err(Failure::Outage(outage))
    }

    /// Which trace the caller is in.
    fn trace(&self) -> HeaderMap {
        let headers = self.trace.map(|trace| trace()).unwrap_or_default().into_iter();
        let header = |(name, value): (&str, String)| Some((name.parse().ok()?, value.try_into().ok()?));
        headers.filter_map(header).collect::<HeaderMap>()
    }

    /// Makes a new client where the files have changed: a certificate may have been replaced. Files that cannot be used,
    /// such as a key that is there before its certificate, leave the client as it is.
    async fn take_over_files(&self) -> bool {
        let mut files = self.files.lock().await;
        let Ok(now) = Files::read(&self.tls).await else { return false };
        if now.ca == files.ca && now.identity.expose() == files.identity.expose() {
            return false;
        }
        let Ok(client) = now.client() else { return false };
        self.http.store(client.into());
        *files = now;
        true
    }
}

impl Files {
    async fn read(tls: &Tls) -> Result<Self, Error> {
        let (ca, certificate, key) = (read(&tls.ca).await?, read(&tls.certificate).await?, read(&tls.key).await?);
        let key = Secret::new(key);
        Ok(Self { ca: ca.into_bytes(), identity: Secret::new(format!("{certificate}\n{}", key.expose())) })
    }

    fn client(&self) -> Result<Client, Error> {
        let ca = Certificate::from_pem_bundle(&self.ca).map_err(Error::Tls)?;
        let identity = Identity::from_pem(self.identity.expose().as_bytes()).map_err(Error::Tls)?;
        let builder = Client::builder().no_proxy().https_only(true).connect_timeout(CONNECT);
        builder.tls_certs_only(ca).identity(identity).build().map_err(Error::Tls)
    }
}

async fn read(path: &Path) -> Result<String, Error> {
    tokio::fs::read_to_string(path).await.map_err(|source| Error::File { path: path.to_owned(), source })
}

/// The stable code of a problem document (RFC 9457); empty where it is none.
async fn code(response: Response) -> String {
    #[derive(Deserialize)]
    struct Problem {
        code: String,
    }
    response.json().await.map(|problem: Problem| problem.code).unwrap_or_default()
}
