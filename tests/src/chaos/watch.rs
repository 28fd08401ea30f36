//! What may be looked at in Postgres at any time, in the middle of an outage too: who leads, and how far the steps are.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bindery_agent::config::Config;
use bindery_schema::secret::Secret;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

use super::Violation;

/// Longest wait for Postgres: an outage is nothing to wait for.
const PATIENCE: Duration = Duration::from_millis(500);

/// The numbers that only grow, as they were seen last.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    lease: i64,
    fence: i64,
    generation: i64,
}

/// Somebody who looks on.
#[derive(Debug)]
pub struct Watch {
    postgres: PgPool,
    seen: Numbers,
}

impl Watch {
    /// Looks at the database of an agent as the owner of its tables.
    pub fn new(config: &Config) -> Result<Self> {
        let url = config.postgres.migrate_url.as_ref().map(Secret::expose).context("there is no owner's address")?;
        let postgres = PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE).connect_lazy(url)?;
        Ok(Self { postgres, seen: Numbers::default() })
    }

    /// What has become smaller since the last look; nothing is known while Postgres is away.
    pub async fn look(&mut self) -> Vec<Violation> {
        let sql = "select coalesce((select fence from ops.leases where name = 'sync'), 0), fence, generation
                   from ops.sync_state";
        let read = sqlx::query_as::<_, (i64, i64, i64)>(sql).fetch_one(&self.postgres);
        let Ok(Ok((lease, fence, generation))) = tokio::time::timeout(PATIENCE, read).await else { return Vec::new() };
        let now = Numbers { lease, fence, generation };
        let before = std::mem::replace(&mut self.seen, now);
        let shrunk = now.lease < before.lease || now.fence < before.fence || now.generation < before.generation;
        let difference = || format!("a number has become smaller: {before:?} was followed by {now:?}");
        shrunk.then(|| Violation::new("leases", difference())).into_iter().collect()
    }

    /// A text asked of Postgres; none where there is none, or while Postgres is away.
    pub async fn text(&self, sql: &'static str) -> Option<String> {
        let read = sqlx::query_scalar::<_, Option<String>>(sql).fetch_optional(&self.postgres);
        tokio::time::timeout(PATIENCE, read).await.ok()?.ok()??
    }

    /// Changes something by hand; the number of rows, or none while Postgres is away or somebody has them locked.
    pub async fn execute(&self, sql: String) -> Option<u64> {
        let run = sqlx::query(AssertSqlSafe(sql)).execute(&self.postgres);
        Some(tokio::time::timeout(PATIENCE, run).await.ok()?.ok()?.rows_affected())
    }

    /// The hash of the plan that is held.
    pub async fn held(&self) -> Option<String> {
        self.text("select plan_hash from ops.held_plan where released_by is null").await
    }

    /// Who has the lease.
    pub async fn leader(&self) -> Option<String> {
        self.text("select holder from ops.leases where name = 'sync' and expires_at > now()").await
    }
}
