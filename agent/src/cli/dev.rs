//! `bindery-agent dev`: the private stack, a bare repository that plays the forge, and an agent that follows it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use bindery_schema::secret::Secret;
use bindery_schema::wire::api::SyncPhase;
use jiff::Timestamp;

use super::token::{DEV_AUDIENCE, DEV_ISSUER, mint_dev};
use crate::config::{Admin, Config, Internal, Nats, Ops, Postgres, Redis, Repository, Secrets, Vault};
use crate::dev::{Pki, Stack, StackOptions, Tools, seed};
use crate::http::permissions::Role;
use crate::runtime::Agent;
use crate::store::postgres::read;

/// How long a first sync may take before the command says that it is still waiting.
const PATIENCE: Duration = Duration::from_secs(120);

/// Arguments of `bindery-agent dev`.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  bindery-agent dev\n  source .bindery/dev/env && git clone $BINDERY_REPO work")]
pub struct Args {
    /// Working copy whose HEAD seeds the bare repository
    #[arg(long, default_value = ".", value_name = "DIR")]
    repo: PathBuf,
    /// Where the stack keeps its data [default: .bindery/dev below the working copy]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Runs until it is interrupted.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let repo = args.repo.canonicalize().with_context(|| format!("cannot find {}", args.repo.display()))?;
    let data_dir = args.data_dir.unwrap_or_else(|| repo.join(".bindery/dev"));
    let tools = Tools::find(&Tools::default_dir(&repo))?;
    say("starting Postgres, NATS, Redis and OpenBao");
    let stack = Stack::start(StackOptions { data_dir: data_dir.clone(), tools, durable: true }).await?;
    let outcome = serve(&stack, &repo, &data_dir).await;
    say("stopping");
    stack.stop().await;
    outcome
}

async fn serve(stack: &Stack, repo: &Path, data_dir: &Path) -> anyhow::Result<()> {
    let bare = data_dir.join("forge.git");
    let (from, to, recipient) = (repo.to_owned(), bare.clone(), stack.pki.age_recipient.clone());
    tokio::task::spawn_blocking(move || seed::seed(&from, &to, &recipient, Timestamp::now())).await??;
    let config = config(stack, &bare, data_dir);
    let agent = Agent::start(config).await?;
    let env = data_dir.join("env");
    let token = mint_dev(data_dir, &[Role::CarrierAdmin])?;
    write_private(&env, &environment(stack, &agent, &bare, &token))?;
    say("applying the configuration");
    let mut status = agent.status();
    let first = status.wait_for(|status| !matches!(status.phase, SyncPhase::Starting | SyncPhase::Applying));
    if tokio::time::timeout(PATIENCE, first).await.is_err() {
        say("the first sync is still running; see GET /v1/admin/sync");
    }
    let operator = read::any_operator(&agent.shared().stores.postgres).await?;
    say(&greeting(&agent, &bare, &env, stack, operator.as_deref().unwrap_or("OPERATOR")));
    let outcome = watch(stack).await;
    agent.shutdown().await;
    outcome
}

/// Restarts servers that died until someone ends the command.
async fn watch(stack: &Stack) -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = every.tick() => {
                if let Err(error) = stack.ensure_running().await {
                    tracing::warn!(%error, "a server of the private stack did not come back");
                }
            }
        }
    }
}

/// The configuration of an agent on a private stack; the tests use it too.
pub fn config(stack: &Stack, bare: &Path, data_dir: &Path) -> Config {
    let loopback = || std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        environment: "dev".to_owned(),
        data_dir: data_dir.join("agent"),
        repository: Repository { url: bare.display().to_string(), branch: seed::BRANCH.to_owned(), poll_seconds: 0.25 },
        postgres: Postgres { url: Secret::new(stack.postgres.url()), max_connections: 10 },
        vault: Vault {
            addr: stack.vault.addr(),
            token: Secret::new(stack.vault.agent_token()),
            mount: "secret".to_owned(),
        },
        nats: Nats { url: Secret::new(stack.nats.url()), stream: "OPS".to_owned(), subject_prefix: String::new() },
        redis: Redis { url: Secret::new(stack.redis.url()), key_prefix: String::new() },
        secrets: Secrets { identity_file: Some(stack.pki.age_identity.clone()) },
        admin: Admin {
            listen: loopback(),
            jwks: stack.pki.jwks.display().to_string(),
            issuer: DEV_ISSUER.to_owned(),
            audience: DEV_AUDIENCE.to_owned(),
            roles_claim: "roles".to_owned(),
        },
        internal: Internal {
            listen: loopback(),
            cert: stack.pki.server.certificate.clone(),
            key: stack.pki.server.key.clone(),
            client_ca: stack.pki.ca.clone(),
            client_crl: None,
            allow_credentials: vec![Pki::SMPP_CONNECTOR.to_owned()],
            allow_read: Vec::new(),
        },
        ops: Ops { listen: loopback() },
    }
}

/// Addresses and credentials as KEY=VALUE, for shells.
fn environment(stack: &Stack, agent: &Agent, bare: &Path, token: &str) -> String {
    let listeners = agent.listeners();
    let pki = &stack.pki;
    let path = |path: &Path| path.display().to_string();
    let entries = [
        ("BINDERY_REPO", path(bare)),
        ("BINDERY_ADMIN_URL", format!("http://{}", listeners.admin)),
        ("BINDERY_INTERNAL_URL", format!("https://{}", listeners.internal)),
        ("BINDERY_OPS_URL", format!("http://{}", listeners.ops)),
        ("DATABASE_URL", stack.postgres.url()),
        ("NATS_URL", stack.nats.url()),
        ("REDIS_URL", stack.redis.url()),
        ("VAULT_ADDR", stack.vault.addr()),
        ("VAULT_TOKEN", stack.vault.root_token()),
        ("BINDERY_CA", path(&pki.ca)),
        ("BINDERY_CLIENT_CERT", path(&pki.smpp_connector.certificate)),
        ("BINDERY_CLIENT_KEY", path(&pki.smpp_connector.key)),
        ("BINDERY_OTHER_CLIENT_CERT", path(&pki.other.certificate)),
        ("BINDERY_OTHER_CLIENT_KEY", path(&pki.other.key)),
        ("BINDERY_ADMIN_TOKEN", token.to_owned()),
    ];
    entries.iter().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "{key}={value}");
        text
    })
}

fn greeting(agent: &Agent, bare: &Path, env: &Path, stack: &Stack, operator: &str) -> String {
    let listeners = agent.listeners();
    let pki = &stack.pki;
    let status = agent.status();
    let status = status.borrow();
    let applied = status.applied.as_ref().map_or("nothing", |applied| applied.commit.as_str());
    format!(
        "serving; applied {applied}\n\n  repository  {}\n  admin       http://{}\n  internal    https://{}\n  ops         \
         http://{}/health/ready\n  all of it   source {}\n\ncredentials of one operator:\n  curl --cacert {} --cert {} \
         --key {} https://{}/v1/internal/operators/{operator}/credentials\n\nCtrl-C ends it; the data stays.",
        bare.display(),
        listeners.admin,
        listeners.internal,
        listeners.ops,
        env.display(),
        pki.ca.display(),
        pki.smpp_connector.certificate.display(),
        pki.smpp_connector.key.display(),
        listeners.internal,
    )
}

/// Writes a file that only its owner may read: it holds passwords.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

fn say(line: &str) {
    anstream::println!("{line}");
}
