//! How Redis is reached: one server, a cluster, or servers watched by Sentinels, with the same commands for all.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo as _, Pipeline, RedisError, RedisFuture, RedisResult, TlsCertificates, TlsMode, Value,
};
use tokio::sync::Mutex;

use super::Error;
use crate::config::{self, RedisMode};
use crate::store::breaker::Breaker;

/// Longest wait for an answer: a cache that is slower is of no use.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Failures in a row after which the cache is left alone for a while.
const PATIENCE: u32 = 3;

/// A connection that comes back by itself. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    way: Way,
    breaker: Arc<Breaker>,
}

#[derive(Clone)]
enum Way {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
    Sentinel(Arc<Mutex<Watched>>),
}

/// The master that the Sentinels name.
struct Watched {
    sentinels: SentinelClient,
    master: Option<MultiplexedConnection>,
}

impl Connection {
    /// A connection that is opened when it is first needed.
    pub(super) fn new(config: &config::Redis) -> Result<Self, Error> {
        let unusable = |_| Error::Configuration;
        let nodes = nodes(config)?;
        let certificates = certificates(&config.tls)?;
        let way = match config.mode {
            RedisMode::Single => {
                let [node] = <[_; 1]>::try_from(nodes).map_err(|_| Error::Configuration)?;
                let client = match certificates.filter(|_| is_tls(&node)) {
                    Some(certificates) => Client::build_with_tls(node, certificates),
                    None => Client::open(node),
                };
                let settings = ConnectionManagerConfig::new()
                    .set_number_of_retries(1)
                    .set_connection_timeout(Some(TIMEOUT))
                    .set_response_timeout(Some(TIMEOUT));
                let client = client.map_err(unusable)?;
                Way::Single(ConnectionManager::new_lazy_with_config(client, settings).map_err(unusable)?)
            }
            RedisMode::Cluster => {
                let tls = nodes.iter().all(is_tls);
                let mut builder = ClusterClientBuilder::new(nodes)
                    .connection_timeout(TIMEOUT)
                    .response_timeout(TIMEOUT)
                    .overall_response_timeout(Some(2 * TIMEOUT));
                if let Some(certificates) = certificates.filter(|_| tls) {
                    builder = builder.certs(certificates);
                }
                let client = builder.build().map_err(unusable)?;
                Way::Cluster(client.get_pending_async_connection_with_config(redis::cluster::ClusterConfig::new()))
            }
            RedisMode::Sentinel => {
                let sentinels = sentinels(config, &nodes, certificates).map_err(unusable)?;
                Way::Sentinel(Arc::new(Mutex::new(Watched { sentinels, master: None })))
            }
        };
        Ok(Self { way, breaker: Arc::new(Breaker::new("redis", PATIENCE)) })
    }

    /// Asks, unless the cache rests, and learns from what comes of it.
    async fn guarded<T>(&mut self, ask: impl AsyncFnOnce(&mut Way) -> RedisResult<T>) -> RedisResult<T> {
        let breaker = self.breaker.clone();
        let leave = breaker
            .enter()
            .map_err(|_| RedisError::from((ErrorKind::Io, "it did not answer lately and is asked again shortly")))?;
        let result = ask(&mut self.way).await;
        leave.came_of(result.as_ref().err().is_none_or(|error| !is_silence(error)));
        result
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.guarded(async |way| match way {
            Way::Single(connection) => connection.req_packed_command(command).await,
            Way::Cluster(connection) => connection.req_packed_command(command).await,
            Way::Sentinel(watched) => {
                let mut master = master(watched).await?;
                let result = master.req_packed_command(command).await;
                forget_after(watched, &result).await;
                result
            }
        }))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(self.guarded(async move |way| match way {
            Way::Single(connection) => connection.req_packed_commands(pipeline, offset, count).await,
            Way::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count).await,
            Way::Sentinel(watched) => {
                let mut master = master(watched).await?;
                let result = master.req_packed_commands(pipeline, offset, count).await;
                forget_after(watched, &result).await;
                result
            }
        }))
    }

    fn get_db(&self) -> i64 {
        match &self.way {
            Way::Single(connection) => connection.get_db(),
            Way::Cluster(connection) => connection.get_db(),
            Way::Sentinel(_) => 0,
        }
    }
}

/// A connection to the master, for which the Sentinels are asked where there is none.
async fn master(watched: &Mutex<Watched>) -> RedisResult<MultiplexedConnection> {
    let ask = async {
        let mut watched = watched.lock().await;
        if let Some(master) = &watched.master {
            return Ok(master.clone());
        }
        let settings =
            AsyncConnectionConfig::new().set_connection_timeout(Some(TIMEOUT)).set_response_timeout(Some(TIMEOUT));
        let master = watched.sentinels.get_async_connection_with_config(&settings).await?;
        watched.master = Some(master.clone());
        Ok(master)
    };
    let late = |_| RedisError::from((ErrorKind::Io, "the Sentinels named no master in time"));
    tokio::time::timeout(2 * TIMEOUT, ask).await.map_err(late)?
}

/// Has the Sentinels asked again: the master is gone, or is none any more.
async fn forget_after<T>(watched: &Mutex<Watched>, result: &RedisResult<T>) {
    let demoted = |error: &RedisError| matches!(error.kind(), ErrorKind::Server(redis::ServerErrorKind::ReadOnly));
    if result.as_ref().is_err_and(|error| is_silence(error) || demoted(error)) {
        watched.lock().await.master = None;
    }
}

/// Whether nobody answered, in contrast to an answer one does not like.
fn is_silence(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_io_error()
        || error.is_timeout()
        || matches!(error.kind(), ErrorKind::ClusterConnectionNotFound)
}

/// The addresses with user and password.
fn nodes(config: &config::Redis) -> Result<Vec<ConnectionInfo>, Error> {
    let password = config.password.as_ref().map(config::SecretSource::read).transpose()?;
    let node = |url: &str| {
        let info = url.trim().into_connection_info().map_err(|_| Error::Configuration)?;
        let mut settings = info.redis_settings().clone();
        if let Some(user) = &config.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &password {
            settings = settings.set_password(password.expose());
        }
        Ok(info.set_redis_settings(settings))
    };
    config.url.expose().split(',').map(node).collect()
}

fn sentinels(
    config: &config::Redis,
    nodes: &[ConnectionInfo],
    certificates: Option<TlsCertificates>,
) -> RedisResult<SentinelClient> {
    let tls = nodes.iter().all(is_tls);
    let addresses = nodes.iter().map(|node| node.addr().clone());
    let service = config.service.as_deref().unwrap_or_default();
    let mut builder = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?;
    if let Some(settings) = nodes.first().map(ConnectionInfo::redis_settings) {
        builder = builder.set_client_to_redis_db(settings.db());
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
    }
    if let Some(password) = &config.sentinel_password {
        let password = password.read().map_err(|_| RedisError::from((ErrorKind::InvalidClientConfig, "no secret")))?;
        builder = builder.set_client_to_sentinel_password(password.expose());
    }
    if tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        if let Some(certificates) = certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
    }
    builder.build()
}

fn is_tls(node: &ConnectionInfo) -> bool {
    matches!(node.addr(), ConnectionAddr::TcpTls { .. })
}

/// The configured certificates; `None` where those of the system are enough.
fn certificates(tls: &config::Tls) -> Result<Option<TlsCertificates>, Error> {
    let files = tls.read()?;
    if files.ca.is_none() && files.identity.is_none() {
        return Ok(None);
    }
    let client_tls = files
        .identity
        .map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key: client_key.expose().into() });
    Ok(Some(TlsCertificates { client_tls, root_cert: files.ca }))
}
