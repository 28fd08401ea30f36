//! How fast a large configuration gets into the stores: the first sync beside a bare COPY and merge of the same rows on
//! the same server, then a commit that changes ten operators and their passwords.
//!
//! Starts the private stack and an agent on a generated repository. Run it in release mode.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bindery_agent::cli::dev::config;
use bindery_agent::dev::Stack;
use bindery_agent::runtime::Agent;
use bindery_agent::shared::Shared;
use bindery_compiler::{edit, seal};
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::SyncPhase;
use bindery_tests::bench::with_stack;
use bindery_tests::corpus::{self, DEFAULT_SEED, Mutation, Shape, Size};
use clap::Parser;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use sqlx::PgPool;

/// Time the first sync and a small commit after it.
#[derive(Parser)]
struct Arguments {
    /// S = 100 operators and 2,000 routes, M = 2,000 and 50,000, L = 10,000 and 1,000,000
    #[arg(long, value_enum, default_value = "L")]
    size: Size,
    /// Operators the commit changes
    #[arg(long, default_value_t = 10)]
    changed: usize,
    /// Commits of that kind; the slowest counts
    #[arg(long, default_value_t = 5)]
    commits: u64,
}

/// Longest wait for a sync.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long after a transaction its reads are certain to stand in the statistics (`PGSTAT_IDLE_INTERVAL` is 10 s).
const COUNTED: Duration = Duration::from_secs(12);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let repo = folder.path().join("corpus");
    let summary = corpus::generate(&repo, &Shape::from(arguments.size))?;
    corpus::commit(&repo, "The whole configuration")?;
    let measure =
        async |stack: &Stack, data_dir: &Path| measure(stack, &repo, data_dir, &arguments, summary.operators).await;
    with_stack(folder.path(), Path::new("."), measure).await
}

async fn measure(stack: &Stack, repo: &Path, data_dir: &Path, arguments: &Arguments, operators: usize) -> Result<()> {
    let mut config = config(stack, repo, data_dir);
    // Looks at the stores have their own time.
    config.drift.every_seconds = 0.0;
    let begun = Instant::now();
    let agent = Agent::start(config).await?;
    let shared = agent.shared().clone();
    let pool = &shared.stores.postgres;
    let committed = until_step(pool, 1).await?;
    let applied_at: i64 =
        number(pool, "select (extract(epoch from applied_at) * 1000000)::bigint from ops.sync_state").await?;
    let transaction = seconds_between(applied_at, committed);
    let mut status = agent.status();
    tokio::time::timeout(PATIENCE, status.wait_for(|status| status.phase == SyncPhase::InSync)).await??;
    let whole = begun.elapsed().as_secs_f64();
    let rules = number(pool, "select count(*) from ops.routing_rules").await?;
    until_published(pool).await?;
    // The agent's role may not make tables.
    let owner = PgPool::connect(&stack.postgres.url()).await?;
    let bare = bare(&owner).await?;
    owner.close().await;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = |seconds: f64| rules as f64 / seconds;
    anstream::println!(
        "| first sync of {operators} operators, {rules} rules | s | rules/s | : bare |\n|---|---|---|---|"
    );
    anstream::println!(
        "| from start to all stores, compiling included | {whole:.2} | {:.0} | {:.2} |",
        rate(whole),
        bare / whole
    );
    anstream::println!(
        "| the transaction: rules, operators, carriers, events, audit | {transaction:.2} | {:.0} | {:.2} |",
        rate(transaction),
        bare / transaction
    );
    anstream::println!("| bare COPY and merge of the rules | {bare:.2} | {:.0} | 1.00 |\n", rate(bare));

    tokio::time::sleep(COUNTED).await;
    let before = rules_read(pool).await?;
    let mut slowest = Duration::ZERO;
    let mut written = 0;
    for n in 1..=arguments.commits {
        let mutations = corpus::mutate(repo, arguments.changed, DEFAULT_SEED + n)?;
        for mutation in &mutations {
            rotate(repo, mutation, n, &stack.pki.age_recipient)?;
            written += 2 + i64::from(mutation.removed);
        }
        corpus::commit(repo, &format!("Change {} operators", mutations.len()))?;
        let took = small(&shared, n, &mutations).await?;
        slowest = slowest.max(took);
    }
    tokio::time::sleep(COUNTED).await;
    let read = rules_read(pool).await? - before;
    let phases = number(pool, "select max((extract(epoch from finished_at - started_at) * 1000)::bigint) from ops.sync_runs where generation > 1").await?;
    anstream::println!("| commit of {} operators and passwords | |\n|---|---|", arguments.changed);
    anstream::println!("| commits | {} |", arguments.commits);
    anstream::println!("| slowest, from the fetch to all four stores | {} ms |", slowest.as_millis());
    anstream::println!("| of it until the transaction began, at most | {phases} ms |");
    anstream::println!("| rules written | {written} |");
    anstream::println!("| rules read, of {rules} | {read} |");
    agent.shutdown().await;
    Ok(())
}

/// Changes an operator's password as well.
fn rotate(repo: &Path, mutation: &Mutation, n: u64, recipient: &str) -> Result<()> {
    let operator: OperatorId = mutation.operator.parse()?;
    let routes = find(repo, &format!("{operator}.routes.yaml"))?;
    let file = routes.with_file_name(format!("{operator}.yaml"));
    let sealed = seal::seal(&operator, &Secret::new(format!("pw{n:05}")), &[recipient.to_owned()])?;
    let text = std::fs::read_to_string(&file)?;
    Ok(std::fs::write(&file, edit::set_sealed(&text, &operator, &sealed)?)?)
}

fn find(dir: &Path, name: &str) -> Result<std::path::PathBuf> {
    let folders = std::fs::read_dir(dir.join("operators"))?.collect::<Result<Vec<_>, _>>()?;
    let found = folders.into_iter().map(|folder| folder.path().join(name)).find(|file| file.is_file());
    found.with_context(|| format!("there is no {name}"))
}

/// Wakes the agent and waits until Postgres, Vault, Redis and the stream have a commit's effects.
async fn small(shared: &Shared, n: u64, mutations: &[Mutation]) -> Result<Duration> {
    let begun = Instant::now();
    shared.trigger.notify_one();
    let generation = i64::try_from(n)? + 1;
    until_step(&shared.stores.postgres, generation).await?;
    let redis = async {
        while shared.stores.redis.catalog().await?.is_none_or(|shown| shown.generation < generation) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, redis).await??;
    until_published(&shared.stores.postgres).await?;
    let took = begun.elapsed();
    for mutation in mutations {
        let stored = shared.stores.vault.read_credentials(&mutation.operator.parse()?).await?;
        ensure!(stored.is_some_and(|stored| stored.password.expose() == format!("pw{n:05}")), "Vault lacks a password");
    }
    Ok(took)
}

/// Waits until a step is applied and says when it was, in microseconds since 1970.
async fn until_step(pool: &PgPool, generation: i64) -> Result<i64> {
    let wait = async {
        loop {
            // Before the migrations there is no table.
            let now = number(pool, "select generation from ops.sync_state").await.unwrap_or_default();
            if now >= generation {
                return Timestamp::now().as_microsecond();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.with_context(|| format!("step {generation} was not applied in time"))
}

async fn until_published(pool: &PgPool) -> Result<()> {
    let wait = async {
        while number(pool, "select count(*) from ops.outbox where published_at is null").await? > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, wait).await?
}

async fn number(pool: &PgPool, sql: &'static str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}

#[expect(clippy::cast_precision_loss, reason = "seconds for people")]
fn seconds_between(from: i64, to: i64) -> f64 {
    (to - from) as f64 / 1e6
}

/// Rows of rules that queries have read since the statistics began.
async fn rules_read(pool: &PgPool) -> Result<i64> {
    let sql = "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables
               where schemaname = 'ops' and relname = 'routing_rules'";
    number(pool, sql).await
}

/// Seconds for COPY into a temporary table and one merge into a table with the same columns, keys, indexes, checks and
/// reference, in one transaction.
async fn bare(pool: &PgPool) -> Result<f64> {
    let mut connection = pool.acquire().await?;
    let columns = "operator_id, prefix, priority, weight, cost, currency, active, narrows, split";
    let mut rows = Vec::new();
    let mut copied = connection
        .copy_out_raw(&format!("copy (select {columns} from ops.routing_rules order by 1, 2) to stdout"))
        .await?;
    while let Some(piece) = copied.try_next().await? {
        rows.extend_from_slice(&piece);
    }
    drop(copied);
    let prepare = "create schema bench; create table bench.rules (like ops.routing_rules including all);
         alter table bench.rules add foreign key (operator_id) references ops.operators (id) on update cascade";
    sqlx::raw_sql(prepare).execute(&mut *connection).await?;
    let begun = Instant::now();
    let temporary = "begin; create temporary table bare (like ops.routing_rules) on commit drop";
    sqlx::raw_sql(temporary).execute(&mut *connection).await?;
    let mut copy = connection.copy_in_raw(&format!("copy bare ({columns}) from stdin")).await?;
    for chunk in rows.chunks(256 * 1024) {
        copy.send(chunk).await?;
    }
    copy.finish().await?;
    let merge = "analyze bare; insert into bench.rules select * from bare
         on conflict (operator_id, prefix) do update set priority = excluded.priority, weight = excluded.weight,
             cost = excluded.cost, currency = excluded.currency, active = excluded.active, narrows = excluded.narrows,
             split = excluded.split;
         commit";
    sqlx::raw_sql(merge).execute(&mut *connection).await?;
    let took = begun.elapsed().as_secs_f64();
    sqlx::raw_sql("drop schema bench cascade").execute(&mut *connection).await?;
    Ok(took)
}
