//! The real programs, run as their users run them.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bindery_agent::config::{Config, SecretSource};
use bindery_agent::dev::Tools;
use bindery_schema::secret::Secret;
use serde_json::{Value, json};

use crate::failpoints;
use crate::stack::{programs, workspace};
use crate::world::PATIENCE;

/// A program that goes on until it is told to end. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// All it writes, by stream.
    pub output: [PathBuf; 2],
}

impl Program {
    /// Starts a program of this workspace; it writes to `stdout.log` and `stderr.log` in `dir`.
    pub fn start(name: &str, arguments: &[&str], dir: &Path) -> Self {
        Self::spawn(&path(name), arguments, dir)
    }

    /// Starts any program, in the same way.
    pub fn spawn(program: &Path, arguments: &[&str], dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        let output = ["stdout.log", "stderr.log"].map(|file| dir.join(file));
        let [stdout, stderr] = output.clone().map(|file| Stdio::from(File::create(file).unwrap()));
        // Where the test is killed, so is what it started.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments);
        // A clone has no tools of its own: those of the workspace are meant.
        command.env("BINDERY_TOOLS", Tools::default_dir(&workspace()));
        command.env("BINDERY_FAILPOINT", failpoints::file_in(dir));
        command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        Self { child: command.spawn().unwrap(), output }
    }

    /// Waits for a line of either stream that `wanted` makes something of.
    pub async fn line<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let text = self.written();
            if let Some(found) = text.lines().find_map(&wanted) {
                return found;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "it ended:\n{text}");
            assert!(begun.elapsed() < PATIENCE, "it never said so:\n{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All it wrote so far.
    pub fn written(&self) -> String {
        self.output.iter().map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()).collect()
    }

    /// Ends it at once, with SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Asks it to end, with SIGTERM, and waits until it has.
    pub async fn stop(mut self) {
        signal("TERM", &self.child.id().to_string());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}:\n{}", self.written());
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it does not end:\n{}", self.written());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `bindery-agent run`, with the addresses it listens on.
#[derive(Debug)]
pub struct Agent {
    /// The process.
    pub program: Program,
    /// Base URL of the admin listener.
    pub admin: String,
    /// Base URL of the internal listener, by the name its certificate has.
    pub internal: String,
    /// Base URL of the ops listener.
    pub ops: String,
}

impl Agent {
    /// Starts it with a configuration file and waits until it listens.
    pub async fn start(config: &Config) -> Self {
        let mut program = Self::launch(config);
        let listening = |line: &str| {
            let event: Value = serde_json::from_str(line).ok()?;
            let fields = event.get("fields")?.clone();
            (fields["message"] == "listening").then_some(fields)
        };
        let fields = program.line(listening).await;
        let url = |name: &str| format!("http://{}", fields[name].as_str().unwrap());
        let internal = url("internal").replace("http://127.0.0.1", "https://localhost");
        Self { program, admin: url("admin"), internal, ops: url("ops") }
    }

    /// Starts it with a configuration file and waits for nothing.
    pub fn launch(config: &Config) -> Program {
        let dir = Self::dir(config);
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("agent.toml");
        fs::write(&file, toml(config)).unwrap();
        Program::start("bindery-agent", &["run", "--config", file.to_str().unwrap()], &dir)
    }

    /// Where its configuration file and what it writes are.
    pub fn dir(config: &Config) -> PathBuf {
        config.data_dir.with_file_name("run")
    }

    /// Status and text of an answer of the ops listener.
    pub async fn ops(&self, path: &str) -> (u16, String) {
        get(&format!("{}{path}", self.ops)).await
    }
}

/// Status and text of an answer.
pub async fn get(url: &str) -> (u16, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The configuration file of `bindery-agent run`.
fn toml(config: &Config) -> String {
    let Config {
        data_dir,
        repository,
        triggers,
        postgres,
        vault,
        nats,
        redis,
        secrets,
        drift,
        limits,
        admin,
        internal,
        ops,
        retention,
        environment,
        documents,
        telemetry,
    } = config;
    assert!(documents.is_none(), "no test runs a program with an object store");
    let secret =
        |source: &Option<SecretSource>| source.as_ref().map(|source| source.read().unwrap().expose().to_owned());
    let file = |source: &Option<SecretSource>| match source {
        Some(SecretSource::File(path)) => Some(path.clone()),
        _ => None,
    };
    let plain = json!({ "environment": environment, "data_dir": data_dir });
    let tables = json!({
        "repository": {
            "url": repository.url, "branch": repository.branch, "poll_seconds": repository.poll_seconds,
            "timeout_seconds": repository.timeout_seconds, "user": repository.user, "ca": repository.ca,
            "password.file": file(&repository.password), "ssh_key": repository.ssh_key,
            "ssh_passphrase.file": file(&repository.ssh_passphrase), "known_hosts": repository.known_hosts,
        },
        "triggers": { "webhook_secret": secret(&triggers.webhook_secret), "nats_subject": triggers.nats_subject },
        "postgres": {
            "url": postgres.url.expose(), "migrate_url": postgres.migrate_url.as_ref().map(Secret::expose),
            "max_connections": postgres.max_connections,
        },
        "retention": {
            "outbox_days": retention.outbox_days, "routing_changes_days": retention.routing_changes_days,
            "sync_runs_days": retention.sync_runs_days, "deleted_secrets_days": retention.deleted_secrets_days,
            "idempotency_keys_days": retention.idempotency_keys_days, "health_log_days": retention.health_log_days,
        },
        "vault": { "addr": vault.addr, "token": secret(&vault.token), "mount": vault.mount },
        "nats": { "url": nats.url.expose(), "stream": nats.stream, "subject_prefix": nats.subject_prefix },
        "redis": { "url": redis.url.expose(), "key_prefix": redis.key_prefix },
        "secrets": { "identity_file": secrets.identity_file },
        "drift": {
            "every_seconds": drift.every_seconds, "postgres": drift.postgres, "vault": drift.vault, "redis": drift.redis,
            "nats": drift.nats,
        },
        "limits": {
            "body_bytes": limits.body_bytes, "requests_per_second": limits.requests_per_second, "burst": limits.burst,
            "concurrent": limits.concurrent, "timeout_seconds": limits.timeout_seconds,
        },
        "admin": {
            "listen": admin.listen, "jwks": admin.jwks, "issuer": admin.issuer, "audience": admin.audience,
            "cors_origins": admin.cors_origins,
        },
        "internal": {
            "listen": internal.listen, "cert": internal.cert, "key": internal.key, "client_ca": internal.client_ca,
            "allow_credentials": internal.allow_credentials,
        },
        "ops": { "listen": ops.listen },
        "telemetry": {
            "otlp_endpoint": telemetry.otlp_endpoint, "otlp_headers": secret(&telemetry.otlp_headers),
            "sample_ratio": telemetry.sample_ratio,
        },
    });
    // A key with its value as JSON is TOML too, as long as no value is an object.
    let pairs = |table: &Value| {
        let set = table.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
        let lines = set.map(|(key, value)| format!("{key} = {value}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let tables = tables.as_object().unwrap().iter().map(|(name, values)| format!("[{name}]\n{}", pairs(values)));
    [pairs(&plain)].into_iter().chain(tables).collect::<Vec<_>>().join("\n")
}

/// Where a program of this workspace is.
fn path(name: &str) -> PathBuf {
    let path = programs().join(name);
    assert!(path.is_file(), "{} is not built; `cargo build --workspace` does that", path.display());
    path
}

/// Runs `bindery-agent` with a configuration file to its end.
pub fn agent(arguments: &[&str], config: &Config) -> Output {
    let dir = config.data_dir.with_file_name("command");
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("agent.toml");
    fs::write(&file, toml(config)).unwrap();
    let arguments = [arguments, &["--config", file.to_str().unwrap()]].concat();
    run(path("bindery-agent").to_str().unwrap(), &arguments, &dir, None)
}

/// Runs a command of `bindery-agent` that asks a running one, to its end.
pub fn ask(arguments: &[&str], admin: &str, token: &str) -> Output {
    ask_with(arguments, admin, token, None)
}

/// The same with a text on its standard input.
pub fn ask_with(arguments: &[&str], admin: &str, token: &str, input: Option<&str>) -> Output {
    let arguments = [arguments, &["--url", admin, "--token", token]].concat();
    run(path("bindery-agent").to_str().unwrap(), &arguments, Path::new("/"), input)
}

/// Runs `bindery` in a folder to its end.
pub fn bindery(arguments: &[&str], dir: &Path, input: Option<&str>) -> Output {
    run(path("bindery").to_str().unwrap(), arguments, dir, input)
}

/// Runs `git` in a folder, without the user's own settings, and fails where it fails; returns what it printed.
pub fn git(arguments: &[&str], dir: &Path) -> String {
    let output = run("git", arguments, dir, None);
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Sends a signal to a process.
pub fn signal(name: &str, pid: &str) {
    assert!(run("kill", &[&format!("-{name}"), pid], Path::new("/"), None).status.success(), "{name} to {pid}");
}

/// Runs a program in a folder to its end, with a text on its standard input.
pub fn run(program: &str, arguments: &[&str], dir: &Path, input: Option<&str>) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada Carrier").env(format!("GIT_{role}_EMAIL"), "ada@example.org");
    }
    let mut child = command.spawn().unwrap();
    if let Some(input) = input {
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    }
    child.wait_with_output().unwrap()
}
