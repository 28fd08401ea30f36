//! Where everything is.

use std::path::PathBuf;
use std::time::Duration;

use bindery_schema::secret::Secret;

/// Names and values of headers, as they are at the moment.
pub type TraceHeaders = fn() -> Vec<(&'static str, String)>;

/// What a client is told. [`Config::new`] fills in what is seldom changed.
#[derive(Debug, Clone)]
pub struct Config {
    /// Base URLs of the agents' internal listeners. All say the same; the one that answered last is asked first.
    pub agents: Vec<String>,
    /// Mutual TLS with the agents.
    pub tls: Tls,
    /// Where events come from. Without it changes are found by asking, as often as `table_every` says.
    pub nats: Option<Nats>,
    /// Where health is read. Without it the agents are asked.
    pub redis: Option<Redis>,
    /// Whether the routing table is kept, and with it the health of its operators. Not needed by a connector.
    pub routing: bool,
    /// Longest time between two looks for changes of the table, whatever events say.
    pub table_every: Duration,
    /// Time between two looks at the health of all operators of the table.
    pub health_every: Duration,
    /// How long credentials are handed out without asking again. Events end it sooner.
    pub credentials_fresh: Duration,
    /// Longest wait for an answer of an agent, the table aside. Longer than an agent waits for its own stores, or it is the
    /// agent that seems to be away.
    pub timeout: Duration,
    /// Headers that say which trace a request to an agent belongs to, such as `traceparent` (W3C Trace Context). Asked for
    /// with each request, in the task that makes it; what is no header is left out.
    pub trace: Option<TraceHeaders>,
}

impl Config {
    /// One agent, a table that is kept, and neither NATS nor Redis yet.
    pub fn new(agent: impl Into<String>, tls: Tls) -> Self {
        Self {
            agents: vec![agent.into()],
            tls,
            nats: None,
            redis: None,
            routing: true,
            table_every: Duration::from_secs(30),
            health_every: Duration::from_secs(5),
            credentials_fresh: Duration::from_secs(60),
            timeout: Duration::from_secs(6),
            trace: None,
        }
    }
}

/// Files for mutual TLS, PEM. They are read again when no agent answers, and when one answers that this client may not, so
/// that they may be replaced at any time.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificates that sign the agents'.
    pub ca: PathBuf,
    /// This client's certificate chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// NATS.
#[derive(Debug, Clone)]
pub struct Nats {
    /// `nats://user:password@host:port`, or `tls://…`; several are separated by commas.
    pub url: Secret,
    /// File with the JWT and the seed of a user, instead of a user in the address.
    pub creds: Option<PathBuf>,
    /// Certificates that sign the servers', instead of those of the system.
    pub ca: Option<PathBuf>,
    /// What the agents put before every subject.
    pub subject_prefix: String,
}

impl Nats {
    /// The servers at an address.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: Secret::new(url), creds: None, ca: None, subject_prefix: String::new() }
    }
}

/// Redis: one server, or the one that Sentinels name. A cluster is not read, and the agents are asked.
#[derive(Debug, Clone)]
pub struct Redis {
    /// `redis://user:password@host:port/database`, or `rediss://…`. With `sentinel` the addresses of the Sentinels,
    /// separated by commas; user, password and database are then those of the server they name.
    pub url: Secret,
    /// How Sentinels are asked for the server.
    pub sentinel: Option<Sentinel>,
    /// What the agents put before every key.
    pub key_prefix: String,
}

impl Redis {
    /// The server at an address.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: Secret::new(url), sentinel: None, key_prefix: String::new() }
    }
}

/// Sentinels.
#[derive(Debug, Clone)]
pub struct Sentinel {
    /// The name they know the servers by.
    pub service: String,
    /// Password of the Sentinels themselves.
    pub password: Option<Secret>,
}
