//! Changes asked of the admin API as a careful client asks: with a key, and again with the same key until an answer says
//! what became of it. A call goes on beside the operations that follow, so agents and servers die in the middle of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bindery_agent::cli::token::{DEV_AUDIENCE, DEV_ISSUER, Token};
use bindery_agent::dev::Pki;
use bindery_agent::http::permissions::Role;
use jiff::Timestamp;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::canary::Canary;
use super::edits::{self, Place, prefix};
use super::fleet::Addresses;
use super::operation::{Call, Numbered, Who};

/// The caller's name.
pub const CALLER: &str = "chaos";
/// Calls that may be under way at a time; an operation that would add more adds none.
const MOST: usize = 8;
/// Longest wait for one answer: shorter than an agent may take, so that some answers are lost.
const ANSWER: Duration = Duration::from_secs(6);
/// Wait before a call is sent again.
const AGAIN: Duration = Duration::from_millis(400);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Request {
    /// A call about an operator of the tip, or about a new object.
    pub fn of(Numbered { what, pick, number }: Numbered<Call>, place: Option<&Place>, canary: &Canary) -> Option<Self> {
        let carrier = edits::carrier(pick);
        let (method, path, body) = match (what, place) {
            (Call::Create, _) => {
                let smpp =
                    json!({ "host": format!("h{number}.example"), "port": 2_775, "systemId": format!("n{number}") });
                let spec = json!({ "displayName": format!("Bind {number}"), "smpp": smpp, "tps": { "outbound": 10 } });
                let id = format!("op-{number}");
                let body = json!({ "id": id, "mno": carrier, "password": canary.password(number), "spec": spec });
                (Method::POST, "/operators".to_owned(), Some(body))
            }
            (Call::Reservation, _) => {
                let body = json!({ "mno": carrier, "direction": "OUTBOUND", "reservedTps": 5 });
                (Method::POST, format!("/tenants/t{number}/reservations"), Some(body))
            }
            (_, None) => return None,
            (Call::Rename, Some(place)) => {
                let body = json!({ "spec": { "displayName": format!("Bind {number}") } });
                (Method::PATCH, format!("/operators/{}", place.id), Some(body))
            }
            (Call::Rotate, Some(place)) => {
                let body = json!({ "password": canary.password(number) });
                (Method::PATCH, format!("/operators/{}", place.id), Some(body))
            }
            (Call::Delete, Some(place)) => (Method::DELETE, format!("/operators/{}", place.id), None),
            (Call::Rule, Some(place)) => {
                let body = json!({ "prefix": format!("+{}", prefix(number)), "weight": 1 + number % 1_000 });
                (Method::POST, format!("/operators/{}/routing-rules", place.id), Some(body))
            }
        };
        Some(Self { method, path, body })
    }
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A status that promises a commit.
    Accepted(u16),
    /// A problem's status and code, which promise that there is none.
    Refused(u16, String),
    /// The campaign ended before anybody answered.
    Unanswered(String),
}

/// A call with its outcome.
#[derive(Debug, Clone)]
pub struct Written {
    /// The operation.
    pub operation: usize,
    /// What was asked for, without its body.
    pub what: String,
    /// The digest that its commit names in a trailer.
    pub trailer: String,
    /// What became of it.
    pub outcome: Outcome,
    /// How often it was sent.
    pub attempts: u32,
    /// Answers that held a password.
    pub leaks: Vec<String>,
}

impl Written {
    /// Whether the answer promised a commit.
    pub fn is_accepted(&self) -> bool {
        matches!(self.outcome, Outcome::Accepted(_))
    }
}

/// Where calls are made.
#[derive(Debug)]
pub struct Desk {
    client: Client,
    addresses: Addresses,
    token: String,
    canary: Canary,
    stop: CancellationToken,
    under_way: JoinSet<Written>,
    /// Those that are at their end.
    pub done: Vec<Written>,
    leaks: Mutex<Vec<String>>,
}

impl Desk {
    /// A caller who may change everything, for as long as a campaign can last.
    pub fn new(pki: &Pki, addresses: Addresses, canary: Canary) -> Result<Self> {
        let token = Token {
            roles: vec![Role::CarrierAdmin],
            tenant: None,
            subject: CALLER.to_owned(),
            ttl: Duration::from_secs(7 * 86_400),
            key: pki.jwt_key.clone(),
            issuer: DEV_ISSUER.to_owned(),
            audience: DEV_AUDIENCE.to_owned(),
        };
        Ok(Self {
            client: Client::builder().no_proxy().timeout(ANSWER).build()?,
            addresses,
            token: token.sign(Timestamp::now())?,
            canary,
            stop: CancellationToken::new(),
            under_way: JoinSet::new(),
            done: Vec::new(),
            leaks: Mutex::default(),
        })
    }

    /// Sends a call until it is answered; `false` where too many are under way.
    pub fn send(&mut self, operation: usize, key: &str, request: Request, first: Who) -> bool {
        self.collect();
        if self.under_way.len() >= MOST {
            return false;
        }
        let trailer = hex::encode(Sha256::digest(format!("{CALLER}\0{key}")));
        let written = Written {
            operation,
            what: format!("{} {}", request.method, request.path),
            trailer,
            outcome: Outcome::Unanswered("it was never sent".to_owned()),
            attempts: 0,
            leaks: Vec::new(),
        };
        let caller = Caller {
            client: self.client.clone(),
            addresses: self.addresses.clone(),
            token: self.token.clone(),
            canary: self.canary.clone(),
            stop: self.stop.clone(),
        };
        self.under_way.spawn(caller.insist(key.to_owned(), request, first, written));
        true
    }

    /// How many are under way.
    pub fn open(&mut self) -> usize {
        self.collect();
        self.under_way.len()
    }

    fn collect(&mut self) {
        while let Some(written) = self.under_way.try_join_next() {
            self.done.extend(written);
        }
    }

    /// Asks those that are under way to end as they are.
    pub async fn give_up(&mut self) {
        self.stop.cancel();
        while let Some(written) = self.under_way.join_next().await {
            self.done.extend(written);
        }
        self.stop = CancellationToken::new();
    }

    /// One call, once: status and text.
    pub async fn ask(&self, who: Who, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let address = self.addresses.of(who).context("it does not run")?;
        let url = format!("{}/v1/admin{path}", address.admin);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        self.hear(path, &text);
        Ok((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    /// Looks for passwords in an answer that may hold none.
    pub fn hear(&self, path: &str, text: &str) {
        if self.canary.is_in(text) {
            let mut leaks = self.leaks.lock().unwrap_or_else(PoisonError::into_inner);
            leaks.push(format!("the answer to {path} holds a password"));
        }
    }

    /// Answers in which passwords were found.
    pub fn leaks(&self) -> Vec<String> {
        let own = self.leaks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        own.into_iter().chain(self.done.iter().flat_map(|written| written.leaks.clone())).collect()
    }
}

struct Caller {
    client: Client,
    addresses: Addresses,
    token: String,
    canary: Canary,
    stop: CancellationToken,
}

impl Caller {
    async fn insist(self, key: String, request: Request, first: Who, mut written: Written) -> Written {
        let mut who = first;
        let mut last = "no agent ran".to_owned();
        loop {
            if let Some(address) = self.addresses.of(who) {
                written.attempts += 1;
                match self.once(&address.admin, &key, &request, &mut written.leaks).await {
                    Ok(outcome) => {
                        written.outcome = outcome;
                        return written;
                    }
                    Err(unknown) => last = unknown,
                }
            }
            who = if who == Who::A { Who::B } else { Who::A };
            tokio::select! {
                () = self.stop.cancelled() => {
                    written.outcome = Outcome::Unanswered(last);
                    return written;
                }
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// What an answer says for good; else why nothing is known yet.
    async fn once(
        &self,
        admin: &str,
        key: &str,
        request: &Request,
        leaks: &mut Vec<String>,
    ) -> Result<Outcome, String> {
        let Request { method, path, body } = request;
        let mut call = self.client.request(method.clone(), format!("{admin}/v1/admin{path}"));
        call = call.bearer_auth(&self.token).header("Idempotency-Key", key);
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = call.send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| error.without_url().to_string())?;
        if self.canary.is_in(&text) {
            leaks.push(format!("{method} {path} -> {status}"));
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let code = problem["code"].as_str().unwrap_or_default().to_owned();
        match status {
            200..300 => Ok(Outcome::Accepted(status)),
            _ if code == "REQUEST_IN_PROGRESS" || status >= 500 => Err(format!("{status} {code}")),
            _ => Ok(Outcome::Refused(status, code)),
        }
    }
}
