//! Redis: a cache of what other services ask for all the time. Everything in it can be derived again.
//!
//! Every projection carries the step that wrote it. One script writes them all and refuses a step older than the one
//! `ops:catalog` names, so an agent that has lost the lead cannot put old numbers over new ones.

mod connection;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use bindery_schema::contract::Direction;
use bindery_schema::value::{MnoId, OperatorId};
use bindery_schema::wire::projection::{CatalogProjection, OperatorProjection, TpsProjection};
use redis::{AsyncCommands, Script};
use tokio::sync::Mutex;

use crate::config;
use crate::failpoint::{self, Point};
pub use connection::Connection;

/// Which step the cache shows.
const CATALOG: &str = "ops:catalog";
/// Keys written by one call of the script; keeps each call under a few milliseconds of the server's only thread.
const BATCH: usize = 500;

/// Why Redis did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured address cannot be used.
    #[error("the configured address of Redis cannot be used")]
    Configuration,
    /// A file of the configuration cannot be used.
    #[error(transparent)]
    File(#[from] config::ReadError),
    /// The server did not answer or refused.
    #[error("Redis did not carry out {0}")]
    Failed(&'static str, #[source] redis::RedisError),
    /// A newer step is already shown.
    #[error("Redis already shows a newer step")]
    Newer,
    /// A value could not be written as JSON.
    #[error("a projection cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// KEYS[1] is the catalog, the others are set to ARGV[2…] or deleted where that is empty. ARGV[1] is the generation.
static WRITE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local shown = redis.call('GET', KEYS[1])
        if shown then
            local ok, catalog = pcall(cjson.decode, shown)
            if ok and type(catalog) == 'table' and tonumber(catalog.generation)
                and tonumber(catalog.generation) > tonumber(ARGV[1]) then
                return 0
            end
        end
        for i = 2, #KEYS do
            if ARGV[i] == '' then redis.call('DEL', KEYS[i]) else redis.call('SET', KEYS[i], ARGV[i]) end
        end
        return 1
        ",
    )
});

/// A part of the keys that are like ARGV[2]. A script, since Redis Cluster sends one to the node that has KEYS[1], and a
/// plain SCAN to any.
static SCAN: LazyLock<Script> =
    LazyLock::new(|| Script::new("return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 1000)"));

/// A key to write; `None` deletes it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key without the installation's prefix.
    pub key: String,
    /// JSON.
    pub value: Option<String>,
}

impl Entry {
    /// `ops:catalog`.
    pub fn catalog(projection: &CatalogProjection) -> Result<Self, Error> {
        Ok(Self { key: CATALOG.to_owned(), value: Some(serde_json::to_string(projection)?) })
    }

    /// `ops:operator:{operatorId}`.
    pub fn operator(projection: &OperatorProjection) -> Result<Self, Error> {
        Ok(Self { key: operator_key(&projection.id), value: Some(serde_json::to_string(projection)?) })
    }

    /// The removal of `ops:operator:{operatorId}`.
    pub fn without_operator(id: &OperatorId) -> Self {
        Self { key: operator_key(id), value: None }
    }

    /// `ops:tps:{mno}:{direction}`.
    pub fn tps(mno: &MnoId, direction: Direction, projection: &TpsProjection) -> Result<Self, Error> {
        Ok(Self { key: format!("ops:tps:{mno}:{direction}"), value: Some(serde_json::to_string(projection)?) })
    }

    /// The removal of a carrier's `ops:tps:*`.
    pub fn without_tps(mno: &MnoId) -> [Self; 2] {
        Direction::ALL.map(|direction| Self { key: format!("ops:tps:{mno}:{direction}"), value: None })
    }
}

/// A text as a pattern that nothing else is like.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| r"\*?[]".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

fn operator_key(id: &OperatorId) -> String {
    format!("ops:operator:{id}")
}

/// A connection that comes back by itself. Cheap to clone.
#[derive(Clone)]
pub struct Redis {
    connection: Connection,
    prefix: Arc<str>,
    /// Held from a step's first entry to its `ops:catalog`: until that is written the script would let another task
    /// mix in entries of the step before.
    projecting: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Redis {
    /// A connection that is opened when it is first needed.
    pub fn new(config: &config::Redis) -> Result<Self, Error> {
        let connection = Connection::new(config)?;
        Ok(Self { connection, prefix: config.key_prefix.as_str().into(), projecting: Arc::default() })
    }

    /// The connection, for commands of one's own.
    pub fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// A key under the installation's prefix.
    pub fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Whether the server answers.
    pub async fn ping(&self) -> Result<(), Error> {
        redis::cmd("PING").query_async::<()>(&mut self.connection()).await.map_err(|error| Error::Failed("PING", error))
    }

    /// The step the cache shows; `None` where it is empty or holds something else.
    pub async fn catalog(&self) -> Result<Option<CatalogProjection>, Error> {
        let text: Option<String> =
            self.connection().get(self.key(CATALOG)).await.map_err(|error| Error::Failed("GET", error))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Keys the cache holds that `keep` does not want.
    pub async fn leftovers(&self, keep: impl Fn(&str) -> bool) -> Result<Vec<Entry>, Error> {
        let keys = self.keys().await?.into_iter().filter(|key| !keep(key));
        Ok(keys.map(|key| Entry { key, value: None }).collect())
    }

    /// Every projection as it stands, by key. A key that holds no text is there with an empty one.
    pub async fn projections(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut connection = self.connection();
        let mut keys = self.keys().await?;
        keys.insert(CATALOG.to_owned());
        let keys: Vec<String> = keys.into_iter().collect();
        let mut found = BTreeMap::new();
        for batch in keys.chunks(BATCH) {
            let full: Vec<String> = batch.iter().map(|key| self.key(key)).collect();
            let values: Vec<Option<String>> = redis::cmd("MGET")
                .arg(full)
                .query_async(&mut connection)
                .await
                .map_err(|error| Error::Failed("MGET", error))?;
            found.extend(batch.iter().cloned().zip(values.into_iter().map(Option::unwrap_or_default)));
        }
        if found.get(CATALOG).is_some_and(String::is_empty) {
            found.remove(CATALOG);
        }
        Ok(found)
    }

    /// Keys of projections. A scan may name a key twice.
    async fn keys(&self) -> Result<BTreeSet<String>, Error> {
        let mut connection = self.connection();
        let mut found = BTreeSet::new();
        for pattern in ["ops:operator:", "ops:tps:"] {
            let mut cursor = 0_u64;
            loop {
                let mut call = SCAN.prepare_invoke();
                call.key(self.key(CATALOG)).arg(cursor).arg(format!("{}{pattern}*", escaped(&self.prefix)));
                let (next, keys): (u64, Vec<String>) =
                    call.invoke_async(&mut connection).await.map_err(|error| Error::Failed("SCAN", error))?;
                found.extend(keys.iter().filter_map(|key| key.strip_prefix(&*self.prefix)).map(str::to_owned));
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Forgets which step the cache shows, where it still says what it said: so that it is filled anew.
    pub async fn forget_catalog(&self, shown: &CatalogProjection) -> Result<(), Error> {
        if self.catalog().await?.as_ref() == Some(shown) {
            let deleted = self.connection().del::<_, i64>(self.key(CATALOG)).await;
            deleted.map_err(|error| Error::Failed("DEL", error))?;
        }
        Ok(())
    }

    /// Writes a step's entries, and `ops:catalog` after all of them: whoever reads that step in it finds its entries.
    pub async fn project(&self, catalog: &CatalogProjection, entries: &[Entry]) -> Result<(), Error> {
        let _alone = self.projecting.lock().await;
        for batch in entries.chunks(BATCH) {
            self.write(catalog.generation, batch).await?;
        }
        failpoint::reach(Point::HalfProjected).await;
        self.write(catalog.generation, &[Entry::catalog(catalog)?]).await?;
        failpoint::reach(Point::Projected).await;
        Ok(())
    }

    /// Writes entries of a step that `ops:catalog` already names.
    pub async fn write(&self, generation: i64, entries: &[Entry]) -> Result<(), Error> {
        let mut call = WRITE.prepare_invoke();
        call.key(self.key(CATALOG)).arg(generation);
        for entry in entries {
            call.key(self.key(&entry.key)).arg(entry.value.as_deref().unwrap_or(""));
        }
        let written: i64 =
            call.invoke_async(&mut self.connection()).await.map_err(|error| Error::Failed("the projection", error))?;
        if written == 1 { Ok(()) } else { Err(Error::Newer) }
    }
}
