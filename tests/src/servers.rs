//! Servers as they are run in production, with TLS and accounts, beside the plain ones of the private stack. Each is a
//! real one, started for one test.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bindery_agent::dev::{KeyPairFiles, Pki, free_port};

use crate::program::{Program, run};
use crate::stack::{tools, workspace};
use crate::world::PATIENCE;

/// A program that only tests need, where `make install` put it.
pub fn tested_with(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("BINDERY_TEST_TOOLS").map_or_else(|| workspace().join(".bindery/test-tools"), PathBuf::from);
    let path = folder.join("bin").join(name);
    assert!(path.is_file(), "{} is missing; `make install` brings it", path.display());
    path
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    /// The process.
    pub program: Program,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Server {
    async fn start(program: &Path, arguments: &[&str], dir: &Path, port: u16) -> Self {
        let mut program = Program::spawn(program, arguments, dir);
        let begun = std::time::Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(!program.has_ended() && begun.elapsed() < PATIENCE, "{}: {}", dir.display(), program.written());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { program, port }
    }

    /// Redis with these settings besides the port, which stands for `PORT` in them.
    pub async fn redis(dir: &Path, settings: &str) -> Self {
        // A node of a cluster talks to the others on the port 10,000 above its own.
        let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok();
        let port = std::iter::repeat_with(|| free_port().unwrap()).find(is_free).unwrap();
        fs::create_dir_all(dir).unwrap();
        let common = format!("bind 127.0.0.1\nport PORT\nsave \"\"\nappendonly no\ndir {}\n", dir.display());
        let file = dir.join("redis.conf");
        fs::write(&file, format!("{common}{settings}\n").replace("PORT", &port.to_string())).unwrap();
        Self::start(&tools().redis_server, &[file.to_str().unwrap()], dir, port).await
    }

    /// A Sentinel that watches one master alone.
    pub async fn sentinel(dir: &Path, service: &str, master: u16) -> Self {
        let port = free_port().unwrap();
        fs::create_dir_all(dir).unwrap();
        let file = dir.join("sentinel.conf");
        let settings = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\nsentinel monitor {service} 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds {service} 500\nsentinel failover-timeout {service} 2000\n",
            dir.display()
        );
        fs::write(&file, settings).unwrap();
        Self::start(&tools().redis_server, &[file.to_str().unwrap(), "--sentinel"], dir, port).await
    }

    /// NATS with JetStream, TLS and these further settings.
    pub async fn nats(dir: &Path, identity: &KeyPairFiles, settings: &str) -> Self {
        let port = free_port().unwrap();
        fs::create_dir_all(dir).unwrap();
        let file = dir.join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\n\
             tls {{ cert_file: \"{}\", key_file: \"{}\" }}\n{settings}\n",
            dir.join("jetstream").display(),
            identity.certificate.display(),
            identity.key.display(),
        );
        fs::write(&file, text).unwrap();
        Self::start(&tools().nats_server, &["-c", file.to_str().unwrap()], dir, port).await
    }

    /// OpenBao in memory, unsealed, with TLS; its authority is the file `vault-ca.pem` in the folder.
    pub async fn openbao(dir: &Path, root_token: &str) -> Self {
        let port = free_port().unwrap();
        let (token, listen) =
            (format!("-dev-root-token-id={root_token}"), format!("-dev-listen-address=127.0.0.1:{port}"));
        let tls = format!("-dev-tls-cert-dir={}", dir.display());
        let arguments = ["server", "-dev-tls", &tls, &token, &listen, "-dev-no-store-token"];
        Self::start(&tools().bao, &arguments, dir, port).await
    }

    /// Prometheus with a configuration file, whose rule files may lie beside it.
    pub async fn prometheus(dir: &Path, config: &Path) -> Self {
        let port = free_port().unwrap();
        let (file, data) = (format!("--config.file={}", config.display()), dir.join("data"));
        let (data, listen) =
            (format!("--storage.tsdb.path={}", data.display()), format!("--web.listen-address=127.0.0.1:{port}"));
        Self::start(Path::new("prometheus"), &[&file, &data, &listen], dir, port).await
    }

    /// An object store with the API of S3, in memory and open to any key.
    pub async fn s3(dir: &Path) -> Self {
        let port = free_port().unwrap();
        let arguments = ["-H", "127.0.0.1", "-p", &port.to_string()];
        Self::start(&tested_with("moto_server"), &arguments, dir, port).await
    }

    /// A collector of spans, by OTLP over HTTP; it writes each as a line of JSON.
    pub async fn collector(dir: &Path) -> Self {
        let port = free_port().unwrap();
        // Unbuffered, so that a line is there once it is received.
        let arguments = ["-u", "-m", "oteltap", "--port", &port.to_string()];
        Self::start(&tested_with("python"), &arguments, dir, port).await
    }

    /// A forge over HTTPS that serves the repositories of a folder to one user.
    pub async fn https_forge(dir: &Path, identity: &KeyPairFiles, root: &Path, user: &str, password: &str) -> Self {
        Self::https_forge_at(free_port().unwrap(), dir, identity, root, user, password).await
    }

    /// The same at a port, such as that of one that was killed.
    pub async fn https_forge_at(
        port: u16,
        dir: &Path,
        identity: &KeyPairFiles,
        root: &Path,
        user: &str,
        password: &str,
    ) -> Self {
        fs::create_dir_all(dir).unwrap();
        let script = dir.join("forge.py");
        fs::write(&script, include_str!("forge.py")).unwrap();
        let path = |path: &Path| path.display().to_string();
        let arguments = [path(&script), port.to_string(), path(&identity.certificate), path(&identity.key), path(root)];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain([user, password]).collect();
        Self::start(Path::new("python3"), &arguments, dir, port).await
    }
}

/// An SSH server for the user who runs the test, with a key that may log in.
#[derive(Debug)]
pub struct Ssh {
    /// The server.
    pub server: Server,
    /// The user.
    pub user: String,
    /// The private key.
    pub key: PathBuf,
    /// The server's line for a file of known hosts.
    pub known_host: String,
}

impl Ssh {
    /// Starts one whose client key has a passphrase.
    pub async fn start(dir: &Path, passphrase: &str) -> Self {
        fs::create_dir_all(dir).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
        let (host, key) = (dir.join("host"), dir.join("key"));
        for (file, passphrase) in [(&host, ""), (&key, passphrase)] {
            let made = run(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", file.to_str().unwrap()],
                dir,
                None,
            );
            assert!(made.status.success(), "{made:?}");
        }
        fs::copy(key.with_extension("pub"), dir.join("authorized_keys")).unwrap();
        let user = String::from_utf8(run("id", &["-un"], dir, None).stdout).unwrap().trim().to_owned();
        if user == "root" {
            // The folder sshd locks its unprivileged half into; a service manager makes it otherwise.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = free_port().unwrap();
        let config = dir.join("sshd_config");
        let settings = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n",
            host.display(),
            dir.join("authorized_keys").display()
        );
        fs::write(&config, settings).unwrap();
        let arguments = ["-D", "-e", "-f", config.to_str().unwrap()];
        let server = Server::start(Path::new("/usr/sbin/sshd"), &arguments, dir, port).await;
        let public = fs::read_to_string(host.with_extension("pub")).unwrap();
        Self { server, user, key, known_host: format!("[127.0.0.1]:{port} {public}") }
    }
}

/// An authority that signed nothing a server shows.
pub fn strange_authority(pki: &Pki, dir: &Path) -> PathBuf {
    // A certificate that is no authority at all, and another one than the server's.
    let other = pki.issue_client(dir, "strange.example").unwrap();
    other.certificate
}
