//! How long a commit takes to arrive in all four stores and on the stream: p50 and p99 of a hundred commits.
//!
//! Starts the private stack and an agent on this repository's own operators. Each commit changes one operator's
//! throughput and seals a new password for it; the clock runs from the wake-up that makes the agent fetch until the
//! event is received, Redis shows the new value, and Vault holds a new version. Run it in release mode.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bindery_agent::cli::dev::config;
use bindery_agent::dev::{Stack, seed};
use bindery_agent::runtime::Agent;
use bindery_compiler::{edit, seal};
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use bindery_schema::wire::api::SyncPhase;
use bindery_schema::wire::event::{CloudEvent, OPERATOR_UPDATED};
use bindery_tests::bench::with_stack;
use clap::Parser;
use futures::StreamExt as _;
use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature};

/// Prints p50 and p99 of the time from fetch to convergence.
#[derive(Parser)]
struct Arguments {
    /// Commits to measure
    #[arg(long, default_value_t = 100)]
    commits: usize,
    /// Repository whose HEAD is applied first
    #[arg(long, default_value = ".")]
    repo: PathBuf,
}

/// Longest wait for one commit.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let repo = arguments.repo.canonicalize()?;
    let folder = tempfile::tempdir()?;
    let bare = folder.path().join("forge.git");
    let measure = async |stack: &Stack, data_dir: &Path| {
        seed::seed(&repo, &bare, &stack.pki.age_recipient, jiff::Timestamp::now())?;
        measure(stack, &bare, data_dir, arguments.commits).await
    };
    let mut times = with_stack(folder.path(), &repo, measure).await?;
    times.sort();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1].as_millis();
    anstream::println!("| commits | p50 ms | p99 ms | slowest ms |\n|---|---|---|---|");
    anstream::println!("| {} | {} | {} | {} |", times.len(), at(50), at(99), at(100));
    Ok(())
}

async fn measure(stack: &Stack, bare: &Path, data_dir: &Path, commits: usize) -> Result<Vec<Duration>> {
    let agent = Agent::start(config(stack, bare, data_dir)).await?;
    let mut status = agent.status();
    tokio::time::timeout(PATIENCE, status.wait_for(|status| status.phase == SyncPhase::InSync)).await??;
    let shared = agent.shared().clone();
    let mut events = shared.stores.nats.client().subscribe(OPERATOR_UPDATED).await?;
    let git = Repository::open_bare(bare)?;
    let operators: Vec<(String, String)> = sqlx::query_as(
        "select id, source_path from ops.operators where status = 'ACTIVE' and tps_outbound > 10 order by id",
    )
    .fetch_all(&shared.stores.postgres)
    .await?;
    ensure!(!operators.is_empty(), "no operator to change");
    let mut times = Vec::with_capacity(commits);
    for n in 0..commits {
        let (id, path) = &operators[n % operators.len()];
        let operator: OperatorId = id.parse()?;
        let version = shared.stores.vault.version(&operator).await?;
        let tps = change(&git, &operator, path, n, &stack.pki.age_recipient)?;
        let begun = Instant::now();
        shared.trigger.notify_one();
        let arrived = async {
            loop {
                let message = events.next().await.context("the subscription ended")?;
                let event: CloudEvent = serde_json::from_slice(&message.payload)?;
                if event.subject == *id {
                    break;
                }
            }
            let mut redis = shared.stores.redis.connection();
            let key = shared.stores.redis.key(&format!("ops:operator:{id}"));
            loop {
                let shown: Option<String> = redis::cmd("GET").arg(&key).query_async(&mut redis).await?;
                let shown: serde_json::Value = serde_json::from_str(&shown.unwrap_or_default()).unwrap_or_default();
                if shown["tps"]["outbound"] == tps {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            ensure!(shared.stores.vault.version(&operator).await? != version, "Vault holds the old password");
            Ok(())
        };
        tokio::time::timeout(PATIENCE, arrived).await.with_context(|| format!("commit {n} did not arrive"))??;
        times.push(begun.elapsed());
    }
    agent.shutdown().await;
    Ok(times)
}

/// Commits another throughput and another password for an operator; answers the throughput.
fn change(git: &Repository, operator: &OperatorId, path: &str, n: usize, recipient: &str) -> Result<u64> {
    let tip = git.find_reference("refs/heads/main")?.peel_to_commit()?;
    let tree = tip.tree()?;
    let blob = git.find_blob(tree.get_path(Path::new(path))?.id())?;
    let text = std::str::from_utf8(blob.content())?;
    let line = text.lines().find(|line| line.trim_start().starts_with("outbound:")).context("no tps.outbound")?;
    let now: u64 = line.rsplit(' ').next().unwrap_or_default().parse()?;
    let text = text.replacen(line, &line.replace(&now.to_string(), &(now - 1).to_string()), 1);
    let sealed = seal::seal(operator, &Secret::new(format!("pw{n:05}")), &[recipient.to_owned()])?;
    let text = edit::set_sealed(&text, operator, &sealed)?;
    let tree: Oid =
        TreeUpdateBuilder::new().upsert(path, git.blob(text.as_bytes())?, FileMode::Blob).create_updated(git, &tree)?;
    let author = Signature::now("Bench", "bench@bindery.example")?;
    let message = format!("Change {operator} ({n})");
    git.commit(Some("refs/heads/main"), &author, &author, &message, &git.find_tree(tree)?, &[&tip])?;
    Ok(now - 1)
}
