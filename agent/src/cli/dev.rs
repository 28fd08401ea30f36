//! `bindery-agent dev`: the private stack, a bare repository that plays the forge, and an agent that follows it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bindery_schema::secret::Secret;
use bindery_schema::wire::api::{SyncPhase, SyncStatus};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use uuid::Uuid;

use super::status::{self, short};
use super::token::{DEV_AUDIENCE, DEV_ISSUER, mint_dev};
use crate::config::{
    Admin, Config, Drift, Internal, Limits, Nats, Ops, Postgres, Redis, Repository, Retention, Secrets, Telemetry, Tls,
    Triggers, Vault, clock_skew,
};
use crate::dev::seed::{self, Seeded};
use crate::dev::{Pki, Stack, StackOptions, Tools};
use crate::http::permissions::Role;
use crate::runtime::Agent;
use crate::store::postgres::read;
use crate::telemetry;

/// What the environment is called.
const ENVIRONMENT: &str = "dev";
/// How long a first sync may take before the command says that it is still waiting.
const PATIENCE: Duration = Duration::from_secs(120);

/// Arguments of `bindery-agent dev`.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent dev
  bindery-agent dev --repo ~/carriers --data-dir /tmp/carriers

In another terminal:
  set -a; source .bindery/dev/env; set +a
  git clone $BINDERY_REPO work

Remove the data folder to begin anew.")]
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
    let identity = telemetry::Identity { environment: ENVIRONMENT, instance: Uuid::now_v7().to_string() };
    let telemetry = telemetry::Telemetry::start(&Telemetry::default(), &identity, LevelFilter::WARN)?;
    say(&format!("starting Postgres, NATS, Redis and OpenBao in {}", data_dir.display()));
    let begun = Instant::now();
    let ended = ended()?;
    tokio::pin!(ended);
    let stack = tokio::select! {
        stack = Stack::start(StackOptions { data_dir, tools, durable: true }) => stack?,
        // What was started so far ends with the future that started it.
        () = &mut ended => return Ok(()),
    };
    say(&format!("they are up after {:.1} s", begun.elapsed().as_secs_f64()));
    let outcome = serve(&stack, &repo, ended).await;
    say("stopping");
    stack.stop().await;
    telemetry.end().await;
    say("stopped");
    outcome
}

/// Returns when someone ends the command: Ctrl-C or SIGTERM.
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

async fn serve(stack: &Stack, repo: &Path, ended: Pin<&mut impl Future<Output = ()>>) -> anyhow::Result<()> {
    let data_dir = stack.data_dir();
    let bare = data_dir.join("forge.git");
    let (from, to, recipient) = (repo.to_owned(), bare.clone(), stack.pki.age_recipient.clone());
    let seeded = tokio::task::spawn_blocking(move || seed::seed(&from, &to, &recipient, Timestamp::now())).await??;
    say(&origin(&seeded, repo));
    let [admin, internal, ops] = stack.agent_ports().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let mut config = config(stack, &bare, data_dir);
    (config.admin.listen, config.internal.listen, config.ops.listen) = (admin, internal, ops);
    let mut agent = Agent::start(config).await?;
    let env = data_dir.join("env");
    let token = mint_dev(data_dir, &[Role::CarrierAdmin])?;
    write_private(&env, &environment(stack, &agent, &bare, &token))?;
    let serving = async {
        greet(stack, &agent, &env).await;
        tokio::select! {
            error = agent.failed() => error,
            never = watch(stack) => match never {},
        }
    };
    let outcome = tokio::select! {
        () = ended => Ok(()),
        error = serving => Err(error),
    };
    agent.shutdown().await;
    outcome
}

/// Where the configuration comes from, and what is not in it.
fn origin(seeded: &Seeded, repo: &Path) -> String {
    match seeded {
        Seeded::Made { head } => {
            format!("made the repository from HEAD ({}) and one commit with generated passwords", short(head))
        }
        Seeded::Kept { missing: None } => "going on with the repository of the last run".to_owned(),
        Seeded::Kept { missing: Some(head) } => format!(
            "going on with the repository of the last run; it has a history of its own, and HEAD ({}) is not in it.\n\
             To bring it in, from a clone of $BINDERY_REPO:\n  git pull --no-rebase --no-edit {} HEAD && git push",
            short(head),
            quoted(repo),
        ),
    }
}

/// Waits for the first sync and says what there is.
async fn greet(stack: &Stack, agent: &Agent, env: &Path) {
    say("applying the configuration");
    let begun = Instant::now();
    let mut status = agent.status();
    let first = status.wait_for(|status| !matches!(status.phase, SyncPhase::Starting | SyncPhase::Applying));
    let done = matches!(tokio::time::timeout(PATIENCE, first).await, Ok(Ok(_)));
    if done {
        say(&format!("done after {:.1} s", begun.elapsed().as_secs_f64()));
    } else {
        say("it is not done yet; `bindery-agent status` tells more");
    }
    let now = status.borrow().clone();
    let operator = read::any_operator(&agent.shared().stores.postgres).await;
    let operator = operator.ok().flatten();
    say(&greeting(agent, env, stack, &now, operator.as_deref().unwrap_or("OPERATOR")));
}

/// Restarts servers that died.
async fn watch(stack: &Stack) -> std::convert::Infallible {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        match stack.ensure_running().await {
            Ok(started) => started.iter().for_each(|server| say(&format!("{server} had ended and was started again"))),
            Err(error) => tracing::warn!(%error, "a server of the private stack did not come back"),
        }
    }
}

/// The configuration of an agent on a private stack; the tests use it too.
pub fn config(stack: &Stack, bare: &Path, data_dir: &Path) -> Config {
    let loopback = || SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        environment: ENVIRONMENT.to_owned(),
        data_dir: data_dir.join("agent"),
        repository: Repository {
            branch: seed::BRANCH.to_owned(),
            poll_seconds: 0.25,
            ..Repository::at(bare.display().to_string())
        },
        triggers: Triggers::default(),
        postgres: Postgres {
            migrate_url: Some(Secret::new(stack.postgres.url())),
            ..Postgres::at(stack.postgres.agent_url("postgres"))
        },
        vault: Vault {
            addr: stack.vault.addr(),
            token: Some(Secret::new(stack.vault.agent_token()).into()),
            approle: None,
            tls: Tls::default(),
            mount: "secret".to_owned(),
        },
        nats: Nats::at(stack.nats.url()),
        redis: Redis::at(stack.redis.url()),
        secrets: Secrets { identity_file: Some(stack.pki.age_identity.clone()) },
        retention: Retention::default(),
        documents: None,
        drift: Drift::default(),
        limits: Limits::default(),
        telemetry: Telemetry::default(),
        admin: Admin {
            listen: loopback(),
            jwks: stack.pki.jwks.display().to_string(),
            issuer: DEV_ISSUER.to_owned(),
            audience: DEV_AUDIENCE.to_owned(),
            roles_claim: "roles".to_owned(),
            tenant_claim: "tenant".to_owned(),
            clock_skew_seconds: clock_skew(),
            cors_origins: Vec::new(),
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
        let _ = writeln!(text, "{key}={}", quoted(Path::new(value)));
        text
    })
}

fn greeting(agent: &Agent, env: &Path, stack: &Stack, status: &SyncStatus, operator: &str) -> String {
    let listeners = agent.listeners();
    let pki = &stack.pki;
    let certificate = &pki.smpp_connector;
    format!(
        "\n{}\n  admin     http://{}\n  try it    http://{}/docs\n  internal  https://{}\n  ops       http://{}/health/ready\n\n\
         Addresses and credentials for a shell:\n  set -a; source {}; set +a\n\n\
         The password of one operator:\n  curl --cacert {} --cert {} --key {} \
         https://{}/v1/internal/operators/{operator}/credentials\n\n\
         Ctrl-C ends it; the data stays.",
        status::text(status),
        listeners.admin,
        listeners.admin,
        listeners.internal,
        listeners.ops,
        quoted(env),
        quoted(&pki.ca),
        quoted(&certificate.certificate),
        quoted(&certificate.key),
        listeners.internal,
    )
}

/// A path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+=,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_paths_back() {
        assert_eq!(quoted(Path::new("/srv/bindery-1/env")), "/srv/bindery-1/env");
        assert_eq!(quoted(Path::new("/home/Ann O'Hara/env")), r"'/home/Ann O'\''Hara/env'");
    }
}
