//! `bindery-agent signal`: health signals, as smpp-connector sends them, to try what they do: one, or a file of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::Client;
use bindery_schema::secret::Secret;
use bindery_schema::value::{Instant, OperatorId};
use bindery_schema::wire::health::{BindState, HealthSignal};
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use crate::health::ingest::SUBJECT;
use crate::store::nats;

const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

/// Arguments of `signal`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent signal ke-safaricom-1 --submitted 100
  bindery-agent signal ke-safaricom-1 --submitted 100 --failed 40 --p95 900
  bindery-agent signal ke-safaricom-1 --bind unbound
  bindery-agent signal --file game-day.ndjson --rate 50

A better state counts after several signals in a row, and silence for spec.health.silenceSeconds makes it UNKNOWN.
A file has one signal a line, as it is on the wire; one without `at` is measured when it is sent:
  {\"operatorId\":\"ke-safaricom-1\",\"connectorId\":\"c1\",\"bindState\":\"BOUND\",\"submitted\":100,\"failed\":40}")]
pub struct Signal {
    /// The operator
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    operator: Option<OperatorId>,
    /// State of the SMPP session
    #[arg(long, value_enum, default_value_t = Bind::Bound)]
    bind: Bind,
    /// Messages submitted since the signal before
    #[arg(long, value_name = "N", default_value_t = 0)]
    submitted: u64,
    /// Of those, refused or lost
    #[arg(long, value_name = "N", default_value_t = 0)]
    failed: u64,
    /// 95th percentile of the response time, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    p95: u32,
    /// Name of the connector that speaks
    #[arg(long, value_name = "NAME", default_value = "by-hand")]
    connector: String,
    /// Send the signals of a file, one JSON object a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Of a file, at most so many a second
    #[arg(long, value_name = "N", default_value_t = 1_000, conflicts_with = "operator",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Address of NATS with user and password; several are separated by commas
    #[arg(long, env = "NATS_URL", hide_env_values = true, value_name = "URL", value_parser = super::secret)]
    url: Secret,
    /// Prefix of subjects in the agent's configuration
    #[arg(long, value_name = "PREFIX", default_value = "")]
    subject_prefix: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bind {
    /// The session stands
    Bound,
    /// It is being set up
    Binding,
    /// There is none
    Unbound,
}

impl Signal {
    /// Publishes the signal, measured now, or those of the file.
    pub async fn run(self) -> anyhow::Result<()> {
        let (servers, options) = nats::addresses(self.url.expose())?;
        let client = options.connect(servers).await.context("NATS cannot be reached")?;
        let to = Recipient { client, prefix: self.subject_prefix.clone() };
        let sent = match &self.file {
            Some(file) => to.send_file(file, self.rate).await,
            None => to.send(&self.signal()?).await.map(|()| 1),
        };
        // Those before one that is wrong too.
        to.client.flush().await.context("NATS does not take the signal")?;
        let sent = sent?;
        if self.file.is_some() {
            writeln!(std::io::stdout(), "sent {sent} signal{}", if sent == 1 { "" } else { "s" })?;
        }
        Ok(())
    }

    fn signal(&self) -> anyhow::Result<HealthSignal> {
        Ok(HealthSignal {
            operator_id: self.operator.clone().context("which operator is meant")?,
            connector_id: self.connector.clone(),
            bind_state: match self.bind {
                Bind::Bound => BindState::Bound,
                Bind::Binding => BindState::Binding,
                Bind::Unbound => BindState::Unbound,
            },
            submitted: self.submitted,
            failed: self.failed,
            throttled: 0,
            p95_millis: self.p95,
            in_flight: 0,
            at: Timestamp::now().into(),
        })
    }
}

/// Who hears signals.
struct Recipient {
    client: Client,
    prefix: String,
}

impl Recipient {
    async fn send(&self, signal: &HealthSignal) -> anyhow::Result<()> {
        let subject = format!("{}{SUBJECT}{}", self.prefix, signal.operator_id);
        let payload = serde_json::to_vec(signal)?;
        self.client.publish(subject, payload.into()).await.context("NATS does not take the signal")
    }

    async fn send_file(&self, file: &Path, rate: u32) -> anyhow::Result<usize> {
        if file == Path::new("-") {
            return self.send_all(std::io::stdin().lock(), rate).await;
        }
        let open = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
        self.send_all(BufReader::new(open), rate).await
    }

    /// Sends each line as it is read, so that a file may be of any length; says which line is none.
    async fn send_all(&self, lines: impl BufRead, rate: u32) -> anyhow::Result<usize> {
        let mut turns = tokio::time::interval(Duration::from_secs(1) / rate);
        turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut clock, mut sent) = (Clock::default(), 0);
        for (number, line) in (1..).zip(lines.lines()) {
            let line = line.context("the signals cannot be read")?;
            if line.trim().is_empty() {
                continue;
            }
            turns.tick().await;
            let wrong = || format!("line {number} is no signal; {sent} before it were sent");
            let signal = read(&line, &mut clock, Timestamp::now()).with_context(wrong)?;
            self.send(&signal).await?;
            sent += 1;
        }
        Ok(sent)
    }
}

/// A signal as a line has it; without `at` it is of this moment.
fn read(line: &str, clock: &mut Clock, now: Timestamp) -> anyhow::Result<HealthSignal> {
    let mut value: Value = serde_json::from_str(line)?;
    let timeless = value.as_object_mut().filter(|fields| !fields.contains_key("at"));
    let is_timeless = timeless.is_some();
    if let Some(fields) = timeless {
        fields.insert("at".to_owned(), Instant::from(now).to_string().into());
    }
    let mut signal: HealthSignal = serde_json::from_value(value)?;
    if is_timeless {
        signal.at = clock.next(&signal, now);
    }
    Ok(signal)
}

/// The last moment of each connector: two signals of one in the same millisecond would be one and its repetition.
#[derive(Debug, Default)]
struct Clock(BTreeMap<(OperatorId, String), Instant>);

impl Clock {
    fn next(&mut self, signal: &HealthSignal, now: Timestamp) -> Instant {
        let whose = (signal.operator_id.clone(), signal.connector_id.clone());
        let after = self.0.get(&whose).and_then(|last| last.timestamp().checked_add(MILLISECOND).ok());
        let next = after.map_or(now, |after| after.max(now)).into();
        self.0.insert(whose, next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_signal_whose_time_may_be_left_out() {
        let (mut clock, now) = (Clock::default(), Timestamp::from_second(1_800_000_000).unwrap());
        let mut at = |line: &str, now| read(line, &mut clock, now).map(|signal| signal.at.timestamp());
        let line = |connector: &str, at: &str| {
            format!(r#"{{"operatorId":"a","connectorId":"{connector}","bindState":"BOUND"{at}}}"#)
        };
        assert_eq!(at(&line("c1", ""), now).unwrap(), now);
        assert_eq!(at(&line("c2", ""), now).unwrap(), now, "another connector has another clock");
        assert_eq!(at(&line("c1", ""), now).unwrap(), now + MILLISECOND);
        assert_eq!(at(&line("c1", ""), now - MILLISECOND).unwrap(), now + MILLISECOND * 2);
        let measured = line("c1", r#","at":"2026-11-24T07:00:00Z""#);
        assert_eq!(at(&measured, now).unwrap().to_string(), "2026-11-24T07:00:00Z");
        for bad in ["{}", "7", "[]", "{", r#"{"operatorId":"a","connectorId":"c1","bindState":"LOST"}"#] {
            assert!(at(bad, now).is_err(), "{bad}");
        }
    }
}
