//! How soon Redis shows what a connector says: signals of a large fleet at a steady rate against `bindery-agent run`, a
//! process of its own, with the real servers around it.
//!
//! Every tenth signal is watched: the clock runs from before it is published until a reader of Redis sees it or a later one of
//! its operator. Some connectors swing between good and bad, so that changes are recorded too. Run it in release mode.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bindery_agent::cli::dev::config;
use bindery_agent::config::Config;
use bindery_agent::dev::Stack;
use bindery_agent::health::ingest::SUBJECT;
use bindery_agent::store::{Redis, Stores};
use bindery_schema::wire::health::{BindState, HealthSignal};
use bindery_tests::bench::with_stack;
use bindery_tests::corpus::{self, Shape};
use bindery_tests::program::Agent;
use clap::Parser;
use jiff::Timestamp;
use sqlx::PgPool;
use tokio::time::MissedTickBehavior;

/// Time signals of connectors on their way into Redis.
#[derive(Parser)]
struct Arguments {
    /// Signals a second
    #[arg(long, default_value_t = 5_000)]
    rate: usize,
    /// Operators they are about
    #[arg(long, default_value_t = 2_000)]
    operators: usize,
    /// How long, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: usize,
}

/// Connectors of an operator.
const CONNECTORS: usize = 2;
/// One signal of so many is watched.
const WATCHED: usize = 10;
/// Of so many operators one swings.
const SWINGING: usize = 20;
/// Time between two groups of signals.
const BEAT: Duration = Duration::from_millis(2);
/// Time between two looks at Redis: what is seen is later than it was by that much at most.
const LOOK: Duration = Duration::from_millis(1);
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longest wait for the last signals.
const TAIL: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let repo = folder.path().join("corpus");
    corpus::generate(&repo, &Shape::new(arguments.operators, arguments.operators))?;
    corpus::commit(&repo, "The whole configuration")?;
    let measure = async |stack: &Stack, data_dir: &Path| measure(&config(stack, &repo, data_dir), &arguments).await;
    with_stack(folder.path(), Path::new("."), measure).await
}

/// Watched signals by operator, each with what Redis shows once it is there and when it was sent.
type Signals = BTreeMap<String, (String, Instant)>;

/// What is watched, and how long it took.
#[derive(Default)]
struct Watched {
    waiting: Signals,
    times: Vec<Duration>,
}

type Waiting = Arc<Mutex<Watched>>;

async fn measure(config: &Config, arguments: &Arguments) -> Result<()> {
    let agent = Agent::start(config).await;
    let stores = Stores::connect(config, &Arc::default()).await?;
    let operators = until_watched(&agent, &stores.postgres, arguments.operators).await?;
    let (accepted, cpu, logged) = (accepted(&agent).await?, cpu(&agent)?, logged(&stores.postgres).await?);
    let waiting = Waiting::default();
    let watching = tokio::spawn(watch(stores.redis.clone(), waiting.clone()));
    let begun = Instant::now();
    let sent = send(&stores, &operators, &waiting, arguments).await?;
    let took = begun.elapsed().as_secs_f64();
    let used = self::cpu(&agent)? - cpu;
    let tail = async {
        while !lock(&waiting).waiting.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let all_seen = tokio::time::timeout(TAIL, tail).await.is_ok();
    watching.abort();
    let Watched { waiting, mut times } = std::mem::take(&mut *lock(&waiting));
    let never_seen = waiting.len();
    times.sort_unstable();
    ensure!(!times.is_empty(), "no signal was ever seen");
    let at = |permille: usize| times[(times.len() * permille).div_ceil(1_000).max(1) - 1].as_secs_f64() * 1_000.0;
    let taken = self::accepted(&agent).await? - accepted;
    let changes = self::logged(&stores.postgres).await? - logged;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = sent as f64 / took;
    anstream::println!("| signal → visible in Redis, {} operators | |\n|---|---|", operators.len());
    anstream::println!("| signals sent, a second | {sent}, {rate:.0} |");
    anstream::println!("| of those taken in | {taken} |");
    anstream::println!("| watched, never seen | {}, {never_seen} |", times.len());
    anstream::println!(
        "| p50, p99, p99.9, slowest | {:.1}, {:.1}, {:.1}, {:.1} ms |",
        at(500),
        at(990),
        at(999),
        at(1_000)
    );
    anstream::println!("| changes recorded | {changes} |");
    anstream::println!("| CPU of the agent | {:.2} cores |", used / took);
    anstream::println!("| load average at the end | {} |", std::fs::read_to_string("/proc/loadavg")?.trim());
    agent.program.stop().await;
    ensure!(all_seen && taken == i64::try_from(sent)?, "signals were lost");
    Ok(())
}

/// Waits until the agent watches all operators, and says which there are.
async fn until_watched(agent: &Agent, pool: &PgPool, count: usize) -> Result<Vec<String>> {
    let wait = async {
        loop {
            let text = agent.ops("/metrics").await.1;
            if text.lines().filter(|line| line.starts_with("bindery_operator_health{")).count() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.context("the agent never watched all operators")?;
    Ok(sqlx::query_scalar("select id from ops.operators where deleted_at is null order by id").fetch_all(pool).await?)
}

/// Publishes at the rate, each signal measured at that moment.
async fn send(stores: &Stores, operators: &[String], waiting: &Waiting, arguments: &Arguments) -> Result<usize> {
    let client = stores.nats.client();
    let mut beat = tokio::time::interval(BEAT);
    // What is late is made up for: the rate is that of a fleet, which does not wait either.
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (total, mut sent) = (arguments.rate * arguments.seconds, 0);
    let begun = Instant::now();
    while sent < total {
        beat.tick().await;
        let due = (begun.elapsed().as_secs_f64() * f64::from(u32::try_from(arguments.rate)?))
            .min(f64::from(u32::try_from(total)?));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count below the total")]
        let due = due as usize;
        while sent < due {
            let (place, round) = (sent % operators.len(), sent / operators.len());
            let operator = &operators[place];
            let signal = signal(operator, place, round)?;
            let payload = serde_json::to_vec(&signal)?;
            if sent.is_multiple_of(WATCHED) {
                lock(waiting).waiting.entry(operator.clone()).or_insert((signal.at.to_string(), Instant::now()));
            }
            client.publish(stores.nats.subject(&format!("{SUBJECT}{operator}")), payload.into()).await?;
            sent += 1;
        }
    }
    client.flush().await?;
    Ok(sent)
}

/// A signal: good, but that some operators are bad for a while.
fn signal(operator: &str, place: usize, round: usize) -> Result<HealthSignal> {
    let is_bad = place.is_multiple_of(SWINGING) && (round / 16).is_multiple_of(2);
    Ok(HealthSignal {
        operator_id: operator.parse()?,
        connector_id: format!("smpp-connector-{}", round % CONNECTORS),
        bind_state: BindState::Bound,
        submitted: 100,
        failed: if is_bad { 40 } else { 1 },
        throttled: 2,
        p95_millis: 180,
        in_flight: 12,
        at: Timestamp::now().into(),
    })
}

/// Looks for the signals that wait.
async fn watch(redis: Redis, waiting: Waiting) -> Result<()> {
    loop {
        let wanted: Vec<(String, String, Instant)> =
            lock(&waiting).waiting.iter().map(|(operator, (at, sent))| (operator.clone(), at.clone(), *sent)).collect();
        if !wanted.is_empty() {
            let keys: Vec<_> =
                wanted.iter().map(|(operator, ..)| redis.key(&format!("ops:health:{operator}"))).collect();
            let mut connection = redis.connection();
            let shown: Vec<Option<String>> = redis::cmd("MGET").arg(keys).query_async(&mut connection).await?;
            for ((operator, at, sent), shown) in wanted.into_iter().zip(shown) {
                let shown: serde_json::Value = serde_json::from_str(&shown.unwrap_or_default()).unwrap_or_default();
                // Instants of one form: they compare as their texts do.
                if shown["lastSignalAt"].as_str().is_some_and(|shown| shown >= at.as_str()) {
                    let mut watched = lock(&waiting);
                    watched.times.push(sent.elapsed());
                    watched.waiting.remove(&operator);
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, Watched> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Signals the agent has taken in.
async fn accepted(agent: &Agent) -> Result<i64> {
    let text = agent.ops("/metrics").await.1;
    let line = text.lines().find_map(|line| line.strip_prefix("bindery_health_signals_total{outcome=\"accepted\"} "));
    Ok(line.context("the agent counts no signals")?.parse()?)
}

async fn logged(pool: &PgPool) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from ops.operator_health_log").fetch_one(pool).await?)
}

/// Seconds of CPU the agent has used, in user and system mode (proc(5), fields 14 and 15, in hundredths).
fn cpu(agent: &Agent) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", agent.program.id()))?;
    // The second field is a name that may have spaces in it.
    let fields: Vec<&str> = stat.rsplit_once(')').context("no statistics")?.1.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
