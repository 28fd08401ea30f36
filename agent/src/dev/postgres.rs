//! Postgres: one cluster, a database for each that wants one.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use futures::TryFutureExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use super::error::check_name;
use super::files::{self, Layout};
use super::ports::Ports;
use super::process::{Process, end_processes, run_to_end};
use super::spawn::{Launch, User, is_root, system_user};
use super::stack::timed_start;
use super::{Error, Tools};

const SERVER: &str = "postgres";
const USER: &str = "postgres";
/// The role an agent runs as; it owns nothing.
const AGENT: &str = "bindery_agent";

/// The file in the data folder that names a cluster's folder when that lies outside.
const LOCATION: &str = "postgres.location";

/// A Postgres server with contrib's extensions (`btree_gist` among them).
pub struct Postgres {
    process: Process,
    initdb: Launch,
    home: PathBuf,
    port: u16,
    password: String,
    agent_password: String,
}

impl Postgres {
    pub(super) fn prepare(layout: &Layout, tools: &Tools, ports: Ports, durable: bool) -> Result<Self, Error> {
        // Postgres refuses to run as root.
        let user = if is_root() { Some(system_user("postgres")?) } else { None };
        let home = home(layout, user.as_ref())?;
        let password = files::password(&layout.secret("postgres.password"))?;
        let agent_password = files::password(&layout.secret("postgres.agent.password"))?;
        let launch = |program: &Path, args: Vec<std::ffi::OsString>, dir: PathBuf| Launch {
            server: SERVER,
            program: program.to_path_buf(),
            args,
            dir,
            log: layout.log(SERVER),
            user: user.clone(),
            // An immediate shutdown: back ends end too, and the next start recovers from the log.
            death_signal: "QUIT",
            setpriv: tools.setpriv.clone(),
        };
        let unfinished = home.join("data.new");
        let mut args: Vec<std::ffi::OsString> = vec!["-D".into(), unfinished.into()];
        args.extend(["-U", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"].map(Into::into));
        args.extend(["--no-sync".into(), "--pwfile".into(), home.join("password").into()]);
        let initdb = launch(&tools.initdb, args, home.clone());

        let mut args: Vec<std::ffi::OsString> = vec!["-D".into(), home.join("data").into()];
        args.extend(["-p".into(), ports.postgres.to_string().into()]);
        // No socket file: the path of a deep data folder would be too long for one.
        let mut settings = vec![
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            "timezone=UTC",
            "log_timezone=UTC",
            // Compiling the short statements of an agent takes longer than running them.
            "jit=off",
            // Statements can hold values that do not belong in a log.
            "log_min_error_statement=panic",
        ];
        if !durable {
            // Safe against the death of any process; only a crash of the whole machine loses data.
            settings.extend(["fsync=off", "full_page_writes=off"]);
        }
        args.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting.into()]));
        let server = launch(&tools.postgres, args, home.join("data"));
        // INT is Postgres' fast shutdown; TERM would wait for every client to leave.
        let process = Process::new(server, layout.pid_file(SERVER), "INT");
        Ok(Self { process, initdb, home, port: ports.postgres, password, agent_password })
    }

    /// `postgres://postgres:password@127.0.0.1:port/postgres`: the superuser, in the maintenance database.
    pub fn url(&self) -> String {
        self.database_url("postgres")
    }

    /// The superuser's URL of a database.
    pub fn database_url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@{}/{database}", self.password, self.addr())
    }

    /// The URL of a database for the role an agent runs as: no superuser, and owner of nothing.
    pub fn agent_url(&self, database: &str) -> String {
        format!("postgres://{AGENT}:{}@{}/{database}", self.agent_password, self.addr())
    }

    /// `127.0.0.1:port`.
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Makes an empty database if it is not there, and answers with its URL.
    pub async fn create_database(&self, name: &str) -> Result<String, Error> {
        self.create_from(name, "template1").await
    }

    /// Makes a database as a copy of another one, which nobody may be connected to, and answers with its URL.
    pub async fn clone_database(&self, name: &str, template: &str) -> Result<String, Error> {
        check_name(template)?;
        self.create_from(name, template).await
    }

    async fn create_from(&self, name: &str, template: &str) -> Result<String, Error> {
        const DUPLICATE_DATABASE: &str = "42P04";
        check_name(name)?;
        let sql = format!(r#"CREATE DATABASE "{name}" TEMPLATE "{template}""#);
        match self.execute(sql).await {
            Ok(()) => {}
            Err(error)
                if error.as_database_error().is_some_and(|e| e.code().as_deref() == Some(DUPLICATE_DATABASE)) => {}
            Err(error) => {
                return Err(Error::refused(SERVER, format!("create the database {name}"), &error));
            }
        }
        Ok(self.database_url(name))
    }

    /// Removes a database, and with it whoever is connected to it. One that is not there is no error.
    pub async fn drop_database(&self, name: &str) -> Result<(), Error> {
        check_name(name)?;
        let sql = format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#);
        self.execute(sql).await.map_err(|error| Error::refused(SERVER, format!("drop the database {name}"), &error))
    }

    /// Its statements are made of checked names only.
    async fn execute(&self, sql: String) -> Result<(), sqlx::Error> {
        let mut connection = self.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        connection.close().await
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.url().parse::<sqlx::postgres::PgConnectOptions>()?;
        options.disable_statement_logging().connect().await
    }

    /// Starts the server unless it runs, on the same port and data, until it answers a query. The first time
    /// it makes the cluster.
    pub async fn start(&self) -> Result<(), Error> {
        self.ensure_cluster().await?;
        timed_start(
            SERVER,
            self.port,
            self.process.start(|| {
                async {
                    let mut connection = self.connect().await?;
                    connection.ping().await
                }
                .map_err(|error: sqlx::Error| error.to_string())
            }),
        )
        .await?;
        self.ensure_agent_role().await
    }

    async fn ensure_agent_role(&self) -> Result<(), Error> {
        // Both are made here of letters and digits.
        let sql = format!(
            "do $$ begin
                 if not exists (select from pg_roles where rolname = '{AGENT}') then
                     create role {AGENT} login password '{}';
                 end if;
             end $$",
            self.agent_password
        );
        self.execute(sql).await.map_err(|error| Error::refused(SERVER, format!("make the role {AGENT}"), &error))
    }

    /// Makes the cluster under another name first, so that one that is half made is never taken for whole.
    async fn ensure_cluster(&self) -> Result<(), Error> {
        let data = self.home.join("data");
        if data.join("PG_VERSION").is_file() {
            return Ok(());
        }
        let unfinished = self.home.join("data.new");
        // An earlier run may have been killed in the midst of this, and what initdb had started writes on for a moment.
        end_processes(&self.initdb).await;
        let program = self.initdb.program.with_file_name("postgres");
        end_processes(&Launch { program, dir: unfinished.clone(), ..self.initdb.clone() }).await;
        files::remove(&unfinished)?;
        let password_file = self.home.join("password");
        files::write_private(&password_file, &self.password)?;
        if let Some(user) = &self.initdb.user {
            give_to(&password_file, user)?;
        }
        let made = run_to_end(&self.initdb).await;
        files::remove(&password_file)?;
        made?;
        fs::rename(&unfinished, &data).map_err(Error::file("rename", &unfinished))
    }

    /// The folder of the cluster, when it lies outside the data folder.
    pub(super) fn outside_home(layout: &Layout) -> Result<Option<PathBuf>, Error> {
        Ok(files::read_text(&layout.root.join(LOCATION))?.map(PathBuf::from))
    }
}

super::process::lifecycle!(Postgres);

/// The folder of the cluster: in the data folder, or below `/var/tmp` when the user that runs Postgres cannot
/// reach the data folder (one below `/root`, for example).
fn home(layout: &Layout, user: Option<&User>) -> Result<PathBuf, Error> {
    let inside = layout.root.join(SERVER);
    let Some(user) = user else {
        files::make_dir(&inside, 0o700)?;
        return Ok(inside);
    };
    if layout.root.ancestors().all(open_to_passers_by) {
        files::make_dir(&inside, 0o700)?;
        give_to(&inside, user)?;
        return Ok(inside);
    }
    let location = layout.root.join(LOCATION);
    let id = hex::encode(&Sha256::digest(layout.root.as_os_str().as_encoded_bytes())[..8]);
    let outside = Path::new("/var/tmp").canonicalize().unwrap_or_else(|_| "/var/tmp".into());
    let outside = outside.join(format!("bindery-postgres-{id}"));
    if files::read_text(&location)?.is_none() {
        // Without our record it belongs to a data folder that is gone; its password is lost.
        files::remove(&outside)?;
        files::write_public(&location, outside.as_os_str().as_encoded_bytes())?;
    }
    match fs::create_dir(&outside) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::file("create", &outside)(error));
        }
        Ok(()) => give_to(&outside, user)?,
        Err(_) => {}
    }
    // Anybody may make folders in /var/tmp: one that somebody else put there is not used.
    let metadata = fs::symlink_metadata(&outside).map_err(Error::file("read", &outside))?;
    if !metadata.is_dir() || metadata.uid() != user.uid {
        let foreign = std::io::Error::other(format!("it is no folder of the user {}", user.name));
        return Err(Error::file("use", &outside)(foreign));
    }
    files::make_dir(&outside, 0o700)?;
    tracing::info!(path = %outside.display(), "postgres keeps its data outside the data folder, which its user cannot reach");
    Ok(outside)
}

fn open_to_passers_by(dir: &Path) -> bool {
    fs::metadata(dir).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
}

fn give_to(path: &Path, user: &User) -> Result<(), Error> {
    std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)).map_err(Error::file("change the owner of", path))
}
