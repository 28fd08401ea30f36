//! Starting child processes that cannot outlive this one, signalling them, and finding those left behind.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use super::{Error, files};

/// A system user that runs a server in our stead.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) name: &'static str,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What to run, and how.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    /// The server's name in messages and file names.
    pub(super) server: &'static str,
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    /// Working folder; also the mark by which a process that was left behind is known as ours.
    pub(super) dir: PathBuf,
    /// Receives standard output and error.
    pub(super) log: PathBuf,
    /// `None`: the user we are.
    pub(super) user: Option<User>,
    /// What the kernel sends to the child when our process ends in any way.
    pub(super) death_signal: &'static str,
    pub(super) setpriv: PathBuf,
}

type Request = (Command, Sender<std::io::Result<Child>>);

/// A log larger than this is put aside when its server starts, in bytes.
const LOG_LIMIT: u64 = 16 << 20;

impl Launch {
    /// Starts the program with an environment of its own, in a process group of its own: Ctrl-C reaches only
    /// us, and we stop the servers in order.
    pub(super) fn spawn(&self) -> Result<Child, Error> {
        let log = self.open_log()?;
        let both = log.try_clone().map_err(Error::file("open", &self.log))?;
        let mut command = Command::new(&self.setpriv);
        command.arg("--pdeathsig").arg(self.death_signal);
        if let Some(user) = &self.user {
            command.args(["--reuid", &user.uid.to_string(), "--regid", &user.gid.to_string(), "--init-groups"]);
        }
        command.arg("--").arg(&self.program).args(&self.args);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8").env("HOME", &self.dir);
        command.current_dir(&self.dir).stdin(Stdio::null()).stdout(log).stderr(both);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        spawn_for_good(command).map_err(|source| Error::Spawn { server: self.server, source })
    }

    fn open_log(&self) -> Result<File, Error> {
        if fs::metadata(&self.log).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
            let aside = self.log.with_extension("log.old");
            fs::rename(&self.log, &aside).map_err(Error::file("rename", &self.log))?;
        }
        File::options().create(true).append(true).open(&self.log).map_err(Error::file("open", &self.log))
    }

    /// The last lines of the log, for error messages.
    pub(super) fn log_tail(&self) -> String {
        const LINES: usize = 15;
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// The processes of this server that run now: its program's name, working in its folder. This finds those
    /// of an earlier run of ours and, for Postgres, the back ends of a postmaster that was killed. A process id
    /// from a file alone would not do: the number may belong to someone else by now.
    pub(super) fn processes(&self) -> Vec<u32> {
        let name = self.program.file_name().unwrap_or_default().as_encoded_bytes();
        // The kernel keeps 15 bytes of a program's name.
        let name = &name[..name.len().min(15)];
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| {
                let proc = Path::new("/proc").join(pid.to_string());
                fs::read(proc.join("comm")).is_ok_and(|comm| comm.trim_ascii_end() == name)
                    && fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd == self.dir)
            })
            .collect()
    }
}

/// Starts `command` from a thread that never ends. The kernel sends a parent-death signal when the *thread*
/// that started the child ends, and the threads of async runtimes come and go.
fn spawn_for_good(command: Command) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (requests, inbox) = channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                // Whoever asked may have gone: then nobody owns the child, and it must not live on.
                if let Err(unwanted) = answer.send(command.spawn())
                    && let Ok(mut child) = unwanted.0
                {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        });
        requests
    });
    let (answer, result) = channel();
    let gone = || std::io::Error::other("the thread that starts servers has ended");
    spawner.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

/// Sends a signal, `TERM` for example, to a process. One that has ended already is no error.
///
/// The shell's built-in does it: the system call itself is out of reach without unsafe code.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("/bin/sh")
        .args(["-c", r#"kill -s "$0" "$1""#, name, &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(error) = sent {
        tracing::warn!(pid, signal = name, %error, "cannot send a signal");
    }
}

/// Are we root?
pub(super) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// Looks a system user up in `/etc/passwd`.
pub(super) fn system_user(name: &'static str) -> Result<User, Error> {
    let text = files::read_text(Path::new("/etc/passwd"))?.unwrap_or_default();
    text.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.first() == Some(&name))
        .find_map(|fields| Some(User { name, uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? }))
        .ok_or(Error::MissingUser)
}
