//! `bindery-agent signal`: one health signal, as smpp-connector sends them, to try what it does.

use anyhow::Context as _;
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::{BindState, HealthSignal};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::health::ingest::SUBJECT;
use crate::store::nats;

/// Arguments of `signal`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent signal ke-safaricom-1 --submitted 100
  bindery-agent signal ke-safaricom-1 --submitted 100 --failed 40 --p95 900
  bindery-agent signal ke-safaricom-1 --bind unbound

A better state counts after several signals in a row, and silence for spec.health.silenceSeconds makes it UNKNOWN.")]
pub struct Signal {
    /// The operator
    operator: OperatorId,
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
    /// Publishes the signal, measured now.
    pub async fn run(self) -> anyhow::Result<()> {
        let signal = HealthSignal {
            operator_id: self.operator,
            connector_id: self.connector,
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
        };
        let (servers, options) = nats::addresses(self.url.expose())?;
        let client = options.connect(servers).await.context("NATS cannot be reached")?;
        let subject = format!("{}{SUBJECT}{}", self.subject_prefix, signal.operator_id);
        client.publish(subject, serde_json::to_vec(&signal)?.into()).await.context("NATS does not take the signal")?;
        client.flush().await.context("NATS does not take the signal")?;
        Ok(())
    }
}
