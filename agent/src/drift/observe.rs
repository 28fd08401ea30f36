//! Reads the four stores in full. Each answers for itself: one that cannot be read is not observed, and nothing follows
//! from it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bindery_schema::value::OperatorId;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::secrets::{Held, Key};
use crate::http::error::chain;
use crate::store::postgres::control::{self, Control};
use crate::store::postgres::full::{self, Tables};
use crate::store::postgres::{self, intents, read, sync_state};
use crate::store::vault::{self, Vault};
use crate::store::{Stores, nats, redis};
use crate::sync::secrets::PARALLEL;

/// What the stores hold; why not, where one cannot be read.
#[derive(Debug)]
pub struct Found {
    /// The configuration tables, and the step they belong to.
    pub postgres: Result<Postgres, String>,
    /// Secrets by operator.
    pub vault: Result<BTreeMap<String, Held>, String>,
    /// Projections by key.
    pub redis: Result<BTreeMap<String, String>, String>,
    /// Subjects and duplicate window of the stream; `None` where there is no stream.
    pub nats: Result<Option<(Vec<String>, Duration)>, String>,
}

/// Postgres as one snapshot shows it.
#[derive(Debug)]
pub struct Postgres {
    /// The step.
    pub state: sync_state::SyncState,
    /// The tables.
    pub tables: Tables,
    /// Operators whose secret is being written or deleted.
    pub intended: BTreeSet<String>,
    /// What people have said.
    pub control: Control,
}

/// Reads all four at once.
#[tracing::instrument(name = "drift.observe", skip_all)]
pub async fn observe(stores: &Stores, key: &Key) -> Found {
    let (postgres, vault, redis, nats) = tokio::join!(
        postgres(stores),
        secrets(&stores.vault, key),
        stores.redis.projections(),
        stores.nats.observe_stream()
    );
    Found {
        postgres: postgres.map_err(|error: postgres::Error| chain(&error)),
        vault: vault.map_err(|error: vault::Error| chain(&error)),
        redis: redis.map_err(|error: redis::Error| chain(&error)),
        nats: nats.map_err(|error: nats::Error| chain(&error)),
    }
}

async fn postgres(stores: &Stores) -> Result<Postgres, postgres::Error> {
    let mut snapshot = read::snapshot(&stores.postgres).await?;
    let state = sync_state::read(&mut snapshot).await?;
    let tables = full::read(&mut snapshot).await?;
    let intents = intents::open(&mut snapshot).await?;
    let control = control::read(&mut snapshot).await?;
    snapshot.commit().await?;
    let intended = intents.into_iter().map(|intent| intent.operator.to_string()).collect();
    Ok(Postgres { state, tables, intended, control })
}

/// Every secret there is. One that is listed and not there was deleted, and its versions are kept.
async fn secrets(vault: &Vault, key: &Key) -> Result<BTreeMap<String, Held>, vault::Error> {
    let names = vault.operators().await?;
    let ids = names.iter().filter_map(|name| name.parse::<OperatorId>().ok());
    let read = |id: OperatorId| {
        async move {
            let stored = vault.read_credentials(&id).await?;
            Ok::<_, vault::Error>(stored.map(|stored| (id.to_string(), Held::of(&stored, key))))
        }
        .boxed()
    };
    let reads: Vec<_> = ids.map(read).collect();
    let found: Vec<Option<(String, Held)>> = stream::iter(reads).buffer_unordered(PARALLEL).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
