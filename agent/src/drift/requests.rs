//! When to look next, and what the last look found.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bindery_schema::wire::drift::{DriftReport, DriftRequest, DriftStatus};
use tokio::sync::{Notify, watch};

use crate::store::postgres::audit::Cause;
use crate::store::postgres::control::Released;
use crate::telemetry::Trace;

/// What a look is asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Number of the latest request; 0 before the first.
    pub run: u64,
    /// Heal nothing.
    pub dry_run: bool,
    /// Hash of a held healing to carry out.
    pub allow: Option<String>,
    /// Who asked; `None` where the timer did.
    pub by: Option<String>,
    /// The request it came with.
    pub trace: Trace,
}

impl Asked {
    /// Who is to be named as the one who healed.
    pub fn cause(&self) -> Cause<'_> {
        self.by.as_deref().map_or_else(Cause::agent, Cause::api)
    }

    /// The release of a held healing.
    pub fn released(&self) -> Option<Released> {
        Some(Released { plan_hash: self.allow.clone()?, by: self.by.clone()? })
    }
}

/// Requests from the timer and from people.
#[derive(Debug)]
pub struct Requests {
    every: Option<Duration>,
    /// When the timer asks next, and what was asked by people since the last look.
    pending: Mutex<(Option<Instant>, Option<Asked>)>,
    status: watch::Sender<DriftStatus>,
    wake: Notify,
}

impl Requests {
    /// A timer that asks once in `every`; without one, only people do.
    pub fn new(every: Option<Duration>) -> Self {
        // The first look comes anywhere within the time, so that many agents do not look at once after a common start.
        let first = every.map(|every| Instant::now() + every.mul_f64(fastrand::f64()));
        let status = watch::Sender::new(DriftStatus::default());
        Self { every, pending: Mutex::new((first, None)), status, wake: Notify::new() }
    }

    /// Asks for a look and returns its number.
    pub fn ask(&self, request: &DriftRequest, by: String) -> u64 {
        let mut run = 0;
        self.status.send_modify(|status| {
            status.asked += 1;
            run = status.asked;
        });
        let asked = Asked {
            run,
            dry_run: request.dry_run,
            allow: request.allow.clone(),
            by: Some(by),
            trace: Trace::current(),
        };
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(asked);
        self.wake.notify_one();
        run
    }

    /// Returns when there is a look to take.
    pub async fn due(&self) {
        loop {
            let (next, asked) = self.pending.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let now = Instant::now();
            if asked.is_some() || next.is_some_and(|next| next <= now) {
                return;
            }
            let timer = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.wake.notified() => {}
                () = timer => {}
            }
        }
    }

    /// The look to take now, if any.
    pub fn take(&self) -> Option<Asked> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let asked = pending.1.take();
        let by_timer = pending.0.is_some_and(|next| next <= now);
        if asked.is_some() || by_timer {
            // A tenth earlier or later.
            pending.0 = self.every.map(|every| now + every.mul_f64(0.9 + 0.2 * fastrand::f64()));
        }
        let run = self.status.borrow().asked;
        asked.or_else(|| by_timer.then(|| Asked { run, ..Asked::default() }))
    }

    /// The end of a look.
    pub fn done(&self, asked: &Asked, result: Result<DriftReport, String>) {
        self.status.send_modify(|status| {
            status.answered = asked.run;
            match result {
                Ok(report) => (status.last, status.failed) = (Some(report), None),
                Err(reason) => status.failed = Some(reason),
            }
        });
    }

    /// What is known.
    pub fn status(&self) -> watch::Receiver<DriftStatus> {
        self.status.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn people_and_the_timer_ask() {
        let requests = Requests::new(None);
        assert_eq!(requests.take(), None);
        let run = requests.ask(&DriftRequest { dry_run: true, allow: None }, "ana".to_owned());
        requests.due().await;
        let asked = requests.take().unwrap();
        assert_eq!((asked.run, asked.dry_run, asked.by.as_deref()), (run, true, Some("ana")));
        assert_eq!(requests.take(), None);

        let requests = Requests::new(Some(Duration::from_millis(1)));
        requests.due().await;
        assert_eq!(requests.take().unwrap().by, None);
    }
}
