//! One supervised server: started until ready, stopped in order, or killed outright.

use std::process::Child;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::spawn::{Launch, signal};
use super::{Error, files};

/// How long a server may take until it answers. Generous: a cold, busy machine is slow, and a server that
/// cannot start ends by itself and is noticed at once.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one attempt to reach a server may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server may take to stop before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// The pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(20);

/// A server process that can be started again with the same port and data.
pub(super) struct Process {
    launch: Launch,
    pid_file: std::path::PathBuf,
    /// The signal that asks this server to stop soon and cleanly.
    stop_signal: &'static str,
    /// The child is a plain one, not the async runtime's: tests share a stack between runtimes, and it must not
    /// depend on the one that happened to start it.
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    death_signal: &'static str,
}

impl Running {
    fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// Gives a server with a field `process` and a method `start` the rest of its life: what is the same for all of them.
macro_rules! lifecycle {
    ($server:ident) => {
        impl $server {
            /// The process id while the server runs.
            pub async fn pid(&self) -> Option<u32> {
                self.process.pid().await
            }

            /// Stops the server in order.
            pub async fn stop(&self) {
                self.process.stop().await;
            }

            /// Kills the server with SIGKILL.
            pub async fn kill(&self) {
                self.process.kill().await;
            }

            /// Stops and starts the server.
            pub async fn restart(&self) -> Result<(), Error> {
                self.stop().await;
                self.start().await
            }

            pub(super) async fn end_leftovers(&self) {
                self.process.end_leftovers().await;
            }
        }
    };
}
pub(super) use lifecycle;

impl Process {
    pub(super) fn new(launch: Launch, pid_file: std::path::PathBuf, stop_signal: &'static str) -> Self {
        Self { launch, pid_file, stop_signal, running: Mutex::new(None) }
    }

    /// The process id while the server runs.
    pub(super) async fn pid(&self) -> Option<u32> {
        let mut slot = self.running.lock().await;
        let running = slot.as_mut()?;
        running.lives().then(|| running.child.id())
    }

    /// Starts the server unless it runs, and waits until `ready` says so. `ready` answers with what is missing
    /// yet; it must be repeatable.
    pub(super) async fn start<F>(&self, ready: impl Fn() -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), String>>,
    {
        let mut slot = self.running.lock().await;
        if slot.as_mut().is_some_and(Running::lives) {
            return Ok(());
        }
        *slot = None;
        self.end_leftovers().await;
        let child = self.launch.spawn()?;
        // From here on dropping it, on an early return, ends the child.
        let mut running = Running { child, death_signal: self.launch.death_signal };
        files::write_public(&self.pid_file, format!("{}\n", running.child.id()))?;
        self.wait_ready(&mut running.child, ready).await?;
        *slot = Some(running);
        Ok(())
    }

    async fn wait_ready<F>(&self, child: &mut Child, ready: impl Fn() -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), String>>,
    {
        let server = self.launch.server;
        let begun = Instant::now();
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                let log = self.launch.log.clone();
                return Err(Error::Exited { server, status, log, tail: self.launch.log_tail() });
            }
            let reason = match tokio::time::timeout(ATTEMPT_TIMEOUT, ready()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(reason)) => reason,
                Err(_) => "no answer".to_owned(),
            };
            if begun.elapsed() > READY_TIMEOUT {
                let log = self.launch.log.clone();
                let tail = self.launch.log_tail();
                return Err(Error::NotReady { server, waited: begun.elapsed(), reason, log, tail });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks the server to stop and waits for its end; kills it when it takes too long.
    pub(super) async fn stop(&self) {
        let mut slot = self.running.lock().await;
        if let Some(mut running) = slot.take() {
            signal(running.child.id(), self.stop_signal);
            let deadline = Instant::now() + STOP_TIMEOUT;
            while running.lives() && Instant::now() < deadline {
                tokio::time::sleep(POLL).await;
            }
            if running.lives() {
                tracing::warn!(server = self.launch.server, "did not stop in time and is killed");
            }
        }
        self.end_leftovers().await;
        self.forget_pid();
    }

    /// Kills the server with SIGKILL, and whatever processes it had, and waits until all are gone.
    pub(super) async fn kill(&self) {
        let mut slot = self.running.lock().await;
        if let Some(mut running) = slot.take() {
            // An error means that it has ended already.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
        self.end_leftovers().await;
        self.forget_pid();
    }

    /// Kills what runs of this server without being our child: an earlier run's server, or Postgres' back ends.
    pub(super) async fn end_leftovers(&self) {
        end_processes(&self.launch).await;
    }

    fn forget_pid(&self) {
        if let Err(error) = files::remove(&self.pid_file) {
            tracing::warn!(%error, "a process id file stays behind");
        }
    }
}

impl Drop for Running {
    /// A stack that is dropped without being stopped leaves no server behind either.
    fn drop(&mut self) {
        if !self.lives() {
            return;
        }
        signal(self.child.id(), self.death_signal);
        let deadline = Instant::now() + Duration::from_secs(3);
        while self.lives() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(POLL);
        }
    }
}

/// Kills every process of a program in its folder, and waits until all are gone.
pub(super) async fn end_processes(launch: &Launch) {
    let deadline = Instant::now() + STOP_TIMEOUT;
    loop {
        let pids = launch.processes();
        if pids.is_empty() {
            return;
        }
        if Instant::now() > deadline {
            tracing::warn!(server = launch.server, ?pids, "processes of an earlier run do not end");
            return;
        }
        for pid in pids {
            signal(pid, "KILL");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Runs a program to its end, for set-up steps such as `initdb`.
pub(super) async fn run_to_end(launch: &Launch) -> Result<(), Error> {
    let mut running = Running { child: launch.spawn()?, death_signal: launch.death_signal };
    loop {
        match running.child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                let (server, log) = (launch.server, launch.log.clone());
                return Err(Error::Exited { server, status, log, tail: launch.log_tail() });
            }
            Ok(None) => tokio::time::sleep(POLL).await,
            Err(source) => {
                return Err(Error::Spawn { server: launch.server, source });
            }
        }
    }
}
