//! The whole stack in one data folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::{self, Layout, Lock};
use super::ports::Ports;
use super::{Error, Nats, OpenBao, Pki, Postgres, Redis, Tools};

/// Where and how a stack runs.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// Holds everything of the stack; made if it is not there. Its own mode is set to 0711, its secrets are not
    /// readable for others.
    pub data_dir: PathBuf,
    /// The programs to run.
    pub tools: Tools,
    /// Whether Postgres waits for the disk. `false` is faster and still safe against the death of any process,
    /// not against that of the machine.
    pub durable: bool,
}

/// Four running servers with their keys. Dropping it kills them; [`Stack::stop`] is the orderly end.
///
/// The servers take `&self`: a test may kill and restart one while others hold the stack. It depends on no
/// particular async runtime, so that tests with a runtime each can share one.
pub struct Stack {
    /// Postgres.
    pub postgres: Postgres,
    /// NATS with JetStream.
    pub nats: Nats,
    /// Redis.
    pub redis: Redis,
    /// OpenBao, behind Vault's API.
    pub vault: OpenBao,
    /// Certificates and signing keys.
    pub pki: Pki,
    data_dir: PathBuf,
    agent_ports: [u16; 3],
    /// Last, so that a drop lets go of the folder after the servers have ended.
    _lock: Lock,
}

impl std::fmt::Debug for Stack {
    /// Names the folder only: the servers hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl Stack {
    /// Starts all servers at once and waits until each answers. On an error none stays behind.
    pub async fn start(options: StackOptions) -> Result<Self, Error> {
        // The clients used for set-up need it even where they speak plain HTTP. Only the first call in a
        // process counts, and another provider that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let begun = Instant::now();
        let layout = Layout::create(&options.data_dir)?;
        let lock = Lock::take(&layout.root)?;
        let stack = Self::prepare(&layout, lock, &options).await?;
        // Boxed: their futures are large, and so would be every future that awaits this one.
        tokio::try_join!(
            Box::pin(stack.postgres.start()),
            Box::pin(stack.nats.start()),
            Box::pin(stack.redis.start()),
            Box::pin(stack.vault.start())
        )?;
        tracing::info!("the stack is ready in {}", seconds(begun.elapsed()));
        Ok(stack)
    }

    async fn prepare(layout: &Layout, lock: Lock, options: &StackOptions) -> Result<Self, Error> {
        let tools = &options.tools;
        let pki = Pki::open(layout)?;
        let build = |ports: Ports| {
            Ok::<_, Error>((
                Postgres::prepare(layout, tools, ports, options.durable)?,
                Nats::prepare(layout, tools, ports)?,
                Redis::prepare(layout, tools, ports)?,
                OpenBao::prepare(layout, tools, ports)?,
            ))
        };
        let ports_file = layout.root.join("ports.json");
        // What an earlier run left behind has to go before the ports are looked at, or it would hold ours.
        if let Some(ports) = Ports::earlier(&ports_file)? {
            let (postgres, nats, redis, vault) = build(ports)?;
            tokio::join!(postgres.end_leftovers(), nats.end_leftovers(), redis.end_leftovers(), vault.end_leftovers());
        }
        let ports = Ports::choose(&ports_file)?;
        let (postgres, nats, redis, vault) = build(ports)?;
        let data_dir = layout.root.clone();
        Ok(Self { postgres, nats, redis, vault, pki, data_dir, agent_ports: ports.agent, _lock: lock })
    }

    /// The data folder, absolute.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Ports kept for one agent's admin, internal and ops listener, so that its addresses outlive a restart. Nobody
    /// listened on them when the stack was started.
    pub fn agent_ports(&self) -> [u16; 3] {
        self.agent_ports
    }

    /// Starts each server that has ended by itself or by a signal from elsewhere, and names those. A server that
    /// runs is left alone: OpenBao is not unsealed, for example.
    pub async fn ensure_running(&self) -> Result<Vec<&'static str>, Error> {
        let mut started = Vec::new();
        if self.postgres.pid().await.is_none() {
            Box::pin(self.postgres.start()).await?;
            started.push("postgres");
        }
        if self.nats.pid().await.is_none() {
            Box::pin(self.nats.start()).await?;
            started.push("nats");
        }
        if self.redis.pid().await.is_none() {
            Box::pin(self.redis.start()).await?;
            started.push("redis");
        }
        if self.vault.pid().await.is_none() {
            Box::pin(self.vault.start()).await?;
            started.push("openbao");
        }
        Ok(started)
    }

    /// Stops all servers in order, at once, and gives the data folder back.
    pub async fn stop(self) {
        tokio::join!(self.postgres.stop(), self.nats.stop(), self.redis.stop(), self.vault.stop());
        tracing::info!("the stack has stopped");
    }

    /// Removes a data folder and everything that a stack kept elsewhere for it. Refused while a stack runs in it.
    pub async fn remove(data_dir: &Path, tools: &Tools) -> Result<(), Error> {
        if !data_dir.is_dir() {
            return Ok(());
        }
        let layout = Layout::create(data_dir)?;
        let lock = Lock::take(&layout.root)?;
        let options = StackOptions { data_dir: layout.root.clone(), tools: tools.clone(), durable: false };
        // Preparing ends what was left behind by a run that was killed.
        let stack = Self::prepare(&layout, lock, &options).await?;
        if let Some(outside) = Postgres::outside_home(&layout)? {
            files::remove(&outside)?;
        }
        files::remove(&layout.root)?;
        drop(stack);
        Ok(())
    }
}

/// Awaits a server's start and logs how long it took.
pub(super) async fn timed_start(
    server: &'static str,
    port: u16,
    start: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let begun = Instant::now();
    start.await?;
    tracing::info!("{server} ready in {} on port {port}", seconds(begun.elapsed()));
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// A client for a server's own HTTP pages. It keeps no connection: the runtime that would own one may be gone
/// at the next call, and a server that was killed would leave a dead one.
pub(super) fn http_client(server: &'static str) -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|error| Error::refused(server, "be reached", &error))
}
