//! Redis as the states are read from it: one server, or the one that Sentinels name.

use std::time::Duration;

use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::HealthView;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, TlsMode};
use redis::{RedisError, RedisResult};
use tokio::sync::Mutex;

use crate::config;

/// Longest wait for Redis: there is another source.
const WAIT: Duration = Duration::from_millis(500);
/// Longest wait where Sentinels have to be asked first, of which the first may be away.
const SEARCH: Duration = Duration::from_secs(2);

/// The cache.
pub(super) struct Cache {
    way: Way,
    prefix: String,
}

enum Way {
    Single(ConnectionManager),
    Sentinel(Box<Mutex<Watched>>),
}

/// The server that the Sentinels name.
struct Watched {
    sentinels: SentinelClient,
    server: Option<MultiplexedConnection>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Cache {
    /// A connection that is opened when it is first needed, and again when it is lost.
    pub(super) fn new(config: &config::Redis) -> RedisResult<Self> {
        let way = match &config.sentinel {
            None => {
                let settings = ConnectionManagerConfig::new()
                    .set_number_of_retries(1)
                    .set_connection_timeout(Some(WAIT))
                    .set_response_timeout(Some(WAIT));
                let client = redis::Client::open(config.url.expose())?;
                Way::Single(ConnectionManager::new_lazy_with_config(client, settings)?)
            }
            Some(sentinel) => {
                let sentinels = sentinels(config.url.expose(), sentinel)?;
                Way::Sentinel(Box::new(Mutex::new(Watched { sentinels, server: None })))
            }
        };
        Ok(Self { way, prefix: config.key_prefix.clone() })
    }

    /// The states shown for operators; nothing where Redis is away, which is not the same as none shown.
    pub(super) async fn read(&self, operators: &[OperatorId]) -> Option<Vec<Option<HealthView>>> {
        let mut command = redis::cmd("MGET");
        for operator in operators {
            command.arg(format!("{}ops:health:{operator}", self.prefix));
        }
        let texts = match &self.way {
            Way::Single(connection) => ask(&command, &mut connection.clone()).await,
            Way::Sentinel(watched) => {
                let mut server = tokio::time::timeout(SEARCH, server(watched)).await.ok()?.ok()?;
                let texts = ask(&command, &mut server).await;
                if texts.is_none() {
                    // It is gone, or is asked in vain: the Sentinels may know of another one.
                    watched.lock().await.server = None;
                }
                texts
            }
        };
        Some(texts?.into_iter().map(|text| serde_json::from_str(&text?).ok()).collect())
    }
}

async fn ask(command: &redis::Cmd, connection: &mut impl redis::aio::ConnectionLike) -> Option<Vec<Option<String>>> {
    tokio::time::timeout(2 * WAIT, command.query_async(connection)).await.ok()?.ok()
}

/// A connection to the server, for which the Sentinels are asked where there is none.
async fn server(watched: &Mutex<Watched>) -> RedisResult<MultiplexedConnection> {
    let mut watched = watched.lock().await;
    if let Some(server) = &watched.server {
        return Ok(server.clone());
    }
    let settings = AsyncConnectionConfig::new().set_connection_timeout(Some(WAIT)).set_response_timeout(Some(WAIT));
    let server = watched.sentinels.get_async_connection_with_config(&settings).await?;
    watched.server = Some(server.clone());
    Ok(server)
}

fn sentinels(urls: &str, config: &config::Sentinel) -> RedisResult<SentinelClient> {
    let nodes: Vec<ConnectionInfo> =
        urls.split(',').map(|url| url.trim().into_connection_info()).collect::<RedisResult<_>>()?;
    let first = nodes.first().ok_or_else(|| RedisError::from((ErrorKind::InvalidClientConfig, "no Sentinel")))?;
    let (settings, tls) = (first.redis_settings().clone(), matches!(first.addr(), ConnectionAddr::TcpTls { .. }));
    let addresses = nodes.iter().map(|node| node.addr().clone());
    let mut builder = SentinelClientBuilder::new(addresses, &*config.service, SentinelServerType::Master)?
        .set_client_to_redis_db(settings.db());
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(password) = &config.password {
        builder = builder.set_client_to_sentinel_password(password.expose());
    }
    if tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    builder.build()
}
