//! Redis, as a cache: nothing survives a restart.

use futures::TryFutureExt as _;

use super::files::{self, Layout};
use super::ports::Ports;
use super::process::Process;
use super::spawn::Launch;
use super::stack::timed_start;
use super::{Error, Tools};

const SERVER: &str = "redis";

/// A Redis server without persistence.
pub struct Redis {
    process: Process,
    port: u16,
    password: String,
}

impl Redis {
    pub(super) fn prepare(layout: &Layout, tools: &Tools, ports: Ports) -> Result<Self, Error> {
        let dir = layout.root.join(SERVER);
        files::make_dir(&dir, 0o700)?;
        let password = files::password(&layout.secret("redis.password"))?;
        let config = dir.join("redis.conf");
        // In a file, as the arguments of a process are readable by every user. The working folder is the
        // server's own already, so no path has to be quoted here.
        let settings = format!(
            "bind 127.0.0.1\nport {}\nrequirepass {password}\nsave \"\"\nappendonly no\ndaemonize no\n",
            ports.redis
        );
        files::write_private(&config, settings)?;
        let launch = Launch {
            server: SERVER,
            program: tools.redis_server.clone(),
            args: vec![config.into()],
            dir,
            log: layout.log(SERVER),
            user: None,
            death_signal: "KILL",
            setpriv: tools.setpriv.clone(),
        };
        let process = Process::new(launch, layout.pid_file(SERVER), "TERM");
        Ok(Self { process, port: ports.redis, password })
    }

    /// `redis://default:password@127.0.0.1:port/0`. The user is named, as redis-cli takes an empty one for a name.
    pub fn url(&self) -> String {
        format!("redis://default:{}@{}/0", self.password, self.addr())
    }

    /// `127.0.0.1:port`.
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts the server, empty, unless it runs, on the same port, until it answers PING.
    pub async fn start(&self) -> Result<(), Error> {
        let client = redis::Client::open(self.url()).map_err(|error| Error::refused(SERVER, "connect", &error))?;
        timed_start(
            SERVER,
            self.port,
            self.process.start(|| {
                let client = client.clone();
                async move {
                    let mut connection = client.get_multiplexed_async_connection().await?;
                    redis::cmd("PING").exec_async(&mut connection).await
                }
                .map_err(|error: redis::RedisError| error.to_string())
            }),
        )
        .await
    }
}

super::process::lifecycle!(Redis);
