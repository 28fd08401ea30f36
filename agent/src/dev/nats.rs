//! NATS with JetStream.

use super::files::{self, Layout};
use super::ports::Ports;
use super::process::Process;
use super::spawn::Launch;
use super::stack::{http_client, timed_start};
use super::{Error, Tools};

const SERVER: &str = "nats";
const USER: &str = "bindery";

/// Limits of JetStream's stores, in bytes. Nothing is reserved; the server's own defaults would be three
/// quarters of the machine's memory and disk.
const MEMORY_STORE: u64 = 256 << 20;
const FILE_STORE: u64 = 8 << 30;

/// A NATS server with JetStream on disk.
pub struct Nats {
    process: Process,
    port: u16,
    monitor_port: u16,
    password: String,
}

impl Nats {
    pub(super) fn prepare(layout: &Layout, tools: &Tools, ports: Ports) -> Result<Self, Error> {
        let dir = layout.root.join(SERVER);
        files::make_dir(&dir, 0o700)?;
        let password = files::password(&layout.secret("nats.password"))?;
        let config = dir.join("nats.conf");
        // NATS reads JSON as a form of its own configuration language, which settles all quoting.
        let settings = serde_json::json!({
            "server_name": "bindery-dev",
            "listen": format!("127.0.0.1:{}", ports.nats),
            "http": format!("127.0.0.1:{}", ports.nats_monitor),
            "jetstream": { "store_dir": dir.join("jetstream"), "max_memory_store": MEMORY_STORE, "max_file_store": FILE_STORE },
            "authorization": { "user": USER, "password": password },
        });
        files::write_private(&config, settings.to_string())?;
        let launch = Launch {
            server: SERVER,
            program: tools.nats_server.clone(),
            args: vec!["-c".into(), config.into()],
            dir,
            log: layout.log(SERVER),
            user: None,
            death_signal: "KILL",
            setpriv: tools.setpriv.clone(),
        };
        let process = Process::new(launch, layout.pid_file(SERVER), "TERM");
        Ok(Self { process, port: ports.nats, monitor_port: ports.nats_monitor, password })
    }

    /// `nats://user:password@127.0.0.1:port`. The crate `async-nats` ignores user and password in a URL: give
    /// it [`Nats::user`] and [`Nats::password`] as well.
    pub fn url(&self) -> String {
        format!("nats://{USER}:{}@{}", self.password, self.addr())
    }

    /// The only user.
    pub fn user(&self) -> &str {
        USER
    }

    /// That user's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// `127.0.0.1:port` of the client protocol.
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `http://127.0.0.1:port` of the monitoring pages (`/healthz`, `/jsz?streams=1`, `/varz`); no password.
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    /// Starts the server unless it runs, on the same port and data, until `/healthz` is good.
    pub async fn start(&self) -> Result<(), Error> {
        let client = http_client(SERVER)?;
        let url = self.monitor_url() + "/healthz";
        timed_start(
            SERVER,
            self.port,
            self.process.start(|| {
                let request = client.get(&url);
                async move {
                    let answer = request.send().await.map_err(|error| error.to_string())?;
                    if answer.status().is_success() {
                        Ok(())
                    } else {
                        Err(format!("/healthz says {}", answer.status()))
                    }
                }
            }),
        )
        .await
    }
}

super::process::lifecycle!(Nats);
