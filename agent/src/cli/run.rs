//! `bindery-agent run`: an agent on the user's own servers.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;

use crate::config::Config;
use crate::leader::lease;
use crate::runtime::Agent;
use crate::telemetry::{Identity, Telemetry};

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent run --config agent.toml
  BINDERY_AGENT_POSTGRES__URL=postgres://… bindery-agent run --config agent.toml

agent/agent.example.toml has every key with what it means. The environment wins over the file.")]
pub struct Run {
    /// Configuration file; every key may also be an environment variable, `BINDERY_AGENT_POSTGRES__URL` for `postgres.url`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Run {
    /// Runs an agent until SIGINT or SIGTERM.
    pub async fn run(self) -> anyhow::Result<()> {
        let config = Config::load(self.config.as_deref()).context("the configuration cannot be used")?;
        let identity = Identity { environment: &config.environment, instance: lease::holder(&config.data_dir)? };
        let telemetry = Telemetry::start(&config.telemetry, &identity, LevelFilter::INFO)?;
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut agent = Agent::start(config).await?;
        let result = tokio::select! {
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
            error = agent.failed() => Err(error),
        };
        agent.shutdown().await;
        telemetry.end().await;
        result
    }
}
