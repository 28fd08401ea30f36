//! Credentials of operators: asked of the agents, remembered in memory alone.
//!
//! Guarantees: what was read once is handed out for as long as neither agent nor Vault can be asked, and says that it is
//! stale. An agent that answers "no" is obeyed, and what was remembered is wiped. Passwords are wiped from memory when they
//! are replaced, forgotten, or the client is dropped; copies the HTTP library makes while it reads an answer are its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::OperatorCredentials;
use zeroize::{Zeroize as _, Zeroizing};

use crate::agent::{Agents, Failure};
use crate::error::{CredentialsError, Outage};
use crate::metrics::Metrics;

/// How long an outage is believed before it is asked again: callers do not wait for a lost agent one after the other.
const BELIEVED: Duration = Duration::from_secs(1);
/// Largest answer: a few times the largest that an operator makes.
const LARGEST: usize = 64 << 10;

/// Credentials with what is known of their age.
#[derive(Debug, Clone)]
pub struct Served {
    /// What to bind with. Printing them does not print the password.
    pub credentials: Arc<OperatorCredentials>,
    /// Whether they are as the agents know them.
    pub freshness: Freshness,
}

/// Whether something is as the agents know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Read now, or lately and not changed since as far as events tell.
    Fresh,
    /// Remembered from before, as it cannot be read.
    Stale {
        /// How long ago it was read.
        age: Duration,
        /// Why it cannot be read.
        outage: Outage,
    },
}

/// Credentials of every operator that was asked for.
#[derive(Debug)]
pub struct Credentials {
    agents: Arc<Agents>,
    metrics: Arc<Metrics>,
    fresh: Duration,
    slots: Mutex<HashMap<OperatorId, Arc<Slot>>>,
}

/// What is remembered of one operator.
#[derive(Debug, Default)]
struct Slot {
    /// Locked while it is read, so that many callers ask once.
    known: tokio::sync::Mutex<Known>,
    /// An event said that it has changed.
    outdated: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    read: Option<(Arc<OperatorCredentials>, Instant)>,
    failed: Option<(Outage, Instant)>,
}

impl Credentials {
    pub(crate) fn new(agents: Arc<Agents>, metrics: Arc<Metrics>, fresh: Duration) -> Self {
        Self { agents, metrics, fresh, slots: Mutex::default() }
    }

    /// The credentials of an operator.
    pub async fn get(&self, operator: &OperatorId) -> Result<Served, CredentialsError> {
        let slot = self.slots().entry(operator.clone()).or_default().clone();
        let mut known = slot.known.lock().await;
        if let Some((credentials, at)) = &known.read
            && at.elapsed() < self.fresh
            && !slot.outdated.load(Ordering::Acquire)
        {
            self.metrics.credentials_remembered.add_one();
            return Ok(Served { credentials: credentials.clone(), freshness: Freshness::Fresh });
        }
        if let Some((outage, at)) = known.failed
            && at.elapsed() < BELIEVED
        {
            return self.remembered(operator, &known, outage);
        }
        // An event that comes while the answer is under way may be newer than the answer.
        slot.outdated.store(false, Ordering::Release);
        match self.read(operator).await {
            Ok(read) => {
                self.metrics.credentials_read.add_one();
                let credentials = Arc::new(read);
                *known = Known { read: Some((credentials.clone(), Instant::now())), failed: None };
                Ok(Served { credentials, freshness: Freshness::Fresh })
            }
            Err(failure) => {
                let no = match failure {
                    Failure::Refused(code) => refusal(&code, operator).ok_or(Outage::Agent),
                    Failure::Outage(outage) => Err(outage),
                };
                match no {
                    Ok(no) => {
                        *known = Known::default();
                        self.forget(operator);
                        self.metrics.credentials_failed.add_one();
                        Err(no)
                    }
                    Err(outage) => {
                        slot.outdated.store(true, Ordering::Release);
                        known.failed = Some((outage, Instant::now()));
                        self.remembered(operator, &known, outage)
                    }
                }
            }
        }
    }

    /// Forgets an operator, and wipes its password unless a caller still holds it.
    pub fn forget(&self, operator: &OperatorId) {
        self.slots().remove(operator);
    }

    /// Forgets every operator.
    pub fn forget_all(&self) {
        self.slots().clear();
    }

    /// Has an operator asked for again at the next call, or each of them.
    pub(crate) fn outdate(&self, operator: Option<&OperatorId>) {
        let slots = self.slots();
        let named = operator.and_then(|operator| slots.get(operator));
        let all = operator.is_none().then(|| slots.values()).into_iter().flatten();
        for slot in named.into_iter().chain(all) {
            slot.outdated.store(true, Ordering::Release);
        }
    }

    fn remembered(&self, operator: &OperatorId, known: &Known, outage: Outage) -> Result<Served, CredentialsError> {
        let Some((credentials, at)) = &known.read else {
            self.metrics.credentials_failed.add_one();
            return Err(CredentialsError::Unavailable { operator: operator.clone(), outage });
        };
        match outage {
            Outage::Vault => &self.metrics.credentials_stale_vault,
            Outage::Store => &self.metrics.credentials_stale_store,
            Outage::Agent => &self.metrics.credentials_stale_agent,
        }
        .add_one();
        let freshness = Freshness::Stale { age: at.elapsed(), outage };
        Ok(Served { credentials: credentials.clone(), freshness })
    }

    async fn read(&self, operator: &OperatorId) -> Result<OperatorCredentials, Failure> {
        let mut response = self.agents.get(&format!("/v1/internal/operators/{operator}/credentials")).await?;
        let lost = || Failure::Outage(Outage::Agent);
        // Room for all of it: a buffer that grows would leave copies behind.
        let mut body = Zeroizing::new(Vec::with_capacity(LARGEST));
        while let Some(piece) = response.chunk().await.map_err(|_| lost())? {
            if body.len() + piece.len() > LARGEST {
                return Err(lost());
            }
            body.extend_from_slice(&piece);
            if let Ok(mut piece) = piece.try_into_mut() {
                piece.zeroize();
            }
        }
        let read: OperatorCredentials = serde_json::from_slice(&body).map_err(|_| lost())?;
        if read.operator_id == *operator { Ok(read) } else { Err(lost()) }
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<OperatorId, Arc<Slot>>> {
        // A map is whole after each insertion, whoever panicked.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The "no" that a code stands for; any other answer is as good as none.
fn refusal(code: &str, operator: &OperatorId) -> Option<CredentialsError> {
    match code {
        "OPERATOR_NOT_FOUND" => Some(CredentialsError::NoOperator(operator.clone())),
        "CREDENTIALS_NOT_SET" => Some(CredentialsError::NotSet(operator.clone())),
        "FORBIDDEN" => Some(CredentialsError::Forbidden),
        _ => None,
    }
}
